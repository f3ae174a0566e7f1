// Package databases holds that gateways of different NightPOS databases which
// share one store show nothing of each other, though users, events, contacts and
// mailboxes have the same ids and people the same names in both.
package databases
