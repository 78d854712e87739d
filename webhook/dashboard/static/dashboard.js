// Adds comfort to pages that work without it: fresh figures every five seconds, countdowns, copying, keys.
"use strict";

const EVERY = 5000;
const GONE = 3; // polls in a row without an answer before it stops for good

let misses = 0;

function isBusy(live) {
  const at = document.activeElement;
  const selected = String(document.getSelection() || "");
  return selected !== "" || (live.contains(at) && at.matches("input, select, summary, button"));
}

function refocus(key) {
  if (!key) return;
  const again = [...document.querySelectorAll("[data-live] a")].find((link) => link.getAttribute("href") === key);
  if (again) again.focus({ preventScroll: true });
}

async function refresh() {
  const live = document.querySelector("[data-live]");
  if (!live || document.hidden || misses >= GONE || isBusy(live)) return;
  try {
    const answer = await fetch(location.href, { headers: { "X-Poll": "1" }, redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("[data-live]");
    if (!fresh || document.hidden || isBusy(live)) return;
    const open = [...live.querySelectorAll("details")].map((one) => one.open);
    const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    live.replaceChildren(...fresh.childNodes);
    live.querySelectorAll("details").forEach((one, place) => { one.open = open[place] ?? one.open; });
    refocus(focused);
    uncover();
    misses = 0;
  } catch {
    misses += 1;
  }
}

function span(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return seconds < 129600 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

function countDown() {
  if (document.hidden) return;
  for (const time of document.querySelectorAll("time[data-until]")) {
    const left = (Date.parse(time.dateTime) - Date.now()) / 1000;
    time.textContent = left > 0 ? `in ${span(left)}` : "now";
  }
}

function uncover() {
  for (const button of document.querySelectorAll("[data-copy][hidden]")) button.hidden = false;
}

async function copy(button) {
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
    button.textContent = "copied";
  } catch {
    button.textContent = "press Ctrl+C";
    document.getSelection().selectAllChildren(button.previousElementSibling);
  }
}

function step(by) {
  const rows = [...document.querySelectorAll("[data-row]")].filter((row) => row.querySelector("a"));
  if (!rows.length) return;
  const here = rows.findIndex((row) => row.contains(document.activeElement));
  const next = here < 0 ? (by > 0 ? 0 : rows.length - 1) : Math.min(Math.max(here + by, 0), rows.length - 1);
  rows[next].querySelector("th a, a").focus();
}

function replay() {
  const row = document.activeElement.closest("[data-row]");
  const button = (row && row.querySelector("[data-replay]")) || document.querySelector(":not(td) > form > [data-replay]");
  if (button) button.focus();
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  r: replay, // moves to the button; Enter then presses it
  "/": () => document.querySelector("[data-first]")?.focus(),
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  const act = KEYS[event.key];
  if (act) {
    event.preventDefault();
    act();
  }
});

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-copy]");
  if (button) copy(button);
});

document.addEventListener("visibilitychange", () => { if (!document.hidden) refresh(); });

uncover();
countDown();
setInterval(refresh, EVERY);
setInterval(countDown, 1000);
