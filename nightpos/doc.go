// Package nightpos is the gateway's side of NightPOS: its client, the mapping
// between calendar.event and the domain, the door that the gateway installs
// there, and the webhooks that announce changes.
//
// NightPOS is Odoo under another name. What it does was measured on versions
// 17, 18 and 19; what is measured there is not taken from memory here.
//
// What this package promises:
//
//   - One call reads any number of events with their attendees, and one call
//     carries out any number of writes and reads everything back. A call costs
//     NightPOS 20-25 ms whatever it carries, so batching decides the speed.
//   - A series is read, or written, in one call and one transaction as well,
//     whatever its length. NightPOS never works out occurrences for the gateway:
//     each is given, and a rule is written beside them.
//   - Events are read and written through the door (see Door), never through
//     the plain API, where a private event of somebody else shows as "Busy"
//     with nobody in it.
//   - Nothing here makes NightPOS send mail.
//   - Every write may be repeated: creates carry a key, updates a guard, and the
//     commands for people, alarms and tags name entries instead of replacing
//     lists. Calls are retried by themselves only where that holds.
//   - Errors, logs and metrics carry no event content and no credentials.
//     NightPOS quotes titles in its messages, so messages are not repeated.
package nightpos
