// The lists under the calendars: what happened, and the mails of both sides.

import { duration, element, find } from "./dom.js";

const names = { outlook: "Outlook", nightpos: "NightPOS" };
const verbs = { created: "created", edited: "edited", answered: "answered", deleted: "deleted", archived: "archived", restored: "brought back" };
const shown = 30;
const patience = 10_000;
let rows = new Map(); // number to activity

export function setActivities(list) {
  rows = new Map(list.map((activity) => [activity.number, activity]));
  render();
}

export function addActivity(activity) {
  rows.set(activity.number, activity);
  render();
}

function render() {
  const list = find("#activity");
  const latest = [...rows.values()].sort((a, b) => b.number - a.number);
  for (const old of latest.slice(200)) rows.delete(old.number);
  if (latest.length === 0) {
    list.replaceChildren(element("li", { class: "empty" }, "Nothing yet. Create an event in one of the calendars."));
    return;
  }
  list.replaceChildren(...latest.slice(0, shown).map(line));
}

function line(activity) {
  const other = activity.from === "outlook" ? "nightpos" : "outlook";
  const age = Date.now() - new Date(activity.time);
  const waiting = !activity.arrived && age < patience;
  if (waiting) setTimeout(render, patience - age + 50);
  const outcome = activity.arrived
    ? element("span", { class: "lag" }, duration(activity.lag_ms))
    : element("span", { class: waiting ? "lag waiting" : "lag none" }, waiting ? "on its way" : "no change there");
  const details = [];
  if (activity.of) details.push(activity.occurrences === activity.of ? `series, all ${activity.of}` : `series, ${activity.occurrences} of ${activity.of}`);
  if (activity.fields.length) details.push(activity.fields.join(", "));
  if (activity.arrived) details.push(activity.mails === 1 ? "1 mail by the gateway" : `${activity.mails} mails by the gateway`);
  return element("li", { class: activity.from },
    element("div", { class: "what" },
      element("b", {}, activity.person), ` ${verbs[activity.action] ?? activity.action} `, element("q", {}, activity.title || "(no title)"),
      details.length ? element("small", {}, details.join(" · ")) : null),
    element("div", { class: "route" },
      element("span", { class: `chip ${activity.from}` }, names[activity.from]), element("span", { "aria-label": "to" }, "→"),
      element("span", { class: `chip ${other}` }, names[other]), outcome));
}

export function setMails(mails) {
  for (const side of ["outlook", "nightpos"]) {
    const { total, by_gateway: byGateway, latest } = mails[side];
    const people = total - byGateway;
    find(`#${side}-total`).replaceChildren(
      element("b", {}, String(people)), " by people's own edits, ",
      element("b", { class: side === "nightpos" && byGateway ? "wrong" : "" }, String(byGateway)), " by the gateway");
    const list = find(`#${side}-mails`);
    if (latest.length === 0) {
      list.replaceChildren(element("li", { class: "empty" }, "None."));
      continue;
    }
    list.replaceChildren(...latest.slice(0, shown).map((mail) => element("li", { class: mail.by_gateway ? "gateway" : "" },
      element("div", { class: "what" }, element("q", {}, mail.subject || "(no subject)"),
        element("small", {}, `${mail.kind} to ${mail.to}`)),
      element("span", { class: "who" }, mail.by_gateway ? "gateway" : mail.actor))));
  }
}

export function setHealth({ gateway, health }) {
  const dots = gateway ? health : [{ name: "No gateway", state: "warning", detail: "Nothing runs between the two sides." }];
  const words = { ok: "well", warning: "needs a look", failed: "failed" };
  find("#health").replaceChildren(...dots.map(({ name, state, detail }) =>
    element("span", { class: `state ${state}`, title: detail || words[state] }, element("i", { "aria-hidden": "true" }), name,
      element("span", { class: "unseen" }, ` ${words[state]}${detail ? `: ${detail}` : ""}`))));
}
