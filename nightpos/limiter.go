package nightpos

import (
	"context"
	"math/bits"
	"slices"
	"sync"
	"time"
)

// limiter decides how many calls are under way at once, by what NightPOS makes of
// it: as soon as calls take longer than they took alone, there are more of them
// than NightPOS has workers, and what they gain, its users lose. It is for servers
// of one to a dozen workers, where no call may be too many: limiters for larger
// ones, such as TCP Vegas's kin, keep some calls queued in the server always.
//
// A call is compared with the fastest of its own kind and size of late. At the
// least one call is let through at a time, and while others wait behind it, none
// for a quarter of the time that it took: then NightPOS answers people in less
// than twice the time that it takes when it is idle, even with one worker.
type limiter struct {
	now func() time.Time
	max int

	mutex sync.Mutex
	limit int
	// busy are the calls under way, stuck those of them that take so long that they
	// keep nobody else waiting any more.
	busy, stuck int
	waiting     []chan struct{}
	// resting ends a rest.
	resting bool
	// fastest is how long calls take at best, by kind.
	fastest map[callKind]*best
	// stretch is by how much calls take longer than at best, smoothed, over the
	// samples of this round; crowded says that somebody had to wait in it.
	stretch float64
	samples int
	crowded bool
	// ceiling is the limit at which calls became slow last, not tried again before
	// retry.
	ceiling int
	retry   time.Time
	// drained is when calls were last let through one by one, so that what they
	// take alone is known.
	drained  time.Time
	draining int
}

// callKind are calls that take about as long as each other.
type callKind struct {
	label string
	// magnitude is the binary logarithm of how much the call carries.
	magnitude int
}

// best is the shortest time of the current and of the former span.
type best struct {
	since           time.Time
	current, former time.Duration
}

const (
	// fair is the stretch up to which calls do not get in each other's way, slow the
	// one from which they do.
	fair, slow = 1.15, 1.3
	// roundSamples are needed, at least, to change the limit.
	roundSamples = 8
	// retryAfterSlow is how long a limit that was too high is not tried again.
	retryAfterSlow = 30 * time.Second
	// spanOfBest is how long the time of the fastest call is believed, at least.
	spanOfBest = 5 * time.Minute
	// drainEvery is how often, while others wait, calls are let through one by one,
	// and drainSamples how many.
	drainEvery   = time.Minute
	drainSamples = 4
	// stuckAfter is from when on a call keeps nobody else waiting.
	stuckAfter = 5 * time.Second
	// restShare is which part of a call's time NightPOS is left alone after it.
	restShare = 4
	// kindsLimit bounds how many kinds are remembered.
	kindsLimit = 1000
)

func newLimiter(most int, now func() time.Time) *limiter {
	return &limiter{now: now, max: most, limit: 1, stretch: 1, ceiling: most + 1, fastest: map[callKind]*best{}}
}

// Concurrency is how many calls may be under way at once at present.
func (c *Client) Concurrency() int {
	c.limiter.mutex.Lock()
	defer c.limiter.mutex.Unlock()
	return c.limiter.limit
}

// acquire waits for a place. What it returns gives it back, and says whether the
// time that the call took means anything.
func (l *limiter) acquire(ctx context.Context, label string, size int) (func(measured, overloaded bool), error) {
	place := make(chan struct{})
	l.mutex.Lock()
	l.waiting = append(l.waiting, place)
	l.dispatch()
	l.crowded = l.crowded || len(l.waiting) > 0
	l.mutex.Unlock()
	select {
	case <-place:
	case <-ctx.Done():
		l.mutex.Lock()
		defer l.mutex.Unlock()
		index := slices.Index(l.waiting, place)
		if index < 0 {
			// It was given at the same moment.
			l.busy--
			l.dispatch()
		} else {
			l.waiting = slices.Delete(l.waiting, index, index+1)
		}
		return nil, ctx.Err()
	}
	began := l.now()
	late := false
	timer := time.AfterFunc(stuckAfter, func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		if l.busy > l.stuck {
			late = true
			l.stuck++
			l.dispatch()
		}
	})
	return func(measured, overloaded bool) {
		took := l.now().Sub(began)
		timer.Stop()
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.busy--
		if late {
			l.stuck--
		}
		if overloaded {
			l.lower()
		} else if measured {
			l.learn(callKind{label, bits.Len(uint(max(size, 0)))}, took) //nolint:gosec // not negative
		}
		l.rest(took)
		l.dispatch()
	}, nil
}

// dispatch lets in who waits, as far as there are places.
func (l *limiter) dispatch() {
	for len(l.waiting) > 0 && !l.resting && l.busy < l.max && l.busy-l.stuck < l.places() {
		l.busy++
		close(l.waiting[0])
		l.waiting = l.waiting[1:]
	}
}

func (l *limiter) places() int {
	if l.draining > 0 {
		return 1
	}
	return l.limit
}

// rest leaves NightPOS alone after a call, where only one at a time is let through
// and others wait.
func (l *limiter) rest(took time.Duration) {
	pause := min(took, stuckAfter) / restShare
	if l.limit >= 2 || len(l.waiting) == 0 || pause <= 0 || l.resting {
		return
	}
	l.resting = true
	time.AfterFunc(pause, func() {
		l.mutex.Lock()
		defer l.mutex.Unlock()
		l.resting = false
		l.dispatch()
	})
}

// learn takes the time of a call into account.
func (l *limiter) learn(kind callKind, took time.Duration) {
	now := l.now()
	known := l.fastest[kind]
	if known == nil || now.Sub(known.since) > 2*spanOfBest {
		if len(l.fastest) >= kindsLimit {
			clear(l.fastest)
		}
		known = &best{since: now, current: took, former: took}
		l.fastest[kind] = known
	}
	if now.Sub(known.since) > spanOfBest {
		known.since, known.former, known.current = now, known.current, took
	}
	known.current = min(known.current, took)
	if l.draining > 0 {
		l.draining--
		return
	}
	if fastest := min(known.current, known.former); fastest > 0 {
		l.samples++
		l.stretch += (float64(took)/float64(fastest) - l.stretch) / float64(min(l.samples, roundSamples))
	}
	if l.samples < roundSamples || l.samples < 2*l.limit {
		return
	}
	switch raised := l.limit + 1; {
	case l.stretch > slow:
		l.lower()
	case l.stretch < fair && l.crowded && raised <= l.max && (raised < l.ceiling || now.After(l.retry)):
		l.limit = raised
	}
	if l.crowded && l.limit >= 2 && now.Sub(l.drained) > drainEvery {
		l.drained, l.draining = now, drainSamples
	}
	l.samples, l.stretch, l.crowded = 0, 1, len(l.waiting) > 0
}

// lower lets fewer calls through, and does not try again for a while what was too
// many.
func (l *limiter) lower() {
	if l.limit > 1 {
		l.ceiling, l.retry = l.limit, l.now().Add(retryAfterSlow)
	}
	l.limit = max(1, l.limit*7/10)
	l.samples, l.stretch, l.crowded = 0, 1, len(l.waiting) > 0
}
