//go:build !race

package years_test

// usualPeople and usualDays are what is simulated where nothing else is asked
// for; `make year` asks for 500 people and 365 days.
const (
	// manyPeople are more than there are workers.
	manyPeople  = 50
	usualPeople = 20
	usualDays   = 30
)
