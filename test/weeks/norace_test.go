//go:build !race

package weeks_test

// usualWeeks is how many weeks are simulated where nothing else is asked for.
const usualWeeks = 30
