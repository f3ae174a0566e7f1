//go:build !race

package subscriptions_test

const fleetSize = 100_000
