package reconciler

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"
)

// sureLease is for how many renewals a lease is believed in that could not be
// extended. A lease lasts three, so that whoever can no longer reach the store, or
// was not run for a while, stops before another worker begins.
const sureLease = 2.5

// heldLease is a lease as its worker knows it.
type heldLease struct {
	queue Queue
	lease Lease
	sure  time.Duration

	lock  sync.Mutex
	since time.Time // when the last extension was asked for that was given
}

// extend keeps the lease. An error that is not ErrLeaseLost says nothing about it.
func (h *heldLease) extend(ctx context.Context) error {
	asked := time.Now()
	if err := h.queue.Extend(ctx, h.lease); err != nil {
		return err
	}
	h.lock.Lock()
	defer h.lock.Unlock()
	h.since = asked
	return nil
}

// left is how long the lease is certainly still held.
func (h *heldLease) left() time.Duration {
	h.lock.Lock()
	defer h.lock.Unlock()
	return h.sure - time.Since(h.since)
}

// confirm is asked right before something is written to a calendar, which knows of no
// leases. Whoever was not run for a while comes here before the context has ended.
func (h *heldLease) confirm(ctx context.Context) error {
	if h != nil && h.left() <= 0 {
		return fmt.Errorf("before writing: %w, or may by now", ErrLeaseLost)
	}
	return ctx.Err()
}

// How long to wait before a store that is away is asked once more.
const (
	firstPersistPause = 50 * time.Millisecond
	mostPersistPause  = time.Second
)

// persist repeats what a store that is away did not take, for as long as the lease is
// certainly held. What was written to a calendar and is not recorded has to be found
// again, which fails when a person deletes it meanwhile; and a lane that is not given
// back is nobody's until its lease is over.
func (e *Engine) persist(ctx context.Context, held *heldLease, work func(context.Context) error) error {
	// A part of a Cluster may be away while leases are extended on another.
	deadline := time.Now().Add(held.left())
	told := false
	for pause := firstPersistPause; ; pause = min(2*pause, mostPersistPause) {
		err := work(ctx)
		if err == nil || !e.away(err) || time.Until(deadline) <= pause || held.left() <= pause {
			return err
		}
		if !told {
			told = true
			e.Log.Warn("the store is away; what was done is recorded once it is back", zap.Error(err))
		}
		e.pause(ctx, pause)
		if ctx.Err() != nil {
			return err
		}
	}
}

// away says that the store cannot be reached just now.
func (e *Engine) away(err error) bool { return e.StoreAway != nil && e.StoreAway(err) }

// keepLease extends the lease until stop is called, and ends the context once the
// lease is lost or can no longer be believed in.
func (e *Engine) keepLease(ctx context.Context, lease Lease) (context.Context, *heldLease, func()) {
	working, cancel := context.WithCancelCause(ctx)
	held := &heldLease{queue: e.Queue, lease: lease, sure: time.Duration(sureLease * float64(e.LeaseRenewal)), since: time.Now()}
	var group sync.WaitGroup
	group.Go(func() {
		renewal, end := time.NewTicker(e.LeaseRenewal), time.NewTimer(held.left())
		defer renewal.Stop()
		defer end.Stop()
		var failure error
		for {
			select {
			case <-working.Done():
				return
			case <-end.C:
			case <-renewal.C:
				// A store that does not answer must not keep this from noticing.
				asking, done := context.WithTimeout(working, held.left())
				failure = held.extend(asking)
				done()
				if errors.Is(failure, ErrLeaseLost) {
					cancel(ErrLeaseLost)
					return
				}
			}
			left := held.left()
			if left <= 0 {
				cancel(fmt.Errorf("%w, or may by now: the store did not confirm it for too long: %w", ErrLeaseLost, cmp.Or(failure, context.DeadlineExceeded)))
				return
			}
			end.Reset(left)
		}
	})
	return working, held, func() {
		cancel(nil)
		group.Wait()
	}
}
