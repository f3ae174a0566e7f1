// Package signin goes the way that people go to connect their mailbox, through
// the whole gateway between both simulated servers: in virtual time with an
// in-memory browser, and once with a real one.
package signin
