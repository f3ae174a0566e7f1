// Package weeks runs the whole gateway between both simulated calendars for
// simulated weeks: in virtual time, on an in-memory network, with seeded random
// edits by people on both sides and faults on every edge. After each episode of
// edits it waits until everything is quiet and holds the system against its
// invariants:
//
//   - both sides show the same, in the test's own reading of both;
//   - no event is lost, doubled, or back after its deletion;
//   - a second full sweep writes nothing;
//   - in fair weather sweeps find nothing that was not told, in silence all of it;
//   - in fair weather one edit by a person is one write on the other side, none
//     back, and at most one mail to each attendee;
//   - NightPOS never mails for the gateway;
//   - every mailbox has exactly one live subscription;
//   - no log line holds a token, a secret or the text of an event.
//
// A week repeats from its seed as far as the order in which goroutines run at
// one instant allows.
package weeks
