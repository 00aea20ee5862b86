// SPDX-License-Identifier: BSD-2-Clause
"use strict";
const all = (selector, under) => Array.from((under || document).querySelectorAll(selector));
const by_id = (id) => document.getElementById(id);
const matrix = by_id("matrix");
const images = all("tbody.image").map((body) => ({ body, rows: all("tr.case", body), title: body.rows[0].cells[0].textContent,
  said: all(".sum th, .note", body).map((part) => part.textContent).join(" ").toLowerCase() }));
const chosen = (id) => all(`#${id} input:checked`).map((box) => box.value);
const checked = (id) => Boolean(by_id(id) && by_id(id).checked);
const columns_style = document.head.appendChild(document.createElement("style"));

function open_image(body, open) {
  body.classList.toggle("open", open);
  body.rows[0].querySelector("button").setAttribute("aria-expanded", open);
}

// Everything that is said of a row, in small letters: put together when somebody first looks for words.
function words_of(image, row) {
  row.words = row.words || [image.title, row.cells[0].textContent, row.dataset.p, ...all("td", row).map((cell) => cell.title)]
    .join(" ").toLowerCase();
  return row.words;
}

// A row is shown when a chosen hypervisor has a chosen verdict, and each word stands somewhere in it.
function matches(image, row, what) {
  const verdicts = Array.from(row.dataset.v).filter((v, n) => v !== "." && (!what.columns.length || what.columns.includes(String(n))));
  if (what.verdicts.length ? !verdicts.some((v) => what.verdicts.includes(v)) : what.columns.length && !verdicts.length) return false;
  if (what.differ && new Set(verdicts.filter((v) => v !== what.skipped)).size < 2) return false;
  return what.words.every((word) => words_of(image, row).includes(word));
}

function filter() {
  const skipped = all("#verdicts .skip input").map((box) => box.value)[0];
  const what = { verdicts: chosen("verdicts"), columns: chosen("columns"), differ: checked("differ"), skipped,
    words: by_id("text").value.toLowerCase().split(/\s+/).filter(Boolean) };
  const searching = what.verdicts.length || what.differ || what.words.length;
  let shown = 0;
  for (const image of images) {
    let rows = 0;
    for (const row of image.rows) {
      row.hidden = !matches(image, row, what);
      rows += row.hidden ? 0 : 1;
      for (let next = row.nextElementSibling; next && /story|detail/.test(next.className); next = next.nextElementSibling)
        if (!next.id.startsWith("log:")) next.hidden = row.hidden;
    }
    // What is said of the image as a whole: why it was left out, what went wrong.
    const whole = !what.verdicts.length && !what.differ && (!image.rows.length || what.words.length > 0);
    image.body.hidden = !rows && !(whole && what.words.every((word) => image.said.includes(word)));
    if (searching && rows) open_image(image.body, true);
    shown += image.body.hidden ? 0 : 1;
  }
  const away = what.columns.length ? all("#columns input").filter((box) => !box.checked) : [];
  columns_style.textContent = away.map((box) => `#matrix :is(thead, .sum, .case) > :nth-child(${Number(box.value) + 2}), ` +
    `#matrix thead th:nth-child(${Number(box.value) + 2}) { display: none; }`).join("\n");
  matrix.classList.toggle("cases_only", Boolean(what.verdicts.length || what.differ));
  by_id("nothing").hidden = shown > 0;
}

// What each hypervisor made of a case, in words; a second time takes it away.
function toggle_detail(row) {
  const next = row.nextElementSibling;
  if (next && next.className === "detail") return next.remove();
  const detail = row.parentElement.insertRow(row.sectionRowIndex + 1);
  detail.className = "detail";
  const inside = detail.insertCell().appendChild(document.createElement("div"));
  detail.cells[0].colSpan = row.cells.length;
  inside.append(row.dataset.p);
  const table = inside.appendChild(document.createElement("table"));
  Array.from(row.cells).slice(1).forEach((cell, n) => {
    if (!cell.title) return;
    const line = table.insertRow();
    line.insertCell().textContent = matrix.tHead.rows[0].cells[n + 1].dataset.name;
    line.insertCell().append(...Array.from(cell.childNodes, (node) => node.cloneNode(true)));
    line.cells[1].className = cell.className;
    line.insertCell().textContent = cell.title;
  });
  return detail;
}

// Shows what a link means, folded or not.
function reveal(id) {
  const target = id && by_id(id);
  if (!target) return undefined;
  const body = target.closest("tbody.image");
  if (body) open_image(body, true);
  const story = target.classList.contains("story");
  if (story) target.classList.add("shown");
  if (target.hidden || (body && body.hidden)) { all("header input").forEach((box) => { box.checked = false; }); by_id("text").value = ""; filter(); }
  if (!story || target.offsetHeight > 0.8 * innerHeight) return target.scrollIntoView();
  return target.scrollIntoView({ block: "nearest" });
}

const in_hash = () => decodeURIComponent(location.hash.slice(1));

matrix.addEventListener("click", (event) => {
  const button = event.target.closest(".sum button");
  const link = event.target.closest("a[href^='#']");
  if (button) return open_image(button.closest("tbody"), !button.closest("tbody").classList.contains("open"));
  if (!link) return undefined;
  event.preventDefault();
  const target = by_id(link.getAttribute("href").slice(1));
  if (!target) return undefined;
  history.replaceState(null, "", link.getAttribute("href"));
  if (target.className === "case") return toggle_detail(target);
  return target.classList.contains("shown") ? target.classList.remove("shown") : reveal(target.id);
});

// n and p go through what failed, / to the filter.
function go(step) {
  const red = all("td.fail a, .note a.log").filter((link) => link.offsetParent);
  const at = red.indexOf(document.activeElement);
  const link = red[at < 0 ? (step > 0 ? 0 : red.length - 1) : (at + step + red.length) % red.length];
  if (link) { link.focus({ preventScroll: true }); link.scrollIntoView({ block: "center" }); }
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input[type=search]")) return;
  if (event.key === "/") { event.preventDefault(); by_id("text").focus(); }
  if (event.key === "n" || event.key === "p") go(event.key === "n" ? 1 : -1);
});

let waiting = 0;
by_id("text").addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(filter, 100); });
all("header .chips input, #differ").forEach((box) => box.addEventListener("change", filter));
by_id("times").addEventListener("change", (event) => {
  const seconds = (cell) => { const found = /^[0-9.]+ s/.exec(cell.title); if (found) cell.dataset.s = found[0]; };
  if (event.target.checked) all("td[title]", matrix).forEach(seconds);
  matrix.classList.toggle("times", event.target.checked);
});
by_id("open").addEventListener("click", (event) => {
  const shown = images.filter((image) => !image.body.hidden);
  const open = shown.some((image) => !image.body.classList.contains("open"));
  shown.forEach((image) => open_image(image.body, open));
  event.target.textContent = open ? "close all" : "open all";
});
window.addEventListener("hashchange", () => reveal(in_hash()));
new ResizeObserver(() => document.documentElement.style.setProperty("--head", `${matrix.tHead.offsetHeight + 4}px`)).observe(matrix.tHead);
reveal(in_hash());
