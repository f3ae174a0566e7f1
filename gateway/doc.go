// Package gateway is what the world talks to: it reads the settings, answers
// webhooks in milliseconds, and shows health and metrics.
//
// A webhook is a hint from somebody who may be hostile. Its sender is checked
// with nothing but a key (no look-up), its body is parsed within hard limits,
// and the answer is given once the hints are safe in the store. What an event
// means is not known here.
package gateway
