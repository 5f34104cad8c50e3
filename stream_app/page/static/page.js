// Keeps an open page up to date; everything works without it.
"use strict";

const live = document.getElementById("live");
let isWaiting = false;

function isBusy() {
  const active = document.activeElement;
  const typing = active && live.contains(active) && ["INPUT", "SELECT"].includes(active.tagName);
  const selecting = String(document.getSelection() || "") !== "";
  const deciding = live.querySelector("details[open] form") !== null;
  return document.hidden || typing || selecting || deciding;
}

function opened() {
  return [...live.querySelectorAll("details[open][id]")].map((one) => one.id);
}

async function refresh() {
  if (isBusy()) {
    isWaiting = true;
    return;
  }
  isWaiting = false;
  const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("live");
  if (!fresh || isBusy()) return;
  const open = opened();
  const focused = live.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  live.replaceChildren(...fresh.childNodes);
  for (const id of open) document.getElementById(id)?.setAttribute("open", "");
  if (focused) live.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
}

if (live) {
  const source = new EventSource("/live");
  source.addEventListener("reading", () => refresh().catch(() => {}));
  source.addEventListener("open", () => { document.getElementById("lost").hidden = true; });
  source.addEventListener("error", () => { document.getElementById("lost").hidden = false; });
  document.addEventListener("visibilitychange", () => { if (isWaiting) refresh().catch(() => {}); });
  document.addEventListener("focusout", () => { if (isWaiting) setTimeout(() => refresh().catch(() => {}), 0); });
  document.addEventListener("toggle", () => { if (isWaiting) refresh().catch(() => {}); }, true);
  document.addEventListener("keydown", (event) => {
    const search = document.getElementById("search");
    if (event.key !== "/" || !search || event.ctrlKey || event.metaKey || event.altKey) return;
    if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement?.tagName || "")) return;
    event.preventDefault();
    search.focus();
  });
}
