package gateway

import (
	"context"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Hints is the part of the queue that webhooks need.
type Hints interface {
	// AddHints makes hints durable, dropping echoes, and returns how many those
	// were.
	AddHints(ctx context.Context, hints []reconciler.Hint) (echoes int, err error)
}

// Contents is the part of the store that notifications with content need.
type Contents interface {
	// KeepContents keeps them for a few minutes. Nothing is lost where it fails:
	// what a notification spoke of is read then.
	KeepContents(ctx context.Context, contents []reconciler.Content) error
}

// Members tells who is connected. It is asked on every NightPOS webhook and
// must answer from memory; a second's delay after somebody connects is fine.
type Members interface {
	Members(ctx context.Context) ([]reconciler.Member, error)
}

// Dependency is something the gateway needs, for readyz.
type Dependency struct {
	Name string
	// Required dependencies make the gateway unready when they fail.
	Required bool
	// Check returns nil when all is well. A *Warning error is shown but fails
	// nothing.
	Check func(ctx context.Context) error
}

// Warning is an error that an administrator should see and that stops nothing.
type Warning struct{ Text string }

func (w *Warning) Error() string { return w.Text }

// Observer is told what the webhooks saw.
type Observer interface {
	// Acknowledged: a webhook was answered.
	Acknowledged(route string, status int, took time.Duration)
	// Echo: hints about our own writes were dropped without a call.
	Echo(side reconciler.Side, count int)
	// Rejected: posts or items were dropped, for a short stable reason.
	Rejected(route, reason string, count int)
}
