package outlook

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

// Causes of failures that are the service's and no mailbox's.
const (
	causeUnreachable = "outlook_unreachable"
	causeUnavailable = "outlook_unavailable"
	causeSignIn      = "signin_unavailable"
)

const (
	// breakerFailures in a row, met by breakerMailboxes different ones, are an
	// outage: a single mailbox that fails says nothing about the others.
	breakerFailures  = 5
	breakerMailboxes = 3
	// breakerPause is how long nothing is asked of a service that is out; then one
	// call finds out.
	breakerPause = 15 * time.Second
)

// breaker keeps calls away from a service that is out.
type breaker struct {
	name    string
	cause   string
	circuit *gobreaker.CircuitBreaker[struct{}]

	mutex sync.Mutex
	// streak are the mailboxes that failed since the last success.
	streak map[string]bool
	since  time.Time
	last   error
}

func newBreaker(name, cause string, now func() time.Time, log *zap.Logger) *breaker {
	b := &breaker{name: name, cause: cause, streak: map[string]bool{}}
	b.circuit = gobreaker.NewCircuitBreaker[struct{}](gobreaker.Settings{
		Name: name, MaxRequests: 1, Timeout: breakerPause,
		ReadyToTrip: func(counts gobreaker.Counts) bool {
			return counts.ConsecutiveFailures >= breakerFailures && b.mailboxes()
		},
		IsSuccessful: func(err error) bool { return !outage(err) },
		IsExcluded:   func(err error) bool { return errors.Is(err, context.Canceled) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			b.mutex.Lock()
			defer b.mutex.Unlock()
			switch {
			case to == gobreaker.StateOpen && from == gobreaker.StateClosed:
				b.since = now()
				log.Error(name+" is out; one call every now and then finds out whether it is back", zap.Error(b.last))
			case to == gobreaker.StateClosed:
				log.Info(name+" is back", zap.Duration("after", now().Sub(b.since)))
				b.since = time.Time{}
			}
		},
	})
	return b
}

// outage says whether an error speaks of the service rather than of one call.
func outage(err error) bool {
	var retry *reconciler.RetryError
	return errors.As(err, &retry) && (retry.Cause == causeUnreachable || retry.Cause == causeUnavailable || retry.Cause == causeSignIn)
}

func (b *breaker) mailboxes() bool {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return len(b.streak) >= breakerMailboxes
}

// do makes a call, or fails at once while the service is out.
func (b *breaker) do(lane string, call func() error) error {
	_, err := b.circuit.Execute(func() (struct{}, error) {
		err := call()
		b.note(lane, err)
		return struct{}{}, err
	})
	if errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests) {
		if known := b.state(); known != nil {
			err = known
		}
		return &reconciler.RetryError{Cause: b.cause, Err: err}
	}
	return err
}

func (b *breaker) note(lane string, err error) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	switch {
	case outage(err):
		b.last = err
		if len(b.streak) < breakerMailboxes {
			b.streak[lane] = true
		}
	case !errors.Is(err, context.Canceled):
		clear(b.streak)
	}
}

// state is nil while the service is believed to answer.
func (b *breaker) state() error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	if b.since.IsZero() {
		return nil
	}
	return fmt.Errorf("%s is out since %s: %w", b.name, b.since.UTC().Format(time.RFC3339), b.last)
}

// Outage says whether Graph and the sign-in service answer, as far as the calls
// of this process show: nil, or what is out and since when. It makes no call.
func (c *Client) Outage() error { return errors.Join(c.graph.state(), c.tokens.breaker.state()) }
