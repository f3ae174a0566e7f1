//go:build race

package subscriptions_test

// fleetSize is smaller where the race detector makes everything several times as
// long.
const fleetSize = 10_000
