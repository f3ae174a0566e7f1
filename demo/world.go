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
	Watch    *Watch
	// Gateway is nil when none was asked for.
	Gateway Gateway
	// Now is the clock of all of them.
	Now func() time.Time

	closers []func()
}

// Calendar returns one side.
func (w *World) Calendar(side Side) Calendar {
	if side == NightPOS {
		return w.NightPOS
	}
	return w.Outlook
}

// Close ends everything, the gateway before the sides that it talks to.
func (w *World) Close() {
	for index := len(w.closers) - 1; index >= 0; index-- {
		w.closers[index]()
	}
	w.closers = nil
}

// follow runs the watch until the world is closed.
func (w *World) follow(ctx context.Context, log *zap.Logger) {
	w.Watch = NewWatch(w.Outlook, w.NightPOS, log)
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() { w.Watch.Run(ctx) })
	w.closers = append(w.closers, func() {
		cancel()
		running.Wait()
	})
}
