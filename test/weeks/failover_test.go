package weeks_test

import (
	"context"
	"time"

	"github.com/nightpos/outlook-gateway/redis/snapshot"
)

// lastSecond is what a store that writes its log every second can lose.
const lastSecond = time.Second

// failOver has a copy of the store, made now, take over after a while: what is
// written meanwhile is gone, and nobody is told. It returns what waits for that.
func (s *store) failOver(ctx context.Context, after time.Duration) (wait func() error, err error) {
	copied, err := snapshot.Take(ctx, s.dial)
	if err != nil {
		return nil, err
	}
	done := make(chan error, 1)
	go func() {
		time.Sleep(after) // virtual: what is written meanwhile is lost
		s.set(true, 0)
		err := copied.Restore(ctx)
		s.set(false, 0)
		done <- err
	}()
	return func() error { return <-done }, nil
}
