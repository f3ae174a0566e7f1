//go:build race

package life_test

// everyNthReset is which of the resets are tried. The race detector makes each ten
// times as long; it sees in a few what it can see in all.
const everyNthReset = 3
