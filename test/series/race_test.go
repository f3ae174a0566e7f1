//go:build race

package series_test

// staged are the versions of NightPOS that the scenarios are played on. The race
// detector makes each ten times as long; it sees in one what it can see in all.
var staged = []int{18}
