// SPDX-License-Identifier: BSD-2-Clause
"use strict";
const all = (selector, under) => Array.from((under || document).querySelectorAll(selector));
const boxes = all(".chips input");
const text = document.getElementById("text");
const differ = document.getElementById("differ");

// A row is shown when a chosen verdict is among its own and each word stands somewhere in it.
function matches(row, image, wanted, words) {
  const verdicts = row.dataset.verdicts.split("|");
  if (wanted.length && !wanted.some((v) => verdicts.includes(v))) return false;
  if (differ.checked && verdicts.length < 2) return false;
  const hay = `${image} ${row.cells[0].textContent} ${row.dataset.words}`.toLowerCase();
  return words.every((word) => hay.includes(word));
}

function filter() {
  const wanted = boxes.filter((box) => box.checked).map((box) => box.value);
  const words = text.value.toLowerCase().split(/\s+/).filter(Boolean);
  const idle = !wanted.length && !words.length && !differ.checked;
  let shown = 0;
  for (const image of all("details.image")) {
    const title = image.firstElementChild.textContent;
    const names = new Set();
    const rows = all("tbody tr", image);
    for (const row of rows) {
      row.hidden = !matches(row, title, wanted, words);
      if (!row.hidden) names.add(row.cells[0].textContent);
    }
    for (const story of all("details.story", image)) {
      const right = !wanted.length || wanted.includes(story.dataset.verdict);
      story.hidden = !right || !names.has(story.dataset.case);
    }
    image.hidden = !idle && !names.size && (rows.length > 0 || !words.every((w) => title.toLowerCase().includes(w)) || wanted.length > 0);
    if (!idle && !image.hidden) image.open = true;
    shown += image.hidden ? 0 : 1;
  }
  document.getElementById("nothing").hidden = shown > 0;
}

// A link into a folded part opens it.
function unfold() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target) target.scrollIntoView();
}

boxes.concat(differ).forEach((box) => box.addEventListener("change", filter));
text.addEventListener("input", filter);
window.addEventListener("hashchange", unfold);
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[href^='#']");
  if (link && link.getAttribute("href") === location.hash) unfold();
});
document.getElementById("open").addEventListener("click", (event) => {
  const images = all("details.image:not([hidden])");
  const open = images.some((image) => !image.open);
  images.forEach((image) => { image.open = open; });
  event.target.textContent = open ? "close all" : "open all";
});
unfold();
