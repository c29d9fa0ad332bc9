"use strict";

const REFRESH_MS = 5000;
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

let token = decodeURIComponent(location.hash.slice(1)) || sessionStorage.getItem("sriqa-admin") || "";
let timer;

async function get(what) {
  return fetch(`/admin/${what}`, { headers: { Authorization: `Bearer ${token}` }, cache: "no-store" });
}

async function refresh() {
  clearTimeout(timer);
  const asked = performance.now();
  try {
    const reply = await get("report");
    if (reply.status === 401) return login(token ? "The token is not right." : "");
    if (reply.status === 429) return login((await reply.json()).error);
    if (!reply.ok) throw new Error(reply.status);
    const report = await reply.json();
    sessionStorage.setItem("sriqa-admin", token);
    draw(report);
    $("updated").textContent = `updated ${new Date().toLocaleTimeString()}`;
  } catch {
    $("updated").textContent = "no connection";
  }
  // A large study takes its time to add up: leave the server to the subjects meanwhile.
  timer = setTimeout(refresh, Math.max(REFRESH_MS, 10 * (performance.now() - asked)));
}

function login(error) {
  $("admin").hidden = true;
  $("login").hidden = false;
  $("login-error").textContent = error;
  $("login-error").hidden = !error;
  $("token").focus();
}

function draw({ ranking, subjects, pairs }) {
  $("login").hidden = true;
  $("admin").hidden = false;
  $("no-ranking").hidden = !ranking.reason;
  $("no-ranking").textContent = `Not enough votes yet: ${ranking.reason}`;
  $("ranking").hidden = Boolean(ranking.reason);
  const ends = [0, ...ranking.methods.flatMap((row) => [row.low, row.high])];
  const range = [Math.min(...ends), Math.max(...ends)];
  table("ranking", ["Method", "Score", "95 % interval", "Votes", ""], ranking.methods.map((row) => [
    row.method, number(row.mu), `${number(row.low)} to ${number(row.high)}`, row.votes, bar(row, range),
  ]));
  table("subjects",
    ["Subject", "Code", "Done", "Obvious", "Repeated", "Left", "Median time", "Last answer", "Age", "Display", "Window"],
    subjects.map((row) => [
      row.observer, row.code, `${row.done} of ${row.total}`, checks(row.obvious, 0.8), checks(row.repeat, 0.5),
      row.left === null ? "" : `${Math.round(100 * row.left)} %`,
      row.median_ms === null ? "" : `${(row.median_ms / 1000).toFixed(1)} s`,
      row.last ? new Date(row.last).toLocaleString() : "", row.age_band, row.display_notes, screenOf(row.screen),
    ]));
  const votes = pairs.map((row) => row.a + row.b + row.tie);
  const most = votes.reduce((a, b) => Math.max(a, b), 0);
  const least = votes.reduce((a, b) => Math.min(a, b), most);
  const sum = votes.reduce((a, b) => a + b, 0);
  $("level").textContent = `${sum} ${sum === 1 ? "vote" : "votes"}; ${least} to ${most} per pair.`;
  table("pairs", ["Pair", "Content", "A", "B", "Group", "A better", "B better", "Ties", "Votes"],
    pairs.map((row, k) => [
      row.pair, row.content, row.method_a, row.method_b, row.group, row.a, row.b, row.tie, votes[k],
    ]));
}

function table(id, titles, rows) {
  const line = (values, tag) => {
    const tr = document.createElement("tr");
    for (const [k, value] of values.entries()) {
      const cell = document.createElement(tag);
      if (rows.length && typeof rows[0][k] === "number") cell.className = "number";
      if (value instanceof SVGElement) cell.className = "wide";
      if (value?.failed) cell.className = "bad";
      cell.append(value?.text ?? value);
      tr.append(cell);
    }
    return tr;
  };
  $(id).replaceChildren(line(titles, "th"), ...rows.map((row) => line(row, "td")));
}

const number = (value) => value.toFixed(2).replace("-", "−");

function checks([right, asked], least) {
  return { text: asked ? `${right} of ${asked}` : "", failed: asked > 0 && right / asked < least };
}

function screenOf(text) {
  const { width, height, ratio } = JSON.parse(text ?? "{}");
  return width ? `${width} × ${height} at ${+ratio.toFixed(2)}` : "";
}

function bar(row, [low, high]) {
  const svg = document.createElementNS(SVG, "svg");
  const place = (value) => `${3 + (94 * (value - low)) / (high - low || 1)}%`;
  const add = (name, attributes) => {
    const element = document.createElementNS(SVG, name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    svg.append(element);
  };
  svg.setAttribute("aria-hidden", "true");
  add("line", { class: "zero", x1: place(0), x2: place(0), y1: "0", y2: "100%" });
  add("line", { x1: place(row.low), x2: place(row.high), y1: "50%", y2: "50%" });
  add("circle", { cx: place(row.mu), cy: "50%", r: "4" });
  return svg;
}

async function download(schema) {
  const reply = await get(schema);
  if (!reply.ok) return login((await reply.json()).error);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await reply.blob());
  link.download = schema === "tidy" ? "votes.csv" : "votes_realsr1k.csv";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  refresh();
});
$("tidy").addEventListener("click", () => download("tidy"));
$("realsr1k").addEventListener("click", () => download("realsr1k"));
history.replaceState(null, "", location.pathname);
refresh();
