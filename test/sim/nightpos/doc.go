// Package nightpos is a simulated NightPOS: a database with the people of the
// recordings, its external API (JSON-RPC, and JSON-2 in 19), its web sessions and
// API keys, its calendar, and its automation rules with webhooks. It is version 17,
// 18 or 19.
//
// It behaves as the real servers were recorded to behave, traps included:
// webhooks leave inside the transaction, before the change can be read, one per
// record and firing, with one second's patience and no second try; a transaction
// that is rolled back has sent its webhooks all the same, and one that is
// repeated sends them again; private events read as "Busy"; write_date is the
// start of the transaction and is read in whole seconds; a method that returns
// nothing is answered with neither result nor error.
//
// In 19 webhooks leave after the commit instead, still while the user waits: none
// for what is rolled back, but for an import that fails within a call that commits,
// and in no order across transactions; new events get their people written into
// the description; domains know whole seconds only.
//
// A rule makes a recurrence and an event for each occurrence, 720 at most where
// it does not end on a date. Editing all of them, or one and the later ones, does
// what NightPOS does: it archives events and makes others under new ids in a new
// recurrence. The order in which occurrences get their ids is drawn anew for each
// series, as it is a Python set's.
//
// Its test replays the recordings of each version (testdata) and compares every answer and every webhook; what it ignores stands in a table
// with the reasons.
//
// A server action of state "code" is run as what it is, in Starlark, which is all
// but Python: see interpreter.go for what its code can reach. One that is given a
// list of operations in the context key gw_ops is the exception, for speed and
// since the recordings do not tell its code: they are carried out here, whatever
// the code says, unless Config.Interpret is set.
package nightpos
