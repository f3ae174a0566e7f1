//go:build race

package years_test

// The race detector makes everything several times as long; it sees in a few
// days what it can see in many.
const (
	// manyPeople are more than there are workers.
	manyPeople  = 20
	usualPeople = 8
	usualDays   = 10
)
