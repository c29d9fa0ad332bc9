"use strict";

const GAP = 24; // between the images, as in study.css
const SETTLE_MS = 350; // answers sooner than this are the second half of a double click
const BREAK_MS = 20 * 60 * 1000;
const LARGEST_ZOOM = 16;
const AROUND = 200; // height of what is above and below the images
const SMALLEST_WINDOW = [720, 480];

const $ = (id) => document.getElementById(id);
const all = (selector) => document.querySelectorAll(selector);
const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

let info; // what the study is like
let session; // opened with a code
let where; // the last progress from the server: code, done, total, trials
let current; // the trial on the screen: {trial, images}
let locked = true; // no answer is taken
let answering = false; // an answer is on its way
let view = { zoom: 1, x: 0, y: 0 }; // the top left corner, in device pixels
let watched = 0; // ms that the current trial was visible before `since`
let since = null; // when it became visible, null while it is not
let lastBreak = performance.now();
const prepared = new Map(); // trial id -> promise of {trial, images}

/* What outlives a reload. A browser that stores nothing only loses that. */

const memory = {
  get(key) { try { return localStorage.getItem(key); } catch { return null; } },
  set(key, value) { try { localStorage.setItem(key, value); } catch { /* not stored */ } },
  remove(key) { try { localStorage.removeItem(key); } catch { /* was not stored */ } },
  keys() { try { return Object.keys(localStorage); } catch { return []; } },
};

/* The server */

async function call(name, body) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    let problem = "No connection.";
    try {
      const reply = await fetch(`/api/${name}`, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(body),
        cache: "no-store",
        signal: AbortSignal.timeout(20000),
      });
      const data = await reply.json();
      if (reply.status < 500) {
        $("banner").hidden = true;
        return { ok: reply.ok, status: reply.status, data };
      }
      problem = data.error;
    } catch { /* no connection, or half an answer: asked again below */ }
    tell(`${problem} Nothing is lost: this page tries again by itself.`);
    await sleep(wait);
  }
}

function tell(text) {
  $("banner").textContent = text;
  $("banner").hidden = false;
}

async function sendPendingVotes() {
  for (const key of memory.keys().filter((name) => name.startsWith("sriqa-vote-"))) {
    const vote = memory.get(key);
    if (vote) await call("vote", JSON.parse(vote));
    memory.remove(key);
  }
}

/* Screens */

function show(id) {
  for (const section of all("main > section")) section.hidden = section.id !== id;
  if (id !== "trial") setVisible(false);
  const heading = $(id).querySelector("h1");
  if (heading) heading.focus();
  window.scrollTo(0, 0);
}

function welcome() {
  session = where = current = undefined;
  memory.remove("sriqa-session");
  const letters = "abcdefghjkmnpqrstuvwxyz23456789";
  const random = crypto.getRandomValues(new Uint32Array(10));
  const code = Array.from(random, (value) => letters[value % letters.length]).join("");
  $("start").reset();
  $("resume").reset();
  $("code").value = `${code.slice(0, 5)}-${code.slice(5)}`;
  $("start").dataset.id = Array.from(crypto.getRandomValues(new Uint32Array(4))).join("-");
  show("welcome");
}

function refuse(id, message) {
  $(id).textContent = message;
  $(id).hidden = !message;
}

async function open(name, body, errorId) {
  refuse(errorId, "");
  const reply = await call(name, body);
  if (!reply.ok) return refuse(errorId, reply.data.error);
  session = reply.data.session;
  memory.set("sriqa-session", session);
  checkScreen();
  show("check");
}

function checkScreen() {
  const ratio = window.devicePixelRatio;
  const panes = info.input ? 3 : 2;
  const need = Math.ceil((info.width * panes) / ratio) + GAP * (panes + 1);
  const [width, height] = SMALLEST_WINDOW;
  const small = innerWidth < width || innerHeight < height;
  $("check-window").textContent =
    `This window is ${innerWidth} × ${innerHeight} (device pixel ratio ${+ratio.toFixed(3)}).`;
  if (small) {
    $("check-fit").textContent =
      `It is too small for this study: please make it at least ${width} × ${height}, ` +
      "or use a larger screen.";
  } else if (need > innerWidth || info.height / ratio + AROUND > innerHeight) {
    $("check-fit").textContent =
      `The largest images need ${need} × ${Math.ceil(info.height / ratio + AROUND)}. ` +
      "In a smaller window you see parts of them, which you can move together.";
  } else {
    $("check-fit").textContent = "It is large enough: the images fit, pixel by pixel.";
  }
  $("begin").disabled = small;
}

function screenValues() {
  return {
    ratio: window.devicePixelRatio, width: innerWidth, height: innerHeight,
    screen_width: screen.width, screen_height: screen.height, colour_depth: screen.colorDepth,
  };
}

function pause(title, text) {
  $("pause-title").textContent = title;
  $("pause-text").textContent = text ?? `You have compared ${where.done} of ${where.total} pairs.`;
  for (const place of all(".my-code")) place.textContent = where.code;
  show("pause");
  $("go-on").focus();
}

function goOn() {
  lastBreak = performance.now();
  if (current) {
    show("trial");
    layOut();
    setVisible(true);
  } else {
    next();
  }
}

/* Trials */

async function begin() {
  const reply = await call("progress", { session, screen: screenValues() });
  if (!reply.ok) return welcome();
  where = reply.data;
  lastBreak = performance.now();
  await next();
}

function prepare(trial) {
  if (!prepared.has(trial.id)) {
    const names = ["left", "input", "right"].filter((name) => trial[name]);
    const loading = Promise.all(names.map(async (name) => [name, await loadImage(trial[name])]));
    const ready = loading.then((images) => ({ trial, images: Object.fromEntries(images) }));
    prepared.set(trial.id, ready);
  }
  return prepared.get(trial.id);
}

async function loadImage(address) {
  for (let wait = 500; ; wait = Math.min(wait * 2, 8000)) {
    const image = new Image();
    image.src = address;
    image.draggable = false;
    try {
      await image.decode();
      return image;
    } catch {
      tell("An image cannot be loaded. This page tries again by itself.");
      await sleep(wait);
    }
  }
}

async function next() {
  const [first] = where.trials;
  if (!first) return finish();
  const ids = where.trials.map((trial) => trial.id);
  for (const id of prepared.keys()) if (!ids.includes(id)) prepared.delete(id);
  const waiting = where.trials.map(prepare);
  const ready = await waiting[0];
  if (where.trials[0]?.id !== first.id) return;
  $("banner").hidden = true;
  current = ready;
  put();
}

function put() {
  const { trial, images } = current;
  for (const figure of all("#stage figure")) {
    const image = images[figure.dataset.side];
    figure.hidden = !image;
    figure.classList.remove("chosen");
    if (!image) continue;
    image.alt = { left: "Left version", right: "Right version", input: "Input, enlarged" }[figure.dataset.side];
    figure.firstElementChild.replaceChildren(image);
  }
  $("where").textContent = trial.training ? "Practice" : `${where.done + 1} of ${where.total}`;
  $("bar").max = where.total;
  $("bar").value = where.done;
  view = { zoom: 1, x: 0, y: 0 };
  show("trial");
  if (document.activeElement) document.activeElement.blur();
  layOut(true);
  watched = 0;
  setVisible(true);
  locked = true;
  setTimeout(() => { locked = false; }, SETTLE_MS);
}

function setVisible(visible) {
  const now = performance.now();
  if (since !== null) watched += now - since;
  since = visible && !answering && !document.hidden ? now : null;
}

async function vote(choice) {
  if (locked || $("trial").hidden || $("help").open || (choice === "tie" && !info.tie)) return;
  locked = answering = true;
  setVisible(false);
  const { trial } = current;
  const body = { session, trial: trial.id, choice, response_ms: Math.round(Math.min(watched, 86400000)) };
  const key = `sriqa-vote-${trial.id}`;
  document.querySelector(`[data-side="${choice}"]`)?.classList.add("chosen");
  memory.set(key, JSON.stringify(body));
  const reply = await call("vote", body);
  memory.remove(key);
  if (!reply.ok) answering = false;
  if (reply.status === 401) return welcome();
  if (!reply.ok) return begin();
  where = reply.data;
  current = undefined;
  answering = false;
  $("note").textContent = feedback(where.right);
  const [following] = where.trials;
  if (!following) return finish();
  if ($("trial").hidden) return pause($("pause-title").textContent); // paused meanwhile
  if (trial.training && !following.training) {
    where.trials.forEach(prepare);
    $("note").textContent = "";
    return pause("Practice is over", `${feedback(where.right)} Now ${where.total === 1 ? "the pair begins" : `the ${where.total} pairs begin`}.`);
  }
  if (performance.now() - lastBreak > BREAK_MS) {
    where.trials.forEach(prepare);
    return pause("Time for a break", `You have compared ${where.done} of ${where.total} pairs. Rest your eyes for some minutes.`);
  }
  await next();
}

function feedback(right) {
  if (right === undefined) return "";
  return right
    ? "Right: the other one had lost its details."
    : "Not quite: the one you chose had lost its details. Look at both before you choose.";
}

function finish() {
  $("done-count").textContent = where.total;
  memory.remove("sriqa-session");
  show("done");
}

/* One image pixel is one device pixel, or a whole number of them; all images move together. */

function layOut(centre = false) {
  if (!current || $("trial").hidden) return;
  const ratio = window.devicePixelRatio;
  const { trial, images } = current;
  const shown = Object.keys(images).length;
  const caption = document.querySelector("figcaption").offsetHeight;
  const room = [$("stage").clientWidth - GAP * (shown + 1), $("stage").clientHeight - caption - 8];
  const full = [trial.width * view.zoom, trial.height * view.zoom];
  const width = Math.max(1, Math.min(full[0], Math.floor((room[0] / shown) * ratio)));
  const height = Math.max(1, Math.min(full[1], Math.floor(room[1] * ratio)));
  if (centre) [view.x, view.y] = [(full[0] - width) / 2, (full[1] - height) / 2];
  view.x = Math.round(Math.max(0, Math.min(view.x, full[0] - width)));
  view.y = Math.round(Math.max(0, Math.min(view.y, full[1] - height)));
  view.width = width;
  view.height = height;
  for (const image of Object.values(images)) {
    const pane = image.parentElement.style;
    pane.left = pane.top = "0";
    pane.width = `${width / ratio}px`;
    pane.height = `${height / ratio}px`;
    image.style.width = `${full[0] / ratio}px`;
    image.style.height = `${full[1] / ratio}px`;
    image.style.left = `${-view.x / ratio}px`;
    image.style.top = `${-view.y / ratio}px`;
  }
  for (const image of Object.values(images)) {
    // Centred, a pane may start within a device pixel, which would then be blended.
    const pane = image.parentElement;
    const box = pane.getBoundingClientRect();
    pane.style.left = `${Math.round(box.left * ratio) / ratio - box.left}px`;
    pane.style.top = `${Math.round(box.top * ratio) / ratio - box.top}px`;
  }
  const movable = full[0] > width || full[1] > height;
  $("stage").classList.toggle("movable", movable);
  const zoomed = view.zoom > 1 ? `Zoom ${view.zoom}×. ` : "";
  $("view").textContent = movable ? `${zoomed}You see a part: drag, or W A S D, moves all images. 0 is full size.` : zoomed;
}

function zoomBy(steps, at = [view.width / 2, view.height / 2]) {
  const zoom = Math.max(1, Math.min(LARGEST_ZOOM, view.zoom + steps));
  if (zoom === view.zoom) return;
  const scale = zoom / view.zoom;
  const grown = [view.width, view.height];
  view = { ...view, zoom, x: (view.x + at[0]) * scale - at[0], y: (view.y + at[1]) * scale - at[1] };
  const before = [view.x, view.y];
  layOut();
  // The panes may have grown around the point that is looked at.
  view.x = before[0] - (view.width - grown[0]) / 2;
  view.y = before[1] - (view.height - grown[1]) / 2;
  layOut();
}

function pan(x, y) {
  view.x += x;
  view.y += y;
  layOut();
}

function watchPane(figure) {
  const pane = figure.firstElementChild;
  let from = null;
  pane.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    event.preventDefault();
    pane.setPointerCapture(event.pointerId);
    from = { x: event.clientX, y: event.clientY, left: view.x, top: view.y, moved: false, trial: current?.trial.id };
  });
  pane.addEventListener("pointermove", (event) => {
    if (!from) return;
    const [x, y] = [from.x - event.clientX, from.y - event.clientY];
    from.moved ||= Math.hypot(x, y) > 4;
    if (!from.moved) return;
    $("stage").classList.add("dragging");
    [view.x, view.y] = [from.left + x * devicePixelRatio, from.top + y * devicePixelRatio];
    layOut();
  });
  const release = (event) => {
    const click = from && !from.moved && event.type === "pointerup" && from.trial === current?.trial.id;
    from = null;
    $("stage").classList.remove("dragging");
    if (click && figure.dataset.side !== "input") vote(figure.dataset.side);
  };
  pane.addEventListener("pointerup", release);
  pane.addEventListener("pointercancel", release);
  let turned = 0;
  pane.addEventListener("wheel", (event) => {
    event.preventDefault();
    turned += event.deltaY;
    if (Math.abs(turned) < 50) return;
    const box = pane.getBoundingClientRect();
    const at = [(event.clientX - box.left) * devicePixelRatio, (event.clientY - box.top) * devicePixelRatio];
    zoomBy(-Math.sign(turned), at);
    turned = 0;
  }, { passive: false });
}

/* Keys */

const STEP = 96;
const KEYS = {
  ArrowLeft: () => vote("left"), 1: () => vote("left"),
  ArrowRight: () => vote("right"), 2: () => vote("right"),
  ArrowDown: () => vote("tie"), 3: () => vote("tie"),
  "+": () => zoomBy(1), "=": () => zoomBy(1), "-": () => zoomBy(-1),
  0: () => { view.zoom = 1; layOut(true); },
  w: () => pan(0, -STEP), a: () => pan(-STEP, 0), s: () => pan(0, STEP), d: () => pan(STEP, 0),
  p: () => pause("Pause"), h: () => $("help").showModal(), "?": () => $("help").showModal(),
  f: fullScreen,
};
const REPEATING = ["+", "=", "-", "w", "a", "s", "d"];

function fullScreen() {
  if (document.fullscreenElement) document.exitFullscreen();
  else document.documentElement.requestFullscreen().catch(() => {});
}

function onKey(event) {
  if ($("trial").hidden || $("help").open || event.ctrlKey || event.altKey || event.metaKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (event.repeat && !REPEATING.includes(key)) return event.preventDefault();
  if (!Object.hasOwn(KEYS, key)) return;
  event.preventDefault();
  KEYS[key]();
}

/* Start */

async function main() {
  info = (await call("info", {})).data;
  for (const place of all(".trial-count")) place.textContent = info.trials;
  for (const place of all(".training-count")) place.textContent = info.training;
  for (const place of all(".with-tie")) place.hidden = !info.tie;
  for (const place of all(".without-tie")) place.hidden = info.tie;
  for (const place of all(".with-input")) place.hidden = !info.input;
  for (const place of all(".with-training")) place.hidden = !info.training;
  for (const band of info.age_bands) $("age").append(new Option(band));

  $("start").addEventListener("submit", (event) => {
    event.preventDefault();
    open("start", {
      code: $("code").value, start_id: $("start").dataset.id, age_band: $("age").value,
      display_notes: $("notes").value.trim(), consent: $("consent").checked,
    }, "start-error");
  });
  $("resume").addEventListener("submit", (event) => {
    event.preventDefault();
    open("resume", { code: $("resume-code").value }, "resume-error");
  });
  $("begin").addEventListener("click", begin);
  $("check-full").addEventListener("click", fullScreen);
  $("vote-left").addEventListener("click", () => vote("left"));
  $("vote-right").addEventListener("click", () => vote("right"));
  $("vote-tie").addEventListener("click", () => vote("tie"));
  $("help-open").addEventListener("click", () => $("help").showModal());
  $("pause-now").addEventListener("click", () => pause("Pause"));
  $("go-on").addEventListener("click", goOn);
  $("leave").addEventListener("click", welcome);
  $("again").addEventListener("click", welcome);
  all("#stage figure").forEach(watchPane);
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => setVisible(!$("trial").hidden));
  window.addEventListener("resize", () => { layOut(); if (!$("check").hidden) checkScreen(); });

  await sendPendingVotes();
  session = memory.get("sriqa-session");
  const reply = session ? await call("progress", { session }) : { ok: false };
  if (!reply.ok) return welcome();
  where = reply.data;
  if (!where.trials.length) return finish();
  where.trials.forEach(prepare);
  pause("Welcome back");
}

main();
