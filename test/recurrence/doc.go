// Package recurrence holds the rules of series against an independent
// expansion: python-dateutil, asked once for all of 10,000 random rules in zones
// around the world. What Graph and NightPOS are told of a rule must mean the same
// occurrences there, and read back as the same rule; or be refused with a reason.
// `go test -v ./test/recurrence` prints the share refused for each pattern.
package recurrence
