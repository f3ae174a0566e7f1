// Package outlook is a simulated Outlook: Microsoft sign-in, Microsoft Graph
// v1.0 as far as calendars need it, and mailboxes whose people can act on their
// own, without any application. It runs on any listener, real or in memory, in
// real or in virtual time, and everything in it that is random comes from one
// seed.
//
// What it promises
//
//   - Requests and answers have the shapes of the real service, errors included.
//     Numbers such as "7.14" in the comments name the facts about the real
//     service that the behaviour follows; facts that are open or that sources
//     disagree about are fields of Switches.
//   - Every mail that Outlook would have sent is recorded (Server.Mails), one
//     entry for each recipient, with who caused it. No mail is ever sent.
//   - Every call is counted (Server.Calls, Server.Counts), and faults can be
//     injected into any of them (Config.Faults), and into the calls for tokens
//     (Config.SignInFaults).
//   - Meetings reach the mailboxes of their attendees a moment later, and
//     notifications arrive a moment after the change: asynchronously, possibly
//     doubled and out of order, at least once, as the real ones do.
//   - Series have masters, occurrences that are computed, and exceptions that are
//     stored; what happens to one occurrence is told about its master. A series
//     whose last occurrence was deleted stays as an empty master, and where the
//     first day does not fit the pattern the intervals count from the first that
//     does: both are not established.
//   - A mailbox has the default calendar and any that are made besides it. What
//     names no calendar lists the default one, and addresses events of all. An
//     event that is moved keeps its immutable id and its iCalUId; its default id
//     is another one afterwards, and the former is not found any more. Nobody but
//     those who watch the mailbox hears of it.
//   - Nothing is kept on disk; Close ends every goroutine.
//
// What it does not do
//
//   - No calendars of others and no groups of calendars; no attachments, no open
//     extensions, no application permissions (client_credentials). Requests for
//     these get an error that names what is missing, never a made-up success. A
//     move has no call in Graph v1.0 (11.3): only people can do it.
//   - Endpoints that are slow get late deliveries retried (3.5), but are not put
//     into the slow and drop states of 3.6.
package outlook
