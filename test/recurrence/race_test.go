//go:build race

package recurrence

// usualRules is how many random rules are drawn where nothing else is asked for.
// The race detector makes each many times as long and has nothing to see here.
const usualRules = 1000
