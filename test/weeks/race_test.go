//go:build race

package weeks_test

// usualWeeks is how many weeks are simulated where nothing else is asked for.
// The race detector makes each five times as long; it sees in a few what it can
// see in many.
const usualWeeks = 2
