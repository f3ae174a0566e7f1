// Package subscriptions keeps exactly one live change-notification subscription
// for each connected mailbox: it creates it, renews it long before it ends,
// makes a new one when Microsoft dropped it, and takes away strays. It knows
// neither Microsoft's protocol nor what an event means.
package subscriptions
