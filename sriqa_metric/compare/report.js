"use strict";
// Two results of a content in one place, divided where the pointer or the arrow keys put it.
for (const slider of document.querySelectorAll(".slider")) {
  const results = [...slider.parentElement.querySelectorAll("img.result")];
  const [left, right] = slider.querySelectorAll("select");
  const stage = slider.querySelector(".stage");
  const place = stage.querySelector("input");
  const below = new Image(), above = new Image();
  stage.prepend(below, above);
  const show = () => {
    for (const [image, choice] of [[above, left], [below, right]]) {
      const result = results[choice.value];
      for (const name of ["src", "alt", "width", "height"]) {
        image.setAttribute(name, result.getAttribute(name));
      }
    }
  };
  const divide = () => stage.style.setProperty("--at", `${place.value}%`);
  left.addEventListener("change", show);
  right.addEventListener("change", show);
  place.addEventListener("input", divide);
  show();
  divide();
  slider.hidden = false;
}
