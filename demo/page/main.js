// Puts the page together: who and which week is on show, what is read again when
// the stream says that something changed.

import * as api from "./api.js";
import { attempt, find, toast } from "./dom.js";
import { blank, chooseScope, openEditor } from "./editor.js";
import { addActivity, setActivities, setHealth, setMails } from "./feed.js";
import { Pane } from "./pane.js";
import { localDay, monday, plusDays, read, weekTitle } from "./time.js";

let week = monday(new Date());

const actions = {
  create: (side, start, end, allDay) => openEditor(side, blank(start, end, allDay), () => refresh(side)),
  open: (side, event) => openEditor(side, event, () => refresh(side)),
  move: (side, event, start, end) => attempt(async () => {
    try {
      const scope = await chooseScope(side, event);
      if (scope) await api.update(side, event.id, scope, { when: { start: start.toISOString(), end: end.toISOString(), all_day: event.all_day } });
    } finally {
      refresh(side);
    }
  }),
};

const panes = Object.fromEntries([...document.querySelectorAll(".pane")].map((root) => [root.dataset.side, new Pane(root, actions)]));

// soon runs work a moment later, once for many calls, and never twice at a time.
function soon(work, delay) {
  let timer = null;
  let running = false;
  let again = false;
  const run = async () => {
    timer = null;
    if (running) {
      again = true;
      return;
    }
    running = true;
    await attempt(work);
    running = false;
    if (again) {
      again = false;
      call();
    }
  };
  const call = () => { timer ??= setTimeout(run, delay); };
  return call;
}

const readers = Object.fromEntries(Object.entries(panes).map(([side, pane]) => [side, soon(async () => {
  const [shownWeek, shownPerson] = [week, person()];
  // A day more on both sides: all-day events are dates of UTC.
  const events = (await api.events(side, plusDays(shownWeek, -1), plusDays(shownWeek, 8))).map(read);
  if (shownWeek !== week || shownPerson !== person()) return readers[side]();
  pane.show(events.filter((event) => (event.all_day ? localDay(event.end) > week : event.end >= week)));
  pane.root.dataset.ready = "true";
}, 15)]));
const refresh = (side) => readers[side]();
const refreshMails = soon(async () => setMails(await api.mails()), 120);
const refreshHealth = soon(async () => setHealth(await api.state()), 0);

const person = () => find("input[name=person]:checked").value;

function showWeek(next) {
  week = next;
  find("#week").textContent = weekTitle(week);
  for (const [side, pane] of Object.entries(panes)) {
    pane.setWeek(week);
    refresh(side);
  }
}

find("#previous").addEventListener("click", () => showWeek(plusDays(week, -7)));
find("#next").addEventListener("click", () => showWeek(plusDays(week, 7)));
find("#today").addEventListener("click", () => showWeek(monday(new Date())));
find("#people").addEventListener("change", () => {
  api.actAs(person());
  showWeek(week);
});
for (const tab of document.querySelectorAll("[data-tab]")) {
  tab.addEventListener("click", () => {
    find("#calendars").dataset.show = tab.dataset.tab;
    for (const other of document.querySelectorAll("[data-tab]")) other.setAttribute("aria-pressed", String(other === tab));
  });
}
for (const button of document.querySelectorAll("[data-preset]")) {
  button.addEventListener("click", () => attempt(async () => {
    button.disabled = true;
    try {
      toast((await api.preset(button.dataset.preset, week)).note);
    } finally {
      button.disabled = false;
    }
  }));
}

// Whatever was missed while the stream was down is read when it is up again.
function follow() {
  const stream = new EventSource("/api/stream");
  stream.addEventListener("ready", () => {
    document.body.dataset.live = "true";
    for (const side of Object.keys(panes)) refresh(side);
    attempt(async () => setActivities(await api.activity()));
    refreshMails();
    refreshHealth();
  });
  stream.addEventListener("changed", (message) => {
    refresh(JSON.parse(message.data).side);
    refreshMails();
  });
  stream.addEventListener("activity", (message) => {
    const activity = JSON.parse(message.data);
    addActivity(activity);
    refreshMails();
    if (!activity.arrived) return;
    const other = activity.from === "outlook" ? "nightpos" : "outlook";
    panes[other].badge([activity.target_id, activity.meeting], activity.lag_ms);
  });
  stream.addEventListener("error", () => { delete document.body.dataset.live; });
}

api.actAs(person());
showWeek(week);
follow();
setInterval(refreshHealth, 5000);
setInterval(() => Object.values(panes).forEach((pane) => pane.mark()), 60_000);
