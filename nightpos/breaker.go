package nightpos

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sony/gobreaker/v2"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Causes of failures that are NightPOS's as a whole and no call's.
const (
	causeUnreachable = "nightpos_unreachable"
	causeUnavailable = "nightpos_unavailable"
)

const (
	// breakerFailures in a row, with no success in between, are an outage.
	breakerFailures = 5
	// breakerPause is how long nothing is asked of a NightPOS that is out; then it is
	// asked for its version, which costs it nothing, and given as long again. A restart
	// of it takes some ten seconds.
	breakerPause = 5 * time.Second
)

// breaker keeps calls away from a NightPOS that is out. Without it every call would
// hold one of the few places for as long as its own attempts take, all workers would
// stand in line for those, and what needs no NightPOS, such as the renewal of
// subscriptions, would wait with them.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]
	now     func() time.Time

	mutex sync.Mutex
	since time.Time
	last  error
}

func newBreaker(now func() time.Time, log *zap.Logger) *breaker {
	b := &breaker{now: now}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "NightPOS", MaxRequests: 1, Timeout: breakerPause,
		ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: func(err error) bool { return !b.outage(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) || errors.As(err, new(*impatient)) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			b.mutex.Lock()
			defer b.mutex.Unlock()
			switch {
			case to == gobreaker.StateOpen && from == gobreaker.StateClosed:
				b.since = now()
				log.Error("NightPOS is out; one call every now and then finds out whether it is back", zap.Error(b.last))
			case to == gobreaker.StateClosed:
				log.Info("NightPOS is back", zap.Duration("after", now().Sub(b.since)))
				b.since = time.Time{}
			}
		},
	})
	return b
}

// impatient is the end of a call that was given too little time to say anything about
// NightPOS: others may have held its place until then, or a page is in a hurry.
type impatient struct{ error }

func (i *impatient) Unwrap() error { return i.error }

// outage says whether an error speaks of NightPOS rather than of one call, and takes
// it down.
func (b *breaker) outage(err error) bool {
	var retry *reconciler.RetryError
	if !errors.As(err, &retry) || retry.Cause != causeUnreachable && retry.Cause != causeUnavailable {
		return false
	}
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.last = retry.Err
	return true
}

// passes returns at once what a call would end with, while NightPOS is out; nil when
// it is to be made. Now and then it asks first whether NightPOS is back: no call itself
// finds that out, since the next one may be the very one that NightPOS never ends.
func (b *breaker) passes(ctx context.Context, ask func(context.Context) error) error {
	switch b.circuit.State() {
	case gobreaker.StateOpen:
		return b.refusal()
	case gobreaker.StateHalfOpen:
		ctx, cancel := context.WithTimeout(ctx, breakerPause)
		defer cancel()
		_, err := b.do(ctx, 0, func() error { return ask(ctx) })
		return err
	}
	return nil
}

// do makes a call, or fails at once while NightPOS is out; made says which. That a
// call ended with its time says something when it was given as much as the patience.
func (b *breaker) do(ctx context.Context, patience time.Duration, call func() error) (made bool, err error) {
	deadline, limited := ctx.Deadline()
	hurried := limited && time.Until(deadline) < patience
	_, err = b.circuit.Execute(func() (struct{}, error) {
		made = true
		err := call()
		if hurried && errors.Is(err, context.DeadlineExceeded) {
			err = &impatient{err}
		}
		return struct{}{}, err
	})
	if !made {
		err = b.refusal()
	}
	return made, err
}

func (b *breaker) refusal() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	since := b.since
	if since.IsZero() {
		// It has come back in this moment.
		since = b.now()
	}
	return &reconciler.RetryError{
		Cause: causeUnavailable, Err: fmt.Errorf("NightPOS is out since %s: %w", since.UTC().Format(time.RFC3339), b.last),
	}
}
