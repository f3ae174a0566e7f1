//go:build !race

package meetings_test

// everyNthGroup is which groups of the matrix are played.
const everyNthGroup = 1
