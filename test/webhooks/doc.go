// Package webhooks holds the whole gateway, between both simulated calendars,
// against NightPOS's webhooks as they are: lost, sent twice, late, and of changes
// that never happened.
package webhooks
