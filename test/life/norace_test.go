//go:build !race

package life_test

// everyNthReset is which of the resets are tried: all.
const everyNthReset = 1
