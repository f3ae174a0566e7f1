// Weeks start on Monday, in the browser's own time zone. All-day events are
// dates: they come as midnights in UTC and are shown on those dates everywhere.

export const minute = 60_000;
export const firstHour = 7;
export const lastHour = 20;

export function monday(of) {
  const day = new Date(of.getFullYear(), of.getMonth(), of.getDate());
  day.setDate(day.getDate() - ((day.getDay() + 6) % 7));
  return day;
}

export function plusDays(date, days) {
  return new Date(date.getFullYear(), date.getMonth(), date.getDate() + days, date.getHours(), date.getMinutes(), date.getSeconds());
}

const two = (number) => String(number).padStart(2, "0");

export const dateText = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
export const timeText = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;
export const utcDateText = (date) => date.toISOString().slice(0, 10);

// localDay is the local day of the same date as a midnight in UTC.
export function localDay(utcMidnight) {
  return new Date(utcMidnight.getUTCFullYear(), utcMidnight.getUTCMonth(), utcMidnight.getUTCDate());
}

export const sameDay = (a, b) => dateText(a) === dateText(b);

export function dayIndex(week, date) {
  const day = new Date(date.getFullYear(), date.getMonth(), date.getDate());
  return Math.round((day - week) / (24 * 60 * minute));
}

export function minutesOfDay(date) {
  return date.getHours() * 60 + date.getMinutes();
}

export function weekTitle(week) {
  const last = plusDays(week, 6);
  const month = (date) => date.toLocaleDateString("en-GB", { month: "long" });
  const start = week.getMonth() === last.getMonth() ? `${week.getDate()}` : `${week.getDate()} ${month(week)}`;
  return `${start} – ${last.getDate()} ${month(last)} ${last.getFullYear()}`;
}

// when turns what the server sends into dates.
export function read(event) {
  return { ...event, start: new Date(event.start), end: new Date(event.end) };
}

export function span(event) {
  if (event.all_day) return "all day";
  return `${timeText(event.start)} – ${timeText(event.end)}`;
}
