//go:build !race

package recurrence

// usualRules is how many random rules are drawn where nothing else is asked for.
const usualRules = 10_000
