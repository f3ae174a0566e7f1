//go:build !race

package series_test

// staged are the versions of NightPOS that the scenarios are played on.
var staged = []int{17, 18, 19}
