// Package subscriptions keeps exactly one live change-notification subscription
// for each connected mailbox: it creates it, renews it long before it ends and
// before the token behind it does, makes a new one when Microsoft dropped it,
// moves it when the gateway's address or key changes, and takes away strays. A
// fleet of any size is kept at an even pace, also after an outage. The package
// knows neither Microsoft's protocol nor what an event means.
package subscriptions
