// Package life holds the tests of a person's life with the gateway, from the first
// careful look to the reset of the account: through the admin API, between both
// simulators, in virtual time.
package life
