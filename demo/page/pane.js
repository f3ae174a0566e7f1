// One week of one side: the grid, and the cards of its events, which stay the
// same elements while an event lives so that changes can be seen moving.

import { element, duration } from "./dom.js";
import { allDay, timed } from "./layout.js";
import { firstHour, lastHour, minutesOfDay, plusDays, sameDay, span, timeText } from "./time.js";
import { grabbing } from "./drag.js";

const titles = { outlook: "Outlook", nightpos: "NightPOS" };
const answers = { accepted: "accepted", tentative: "maybe", declined: "declined", none: "no reply" };
const badgeLife = 8000;

export class Pane {
  // actions: create(side, start, end, allDay), open(side, event), move(side, event, start, end)
  constructor(root, actions) {
    this.root = root;
    this.side = root.dataset.side;
    this.actions = actions;
    this.events = [];
    this.cards = new Map(); // key of a piece to its element
    this.badges = new Map(); // event id or meeting to {lag, until}
    this.first = true;
    this.build();
  }

  build() {
    const add = element("button", { type: "button", class: "add" }, "+ New event");
    add.addEventListener("click", () => {
      const now = new Date();
      const inWeek = now >= this.week && now < plusDays(this.week, 7);
      const start = plusDays(this.week, inWeek ? (now.getDay() + 6) % 7 : 0);
      start.setHours(Math.min(Math.max(inWeek ? now.getHours() + 1 : 9, firstHour), lastHour - 1));
      this.actions.create(this.side, start, new Date(start.getTime() + 60 * 60_000), false);
    });
    this.heads = element("div", { class: "heads" });
    this.whole = element("div", { class: "whole" });
    this.hours = element("div", { class: "hours" });
    const gutter = element("div", { class: "gutter", "aria-hidden": "true" });
    for (let hour = firstHour; hour < lastHour; hour++) {
      const label = element("span", {}, `${hour}:00`);
      label.style.setProperty("--at", hour - firstHour);
      gutter.append(label);
    }
    this.days = [];
    for (let day = 0; day < 7; day++) {
      const column = element("div", { class: "day", data: { day: String(day) } });
      this.days.push(column);
      this.hours.append(column);
    }
    this.now = element("div", { class: "now", "aria-hidden": "true" });
    this.scroll = element("div", { class: "scroll" },
      element("div", { class: "week" },
        element("div", { class: "corner" }), this.heads,
        element("div", { class: "corner small" }, "all day"), this.whole,
        gutter, this.hours));
    this.root.append(
      element("header", {}, element("i", { class: "mark", "aria-hidden": "true" }), element("h2", {}, titles[this.side]), this.count = element("span", { class: "count" }), add),
      this.scroll);
    grabbing(this);
  }

  setWeek(week) {
    this.week = week;
    this.first = true;
    const today = new Date();
    this.heads.replaceChildren();
    for (let day = 0; day < 7; day++) {
      const date = plusDays(week, day);
      const head = element("button", { type: "button", class: "head", "aria-label": `New event on ${date.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long" })} in ${titles[this.side]}` },
        element("span", {}, date.toLocaleDateString("en-GB", { weekday: "short" })),
        element("b", {}, String(date.getDate())));
      head.classList.toggle("today", sameDay(date, today));
      this.days[day].classList.toggle("today", sameDay(date, today));
      this.days[day].classList.toggle("weekend", day > 4);
      head.addEventListener("click", () => {
        const start = new Date(date);
        start.setHours(9);
        this.actions.create(this.side, start, new Date(start.getTime() + 60 * 60_000), false);
      });
      this.heads.append(head);
    }
    this.mark();
    const column = this.days.findIndex((day) => day.classList.contains("today"));
    // On a narrow screen the week scrolls sideways; it opens at today.
    requestAnimationFrame(() => { this.scroll.scrollLeft = column > 0 ? this.days[column].offsetLeft : 0; });
  }

  // mark draws the line of the present moment.
  mark() {
    const today = new Date();
    const column = this.days.find((day) => day.classList.contains("today"));
    const part = (minutesOfDay(today) / 60 - firstHour) / (lastHour - firstHour);
    if (!column || part < 0 || part > 1) {
      this.now.remove();
      return;
    }
    this.now.style.setProperty("--top", part);
    column.append(this.now);
  }

  // badge shows on an event for a while how long it took to arrive.
  badge(keys, lag) {
    const until = Date.now() + badgeLife;
    for (const key of keys.filter(Boolean)) this.badges.set(key, { lag, until });
    setTimeout(() => {
      for (const [key, badge] of this.badges) if (badge.until <= Date.now()) this.badges.delete(key);
      this.render();
    }, badgeLife + 50);
    this.render();
  }

  show(events) {
    this.events = events;
    this.render();
    this.first = false;
  }

  render() {
    // A card is known by its event and by which of its days it stands for, so
    // that it stays the same card, and keeps the focus, wherever it moves.
    const seen = new Set();
    const place = (key, event, parent, style) => {
      seen.add(key);
      let card = this.cards.get(key);
      if (!card) {
        card = element("div", { class: "event", tabindex: "0", role: "button", data: { key } });
        if (!this.first) card.classList.add("arriving");
        card.addEventListener("animationend", (ended) => {
          if (ended.animationName === "arrive") card.classList.remove("arriving");
          if (ended.animationName === "pop") ended.target.classList.remove("new");
          if (ended.animationName === "glow") card.classList.remove("touched");
        });
        this.cards.set(key, card);
      }
      if (card.parentElement !== parent) {
        const focused = card === document.activeElement;
        parent.append(card);
        if (focused) card.focus();
      }
      for (const [name, value] of Object.entries(style)) card.style.setProperty(name, value);
      this.fill(card, event);
      return card;
    };
    for (const box of timed(this.events, this.week)) {
      const card = place(`${box.event.id}/${box.part}`, box.event, this.days[box.day],
        { "--top": box.top, "--height": box.height, "--left": box.left, "--width": box.width });
      const hours = box.height * (lastHour - firstHour);
      card.classList.toggle("short", hours < 0.8);
      card.classList.toggle("brief", hours < 1.3);
      card.classList.toggle("cut-top", box.early);
      card.classList.toggle("cut-bottom", box.late);
    }
    let rows = 1;
    for (const box of allDay(this.events, this.week)) {
      const card = place(`${box.event.id}/0`, box.event, this.whole, { "--from": box.from, "--days": box.to - box.from, "--row": box.row });
      card.classList.remove("brief", "cut-top", "cut-bottom");
      card.classList.add("short");
      rows = Math.max(rows, box.row + 1);
    }
    this.whole.style.setProperty("--rows", rows);
    for (const [key, card] of this.cards) {
      if (seen.has(key)) continue;
      this.cards.delete(key);
      card.classList.add("leaving");
      card.removeAttribute("tabindex");
      setTimeout(() => card.remove(), 350);
    }
    const count = this.events.length;
    this.count.textContent = count === 1 ? "1 event" : `${count} events`;
  }

  fill(card, event) {
    const badge = this.badges.get(event.id) ?? this.badges.get(event.meeting);
    const live = badge && badge.until > Date.now();
    const people = event.people.map((person) => `${person.name || person.address}: ${answers[person.answer] ?? person.answer}`);
    const repeats = !event.series ? "" : event.exception ? "differs from its series" : "repeats";
    const state = JSON.stringify([event, live ? badge.lag : null]);
    if (card.dataset.state === state) return;
    const arrived = live && card.badge !== badge; // shown for the first time
    card.badge = badge;
    card.dataset.state = state;
    card.dataset.title = event.title;
    card.dataset.id = event.id;
    card.classList.toggle("free", event.show_as === "free");
    card.classList.toggle("declined", event.answer === "declined" || event.cancelled);
    card.classList.toggle("exception", event.exception);
    card.classList.toggle("invited", !event.mine && event.answer === "none");
    card.setAttribute("aria-label", [event.title, span(event), event.place, event.private ? "private" : "", repeats, ...people].filter(Boolean).join(", "));
    card.title = [event.title, span(event), event.place, repeats, ...people].filter(Boolean).join("\n");
    card.replaceChildren(...[
      element("strong", {},
        event.series ? element("i", { class: event.exception ? "repeating changed" : "repeating", "aria-hidden": "true" }) : null,
        event.title || "(no title)"),
      element("span", { class: "line" },
        event.private ? element("i", { class: "lock", "aria-hidden": "true" }) : null,
        event.all_day ? null : element("span", { class: "time" }, timeText(event.start), element("span", { class: "until" }, ` – ${timeText(event.end)}`)),
        event.people.length ? element("span", { class: "people", "aria-hidden": "true" }, ...event.people.slice(0, 3).map((person) =>
          element("i", { class: `dot ${person.answer}` }, (person.name || person.address).slice(0, 1).toUpperCase()))) : null),
      event.place ? element("span", { class: "place" }, event.place) : null,
      live ? element("span", { class: arrived ? "badge new" : "badge" }, duration(badge.lag)) : null,
      element("span", { class: "handle", "aria-hidden": "true" }),
    ].filter(Boolean));
    if (arrived) {
      card.classList.remove("touched");
      void card.offsetWidth; // so that the glow starts again
      card.classList.add("touched");
    }
  }

  eventOf(card) {
    return this.events.find((event) => event.id === card.dataset.id);
  }
}
