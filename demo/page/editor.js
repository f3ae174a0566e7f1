// The dialog in which an event is made, changed, answered or removed. Only what
// was changed is sent, as a person's own client would.

import * as api from "./api.js";
import { attempt, element, find, toast } from "./dom.js";
import { dateText, plusDays, timeText, utcDateText } from "./time.js";

const names = { outlook: "Outlook", nightpos: "NightPOS" };
const replies = { accepted: "Accepted", tentative: "Maybe", declined: "Declined", none: "No reply yet" };
// What Outlook knows besides free and busy.
const outlookWords = { tentative: "Tentative", oof: "Out of office", workingElsewhere: "Working elsewhere", unknown: "Unknown" };
const dialog = find("#editor");
const field = (id) => find(`#${id}`);
let current = null; // {side, event, before, done}

export function openEditor(side, event, done) {
  const fresh = !event.id;
  const mine = fresh || event.mine;
  const repeating = Boolean(event.series);
  current = { side, event, done };
  field("editor-title").textContent = `${fresh ? "New event in" : mine ? (repeating ? "Series in" : "Event in") : "Invitation in"} ${names[side]}`;
  field("title").value = event.title ?? "";
  field("all-day").checked = event.all_day;
  if (event.all_day) {
    field("start-date").value = utcDateText(event.start);
    field("end-date").value = utcDateText(new Date(event.end.getTime() - 1));
    field("start-time").value = "09:00";
    field("end-time").value = "10:00";
  } else {
    field("start-date").value = dateText(event.start);
    field("end-date").value = dateText(event.end);
    field("start-time").value = timeText(event.start);
    field("end-time").value = timeText(event.end);
  }
  field("scope").hidden = !repeating;
  find("[name=scope]", dialog).checked = true;
  // Outlook takes an answer to one occurrence or to all of them.
  find("[name=scope][value=following]", dialog).disabled = !mine && side === "outlook";
  field("repeats-field").hidden = !fresh;
  field("repeats").value = "";
  field("times").value = "8";
  times();
  field("place").value = event.place ?? "";
  field("guests").value = (event.people ?? []).map((person) => person.address).join(", ");
  field("description").value = event.description ?? "";
  choose(field("show-as"), event.show_as ?? "busy", (value) => outlookWords[value] ?? value);
  choose(field("reminder"), String(event.reminder ?? 15), (value) => `${value} minutes before`);
  field("private").checked = event.private ?? false;
  field("problem").textContent = "";
  field("replies").replaceChildren(...(event.people ?? []).map((person) =>
    element("li", {}, element("i", { class: `dot ${person.answer}`, "aria-hidden": "true" }, (person.name || person.address).slice(0, 1).toUpperCase()),
      `${person.name || person.address} – ${replies[person.answer] ?? person.answer}`)));
  field("invitation").hidden = mine;
  if (!mine) {
    field("invitation-text").textContent = `${event.organizer.name || event.organizer.address} invited you. Your answer: ${(replies[event.answer] ?? event.answer).toLowerCase()}.`;
    for (const button of dialog.querySelectorAll("[data-answer]")) {
      button.setAttribute("aria-pressed", String(button.dataset.answer === event.answer));
    }
  }
  field("delete").hidden = fresh;
  field("archive").hidden = fresh || side !== "nightpos" || repeating;
  field("save").textContent = fresh ? "Create" : "Save";
  hours();
  current.before = read();
  dialog.dataset.side = side;
  dialog.showModal();
  (mine ? field("title") : find("[data-answer]", dialog)).focus();
}

// choose selects a value, also one that the list does not hold by itself.
function choose(select, value, label = (text) => text) {
  select.querySelector("[data-extra]")?.remove();
  if (![...select.options].some((option) => option.value === value)) {
    select.append(element("option", { value, data: { extra: "true" } }, label(value)));
  }
  select.value = value;
}

function hours() {
  for (const id of ["start-time", "end-time"]) field(id).hidden = field("all-day").checked;
}

function times() {
  field("times-field").hidden = field("repeats-field").hidden || !field("repeats").value;
}

const scope = () => find("[name=scope]:checked", dialog).value;

// read is the form as an edit; null where the times make no sense.
function read() {
  const allDay = field("all-day").checked;
  const date = (id) => field(`${id}-date`).value;
  let start;
  let end;
  if (allDay) {
    start = new Date(`${date("start")}T00:00:00Z`);
    end = new Date(new Date(`${date("end")}T00:00:00Z`).getTime() + 86_400_000);
  } else {
    start = new Date(`${date("start")}T${field("start-time").value}`);
    end = new Date(`${date("end")}T${field("end-time").value}`);
  }
  if (Number.isNaN(start.getTime()) || Number.isNaN(end.getTime())) return null;
  return {
    title: field("title").value.trim(),
    when: { start: start.toISOString(), end: end.toISOString(), all_day: allDay },
    place: field("place").value.trim(),
    description: field("description").value.trim(),
    people: field("guests").value.split(/[\s,;]+/).filter(Boolean),
    show_as: field("show-as").value,
    private: field("private").checked,
    reminder: Number(field("reminder").value),
  };
}

function changes(before, after) {
  return Object.fromEntries(Object.entries(after).filter(([name, value]) => JSON.stringify(value) !== JSON.stringify(before?.[name])));
}

async function save() {
  const edit = read();
  if (!edit) return problem("The date or the time is missing.");
  if (!edit.title) return problem("An event needs a title.");
  if (edit.when.end <= edit.when.start) return problem("The end must be after the start.");
  const { side, event, before } = current;
  const changed = changes(before, edit);
  if (!event.id) changed.when = edit.when;
  if (!event.id && field("repeats").value) {
    const count = Number(field("times").value);
    if (!Number.isInteger(count) || count < 2 || count > 104) return problem("A series has 2 to 104 occurrences here.");
    changed.repeat = { times: count };
  }
  await perform(() => (event.id
    ? Object.keys(changed).length ? api.update(side, event.id, scope(), changed) : Promise.resolve()
    : api.create(side, { title: edit.title, ...changed })));
}

async function perform(work) {
  field("problem").textContent = "";
  dialog.classList.add("busy");
  try {
    await work();
    dialog.close();
    current.done();
  } catch (error) {
    problem(error.message);
  } finally {
    dialog.classList.remove("busy");
  }
}

function problem(text) {
  field("problem").textContent = text;
}

find("form", dialog).addEventListener("submit", (submit) => {
  submit.preventDefault();
  save();
});
for (const id of ["close", "cancel"]) field(id).addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (click) => {
  if (click.target === dialog) dialog.close(); // outside of it
});
field("all-day").addEventListener("change", hours);
field("repeats").addEventListener("change", times);
field("start-date").addEventListener("change", () => {
  if (field("end-date").value < field("start-date").value) field("end-date").value = field("start-date").value;
});
field("delete").addEventListener("click", () => perform(() => api.remove(current.side, current.event.id, scope())));
field("archive").addEventListener("click", () => {
  const { event, done } = current;
  perform(async () => {
    await api.archive(event.id, true);
    const undo = element("button", { type: "button" }, "Bring it back");
    const shown = toast(`“${event.title}” was archived. `, "undo");
    undo.addEventListener("click", () => {
      shown.remove();
      attempt(async () => {
        await api.archive(event.id, false);
        done();
      });
    });
    shown.append(undo);
  });
});
for (const button of dialog.querySelectorAll("[data-answer]")) {
  button.addEventListener("click", () => perform(() => api.answer(current.side, current.event.id, scope(), button.dataset.answer)));
}

const which = find("#which");

// chooseScope asks which occurrences of a series are to be moved; null when none.
export function chooseScope(side, event) {
  if (!event.series) return Promise.resolve("one");
  find("#which-text").textContent = `“${event.title || "(no title)"}” repeats.`;
  which.dataset.side = side;
  which.returnValue = "";
  which.showModal();
  find("[data-scope=one]", which).focus();
  return new Promise((resolve) => which.addEventListener("close", () => resolve(which.returnValue || null), { once: true }));
}

for (const button of which.querySelectorAll("[data-scope]")) {
  button.addEventListener("click", () => which.close(button.dataset.scope));
}
which.addEventListener("click", (click) => {
  if (click.target === which) which.close("");
});

// blank is a new event between two moments.
export function blank(start, end, allDay) {
  if (allDay) {
    const utc = (day) => new Date(`${dateText(day)}T00:00:00Z`);
    return { title: "", start: utc(start), end: utc(end > start ? end : plusDays(start, 1)), all_day: true, people: [], reminder: 15 };
  }
  return { title: "", start, end, all_day: false, people: [], reminder: 15 };
}
