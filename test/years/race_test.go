//go:build race

package years_test

// The race detector makes everything several times as long; it sees in a few
// days what it can see in many.
const (
	usualPeople = 4
	usualDays   = 10
)
