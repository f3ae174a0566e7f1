// Pointer and keyboard in a pane: create, move, change the length, open. With a
// finger, dragging scrolls, and the dialog does the rest.

import { element } from "./dom.js";
import { firstHour, lastHour, minute, plusDays, timeText } from "./time.js";

const step = 15;
const slack = 5; // pixels before a press becomes a drag

export function grabbing(pane) {
  pane.hours.addEventListener("pointerdown", (press) => start(pane, press));
  pane.root.addEventListener("click", (click) => {
    const card = click.target.closest(".event");
    // A press with the mouse on a timed event is handled when it is released.
    if (card && (card.parentElement === pane.whole || click.detail === 0 || press.touch)) open(pane, card);
  });
  pane.whole.addEventListener("click", (click) => {
    if (click.target !== pane.whole) return;
    const box = pane.whole.getBoundingClientRect();
    const day = plusDays(pane.week, Math.min(6, Math.floor(((click.clientX - box.left) / box.width) * 7)));
    pane.actions.create(pane.side, day, plusDays(day, 1), true);
  });
  pane.root.addEventListener("keydown", (key) => keyboard(pane, key));
}

const press = { touch: false };

function open(pane, card) {
  const event = pane.eventOf(card);
  if (event) pane.actions.open(pane.side, event);
}

// spot is the day and minute under a pointer.
function spot(pane, x, y) {
  const box = pane.hours.getBoundingClientRect();
  const day = Math.min(6, Math.max(0, Math.floor(((x - box.left) / box.width) * 7)));
  const hours = lastHour - firstHour;
  const minutes = Math.min(hours * 60, Math.max(0, ((y - box.top) / box.height) * hours * 60));
  return { day, minutes: firstHour * 60 + minutes };
}

const snapped = (minutes) => Math.round(minutes / step) * step;

function moment(pane, day, minutes) {
  const date = plusDays(pane.week, day);
  date.setMinutes(minutes);
  return date;
}

function start(pane, down) {
  press.touch = down.pointerType === "touch";
  if (down.button !== 0) return;
  const card = down.target.closest(".event");
  if (press.touch) {
    if (!card) tap(pane, down);
    return;
  }
  down.preventDefault();
  card?.focus();
  const event = card && pane.eventOf(card);
  if (card && !event) return;
  const kind = !card ? "create" : down.target.closest(".handle") ? "resize" : "move";
  const origin = spot(pane, down.clientX, down.clientY);
  let moved = false;
  let result = null;
  let ghost = null;

  const track = (at) => {
    if (!moved && Math.hypot(at.clientX - down.clientX, at.clientY - down.clientY) < slack) return;
    moved = true;
    const here = spot(pane, at.clientX, at.clientY);
    result = target(pane, kind, event, origin, here);
    ghost ??= element("div", { class: "ghost", "aria-hidden": "true" }, element("span"));
    const day = Math.min(6, Math.max(0, Math.round((new Date(result.start.getFullYear(), result.start.getMonth(), result.start.getDate()) - pane.week) / (1440 * minute))));
    const hours = (lastHour - firstHour) * 60;
    const from = result.start.getHours() * 60 + result.start.getMinutes() - firstHour * 60;
    ghost.style.setProperty("--top", from / hours);
    ghost.style.setProperty("--height", Math.max(step, (result.end - result.start) / minute) / hours);
    ghost.firstChild.textContent = `${timeText(result.start)} – ${timeText(result.end)}`;
    pane.days[day].append(ghost);
    card?.classList.add("lifted");
    document.body.classList.add(kind === "move" ? "moving" : "sizing");
  };
  const finish = (save) => {
    window.removeEventListener("pointermove", track);
    window.removeEventListener("pointerup", release);
    window.removeEventListener("pointercancel", cancel);
    window.removeEventListener("keydown", escape, true);
    document.body.classList.remove("moving", "sizing");
    card?.classList.remove("lifted");
    ghost?.remove();
    if (!save) return;
    if (kind === "create") {
      const from = Math.floor(origin.minutes / 30) * 30;
      const chosen = moved ? result : { start: moment(pane, origin.day, from), end: moment(pane, origin.day, from + 60) };
      pane.actions.create(pane.side, chosen.start, chosen.end, false);
    } else if (!moved) {
      open(pane, card);
    } else if (result && (result.start - event.start !== 0 || result.end - event.end !== 0)) {
      pane.actions.move(pane.side, event, result.start, result.end);
    }
  };
  const release = () => finish(true);
  const cancel = () => finish(false);
  const escape = (key) => {
    if (key.key !== "Escape") return;
    key.preventDefault();
    finish(false);
  };
  window.addEventListener("pointermove", track);
  window.addEventListener("pointerup", release);
  window.addEventListener("pointercancel", cancel);
  window.addEventListener("keydown", escape, true);
}

// tap creates with a finger when it comes up where it went down.
function tap(pane, down) {
  const up = (event) => {
    window.removeEventListener("pointerup", up);
    window.removeEventListener("pointercancel", stop);
    if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 10) return;
    const at = spot(pane, down.clientX, down.clientY);
    const from = Math.floor(at.minutes / 30) * 30;
    pane.actions.create(pane.side, moment(pane, at.day, from), moment(pane, at.day, from + 60), false);
  };
  const stop = () => {
    window.removeEventListener("pointerup", up);
    window.removeEventListener("pointercancel", stop);
  };
  window.addEventListener("pointerup", up);
  window.addEventListener("pointercancel", stop);
}

function target(pane, kind, event, origin, here) {
  if (kind === "create") {
    const from = snapped(Math.min(origin.minutes, here.minutes));
    const to = Math.max(snapped(Math.max(origin.minutes, here.minutes)), from + 2 * step);
    return { start: moment(pane, origin.day, from), end: moment(pane, origin.day, to) };
  }
  const shift = snapped(here.minutes - origin.minutes);
  if (kind === "resize") {
    const end = new Date(Math.max(event.end.getTime() + shift * minute, event.start.getTime() + step * minute));
    return { start: event.start, end };
  }
  const move = (date) => {
    const moved = plusDays(date, here.day - origin.day);
    moved.setMinutes(moved.getMinutes() + shift);
    return moved;
  };
  return { start: move(event.start), end: move(event.end) };
}

function keyboard(pane, key) {
  const card = key.target.closest(".event");
  const event = card && pane.eventOf(card);
  if (!event) return;
  if (key.key === "Enter" || key.key === " ") {
    key.preventDefault();
    pane.actions.open(pane.side, event);
    return;
  }
  if (!key.altKey || !key.key.startsWith("Arrow")) return;
  key.preventDefault();
  const days = { ArrowLeft: -1, ArrowRight: 1 }[key.key] ?? 0;
  const minutes = { ArrowUp: -30, ArrowDown: 30 }[key.key] ?? 0;
  if (event.all_day) {
    const shift = days * 1440 * minute;
    if (days) pane.actions.move(pane.side, event, new Date(event.start.getTime() + shift), new Date(event.end.getTime() + shift));
    return;
  }
  const shifted = (date) => new Date(plusDays(date, days).getTime() + minutes * minute);
  const start = key.shiftKey ? event.start : shifted(event.start);
  const end = shifted(event.end);
  if (end > start) pane.actions.move(pane.side, event, start, end);
}
