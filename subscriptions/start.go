package subscriptions

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// startStep keeps the looks at subscriptions that are in order apart, and
	// startSpan is the longest that looking at all of them takes.
	startStep = time.Second
	startSpan = 24 * time.Hour
)

// Start has every member's subscription looked at after the start of a gateway:
// by means of add, which puts an item into a lane. Those that do not deliver to
// this gateway come first, in quick succession, those that do follow at leisure;
// of each the most urgent first.
func (m *Manager) Start(ctx context.Context, members []reconciler.Member, add func(ctx context.Context, lane string, item reconciler.Item) error) error {
	type entry struct {
		lane string
		ends time.Time
	}
	var broken, sound []entry
	var failed error
	now := m.config.Now()
	for _, member := range members {
		known, err := m.config.Records.Subscription(ctx, member.ID)
		if err != nil {
			failed = errors.Join(failed, fmt.Errorf("reading which subscription there is: %w", err))
			continue
		}
		found := entry{member.ID, known.ends()}
		if known.ID == "" || m.astray(known) || !found.ends.After(now) {
			broken = append(broken, found)
		} else {
			sound = append(sound, found)
		}
	}
	urgent := func(a, b entry) int { return a.ends.Compare(b.ends) }
	slices.SortFunc(broken, urgent)
	slices.SortFunc(sound, urgent)
	at := now
	put := func(found entry) {
		failed = errors.Join(failed, add(ctx, found.lane, reconciler.Item{
			Key: reconciler.KeySubscription, First: now, Due: at, Version: reconciler.SignalStarted,
		}))
	}
	for _, found := range broken {
		put(found)
		at = at.Add(pace)
	}
	step := min(startStep, startSpan/time.Duration(len(sound)+1))
	for _, found := range sound {
		put(found)
		at = at.Add(step)
	}
	return failed
}
