// Where events go in a week: pure functions from events to boxes.

import { dayIndex, firstHour, lastHour, localDay, minutesOfDay, plusDays } from "./time.js";

const first = firstHour * 60;
const last = lastHour * 60;

// segments cuts an event into one piece for each day of the week on show.
function segments(event, week) {
  const pieces = [];
  for (let day = Math.max(0, dayIndex(week, event.start)); day < 7; day++) {
    const start = plusDays(week, day);
    const end = plusDays(week, day + 1);
    if (event.end <= start && !(event.start >= start && event.start < end)) break;
    if (event.start >= end) break;
    const from = event.start < start ? 0 : minutesOfDay(event.start);
    const to = event.end >= end ? 24 * 60 : minutesOfDay(event.end);
    pieces.push({ event, day, from, to: Math.max(to, from), part: pieces.length });
  }
  return pieces;
}

// columns gives overlapping pieces of one day a column each, as few as needed.
function columns(pieces) {
  pieces.sort((a, b) => a.from - b.from || b.to - a.to || a.event.id.localeCompare(b.event.id));
  let group = [];
  let ends = [];
  let reach = -1;
  const close = () => {
    for (const piece of group) piece.of = ends.length;
    group = [];
    ends = [];
  };
  for (const piece of pieces) {
    const to = Math.max(piece.to, piece.from + 25); // what its card takes up at least
    if (piece.from >= reach) close();
    let column = ends.findIndex((end) => end <= piece.from);
    if (column < 0) column = ends.length;
    ends[column] = to;
    piece.column = column;
    group.push(piece);
    reach = Math.max(reach, to);
  }
  close();
}

// timed lays out events with hours: top and height in parts of the hours shown.
export function timed(events, week) {
  const pieces = events.filter((event) => !event.all_day).flatMap((event) => segments(event, week));
  for (let day = 0; day < 7; day++) columns(pieces.filter((piece) => piece.day === day));
  return pieces.map((piece) => {
    const from = Math.min(Math.max(piece.from, first), last - 30);
    const to = Math.max(Math.min(piece.to, last), from + 25);
    return {
      ...piece,
      top: (from - first) / (last - first),
      height: (to - from) / (last - first),
      left: piece.column / piece.of,
      width: 1 / piece.of,
      early: piece.from < first,
      late: piece.to > last,
    };
  });
}

// allDay lays out events of whole days: rows from the top, days from the left.
export function allDay(events, week) {
  const rows = [];
  return events
    .filter((event) => event.all_day)
    .map((event) => {
      const from = dayIndex(week, localDay(event.start));
      const to = dayIndex(week, localDay(event.end));
      return { event, from: Math.max(0, from), to: Math.min(7, to) };
    })
    .filter((piece) => piece.from < 7 && piece.to > 0 && piece.from < piece.to)
    .sort((a, b) => a.from - b.from || b.to - a.to)
    .map((piece) => {
      let row = rows.findIndex((end) => end <= piece.from);
      if (row < 0) row = rows.length;
      rows[row] = piece.to;
      return { ...piece, row };
    });
}
