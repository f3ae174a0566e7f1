// Package reconciler keeps one meeting equal on two calendars.
//
// It holds the domain (events, people, links), the pure function that turns
// (what both sides showed when they last agreed, what Outlook shows now, what
// NightPOS shows now) into the smallest set of writes, and the engine that
// carries such a plan out. It knows nothing of HTTP, JSON, Redis, Graph or
// NightPOS field names: it declares the small interfaces it needs (Outlook,
// NightPOS, Store) and other packages implement them.
//
// The ideas everything here rests on:
//
//   - A notification is a hint, never data. Looking means reading the event on
//     both sides and comparing each with that side's own base.
//   - A field changed on a side if and only if it differs from that side's
//     base, a short digest of what that side showed after the last agreement,
//     in that side's own terms. Whatever the other server normalises, nothing
//     ping-pongs.
//   - A changed field is written to the other side only; the answer to the
//     write becomes the other side's new base for the fields written.
//   - Outlook mails attendees on every write to a meeting, so a plan never
//     writes without a visible difference, and writes only what differs.
//   - Notifications get lost, on both sides and for days. A round of changes
//     asks each side every hour what changed, and a full sweep compares both
//     every day; what they find is again a hint, and nothing is deleted that a
//     reading by its id has not missed.
//   - Every write is safe to repeat, so a crash or a duplicate costs time only.
package reconciler
