// Package years runs the whole gateway between both simulated calendars for a
// simulated year: in virtual time, with many people, and with everything that a
// year brings: outages of up to a day of Microsoft, of its way to the gateway, of
// NightPOS and of the gateway itself; lost notifications and webhooks, failing
// calls, tokens that end, people who are signed out everywhere, subscriptions
// that Microsoft removes, and rotated keys and client secrets. All the while
// people edit on both sides. It holds that
//
//   - nobody is without a subscription that delivers for longer than an outage
//     forces;
//   - every change arrives, and no event is doubled or back after its deletion;
//   - not one event is deleted that no person deleted.
//
// It prints the number of renewals and the tightest margin before an end.
package years
