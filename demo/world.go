package demo

import (
	"context"
	"sync"
	"time"

	"go.uber.org/zap"
)

// World is everything that a run of the demo consists of, running.
type World struct {
	Members  []Member
	Outlook  Calendar
	NightPOS Archiver
	// Watch follows both sides; NewWorld makes it.
	Watch *Watch
	// Gateway is nil when none was asked for. The world closes it.
	Gateway Gateway
	// Now is the clock of all of them; nil means time.Now.
	Now func() time.Time

	closers []func()
}

// NewWorld starts to follow the two sides of a world.
func NewWorld(ctx context.Context, parts World, log *zap.Logger) *World {
	world := &parts
	if world.Now == nil {
		world.Now = time.Now
	}
	world.Watch = NewWatch(world.Outlook, world.NightPOS, log)
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var running sync.WaitGroup
	running.Go(func() { world.Watch.Run(ctx) })
	world.atClose(func() {
		cancel()
		running.Wait()
	})
	return world
}

// Calendar returns one side.
func (w *World) Calendar(side Side) Calendar {
	if side == NightPOS {
		return w.NightPOS
	}
	return w.Outlook
}

// atClose has something done by Close, before what was handed in earlier.
func (w *World) atClose(work func()) { w.closers = append(w.closers, work) }

// Close ends everything, in the reverse order in which it was started.
func (w *World) Close() {
	for index := len(w.closers) - 1; index >= 0; index-- {
		w.closers[index]()
	}
	w.closers = nil
}
