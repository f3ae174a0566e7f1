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
	// breakerPause is how long nothing is asked of a NightPOS that is out; then one
	// call finds out. A restart of it takes some ten seconds.
	breakerPause = 5 * time.Second
)

// breaker keeps calls away from a NightPOS that is out. Without it every call would
// hold one of the few places for as long as its own attempts take, all workers would
// stand in line for those, and what needs no NightPOS, such as the renewal of
// subscriptions, would wait with them.
type breaker struct {
	circuit *gobreaker.CircuitBreaker[struct{}]

	mutex sync.Mutex
	since time.Time
	last  error
}

func newBreaker(now func() time.Time, log *zap.Logger) *breaker {
	b := &breaker{}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: "NightPOS", MaxRequests: 1, Timeout: breakerPause,
		ReadyToTrip:  func(counts gobreaker.Counts) bool { return counts.ConsecutiveFailures >= breakerFailures },
		IsSuccessful: func(err error) bool { return !b.outage(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
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

// refuses returns at once what a call would end with, while NightPOS is out; nil when
// it is to be made.
func (b *breaker) refuses() error {
	if b.circuit.State() != gobreaker.StateOpen {
		return nil
	}
	return b.refusal()
}

// do makes a call, or fails at once while NightPOS is out; made says which.
func (b *breaker) do(call func() error) (made bool, err error) {
	_, err = b.circuit.Execute(func() (struct{}, error) {
		made = true
		return struct{}{}, call()
	})
	if !made {
		err = b.refusal()
	}
	return made, err
}

func (b *breaker) refusal() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return &reconciler.RetryError{
		Cause: causeUnavailable, Err: fmt.Errorf("NightPOS is out since %s: %w", b.since.UTC().Format(time.RFC3339), b.last),
	}
}
