// Adds comfort to pages that work without it: fresh figures, ticking ages, the reader's own time zone, copying, keys.
"use strict";

const EVERY = 5000;
const LONGEST = 60000; // between two polls while nothing answers
const PATIENCE = 10000; // for one answer

// ---- Refreshing: the page is asked for again, and only what differs is changed in place, so that focus, scroll positions,
// open parts and marked text stay where they are.

let wait = EVERY;
let timer = null;
let asking = false;
let asOf = Date.now();

function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return null;
  return node.id || (node.matches("[data-row]") && node.querySelector("a")?.getAttribute("href")) || null;
}

function patchAttributes(old, fresh) {
  for (const { name } of [...old.attributes]) {
    const isOurs = name === "hidden" || (name === "open" && old.matches("details"));
    if (!fresh.hasAttribute(name) && !isOurs) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    const isOurs = name === "hidden" || (name === "open" && old.matches("details"));
    if (old.getAttribute(name) !== value && !isOurs) old.setAttribute(name, value);
  }
}

function patch(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName) {
    old.replaceWith(fresh);
  } else if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
  } else if (!old.isEqualNode(fresh)) {
    patchAttributes(old, fresh);
    patchChildren(old, fresh);
  }
}

function patchChildren(old, fresh) {
  const wanted = new Set([...fresh.childNodes].map(keyOf).filter(Boolean));
  const kept = new Map([...old.childNodes].map((node) => [keyOf(node), node]).filter(([key]) => wanted.has(key)));
  let here = old.firstChild;
  for (const next of [...fresh.childNodes]) {
    while (here && keyOf(here) && !wanted.has(keyOf(here))) {
      const gone = here;
      here = here.nextSibling;
      gone.remove();
    }
    const key = keyOf(next);
    const same = key ? kept.get(key) : here && !keyOf(here) ? here : null;
    if (!same) {
      old.insertBefore(next, here);
    } else {
      const after = same === here ? here.nextSibling : here;
      if (same !== here) old.insertBefore(same, here);
      patch(same, next);
      here = after;
    }
  }
  while (here) {
    const gone = here;
    here = here.nextSibling;
    gone.remove();
  }
}

function isMarking() {
  return String(document.getSelection() || "") !== "";
}

function showFresh(text) {
  const page = new DOMParser().parseFromString(text, "text/html");
  const live = [...document.querySelectorAll("[data-live]")];
  const fresh = [...page.querySelectorAll("[data-live]")];
  if (!fresh.length || fresh.length !== live.length) throw new Error("another page came");
  const [x, y] = [scrollX, scrollY];
  uncover(page);
  sayTimes(page, true);
  live.forEach((one, place) => patch(one, fresh[place]));
  document.title = page.title;
  if (scrollX !== x || scrollY !== y) scrollTo(x, y);
}

async function poll() {
  if (asking || document.hidden || !document.querySelector("main [data-live]")) return;
  if (isMarking()) return plan(EVERY);
  asking = true;
  const stop = new AbortController();
  const patience = setTimeout(() => stop.abort(), PATIENCE);
  try {
    const answer = await fetch(location.href, { headers: { "X-Poll": "1" }, redirect: "manual", signal: stop.signal });
    if (answer.type === "opaqueredirect" || answer.status === 401) return location.reload(); // signed out: to the sign-in
    if (answer.status === 405) return clearTimeout(timer); // the answer to a form, which cannot be asked for again
    if (!answer.ok) throw new Error(String(answer.status));
    const text = await answer.text();
    if (!isMarking()) showFresh(text);
    asOf = Date.now();
    wait = EVERY;
  } catch {
    wait = Math.min(wait * 2, LONGEST);
  } finally {
    clearTimeout(patience);
    asking = false;
  }
  sayState();
  plan(wait);
}

function plan(delay) {
  clearTimeout(timer);
  timer = setTimeout(poll, delay);
}

function sayState() {
  const said = document.getElementById("stale");
  if (!said) return;
  const isStale = wait > EVERY;
  said.hidden = !isStale;
  const text = isStale ? `Not updating since ${clock(new Date(asOf), true)}. ` : "";
  if (said.firstChild.data !== text) said.firstChild.data = text;
}

// ---- Times: each says when, in the reader's zone or in UTC, and how long ago.

let isUtc = false;
try {
  isUtc = localStorage.getItem("zone") === "UTC";
} catch {
  // a browser that keeps nothing: the reader's zone
}

const two = (number) => String(number).padStart(2, "0");

function clock(at, isShort) {
  const [day, hours, minutes] = isUtc
    ? [`${at.getUTCFullYear()}-${two(at.getUTCMonth() + 1)}-${two(at.getUTCDate())}`, at.getUTCHours(), at.getUTCMinutes()]
    : [`${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`, at.getHours(), at.getMinutes()];
  const time = `${two(hours)}:${two(minutes)}`;
  return isShort ? time : `${day} ${time}${isUtc ? " UTC" : ""}`;
}

function span(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  return seconds < 86400 ? `${Math.round(seconds / 3600)} h` : `${Math.round(seconds / 86400)} d`;
}

function sayTimes(within, isAll) {
  for (const time of within.querySelectorAll("main time[datetime]")) {
    const at = new Date(time.getAttribute("datetime"));
    const [absolute, relative] = [time.querySelector(".at"), time.querySelector(".ago")];
    if (absolute && isAll) absolute.textContent = clock(at);
    if (!relative || (!isAll && time.closest("[role=status]"))) continue; // what is read aloud must not tick
    const passed = (Date.now() - at) / 1000;
    const text = time.hasAttribute("data-until")
      ? passed < 0 ? `in ${span(-passed)}` : "now"
      : Math.abs(passed) < 1 ? "now" : passed > 0 ? `${span(passed)} ago` : `in ${span(-passed)}`;
    if (relative.textContent !== text) relative.textContent = text;
  }
}

function sayZone() {
  for (const button of document.querySelectorAll("[data-zone]")) {
    const local = Intl.DateTimeFormat().resolvedOptions().timeZone || "local";
    button.textContent = isUtc ? "Times: UTC" : `Times: ${local}`;
    button.setAttribute("aria-label", `${button.textContent}; switch to ${isUtc ? local : "UTC"}`);
  }
  sayTimes(document, true);
}

function switchZone() {
  isUtc = !isUtc;
  try {
    localStorage.setItem("zone", isUtc ? "UTC" : "local");
  } catch {
    // then for this page alone
  }
  sayZone();
}

// ---- Buttons that need a script, and keys.

function uncover(within) {
  for (const button of within.querySelectorAll("[data-copy], [data-zone]")) button.hidden = false;
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
  "/": () => document.querySelector("[data-search]")?.focus(),
  f: () => document.querySelector("[data-first]")?.focus(),
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
  const button = event.target.closest("[data-copy], [data-zone], [data-retry]");
  if (!button) return;
  if (button.matches("[data-copy]")) copy(button);
  else if (button.matches("[data-zone]")) switchZone();
  else poll();
});

document.addEventListener("visibilitychange", () => { if (!document.hidden) poll(); });
addEventListener("online", poll);

uncover(document);
sayZone();
plan(EVERY);
setInterval(() => { if (!document.hidden) sayTimes(document, false); }, 1000);
