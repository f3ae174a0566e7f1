package subscriptions

import (
	"sync"
	"time"
)

// Life is how long a subscription is asked for: 10,065 minutes, 5 less than
// what Graph enforces for events, so that clocks may differ. How long it lives
// is what the answer says.
const Life = 10_065 * time.Minute

// LifeWithContent is the same with content in the notifications, for which Graph
// allows 1,440 minutes.
const LifeWithContent = 1_435 * time.Minute

const (
	// authorityLead and authoritySpread say when a subscription is authorized
	// anew: so long before the token behind it ends. Delivery stops with the
	// token, and not every mailbox gets a word about it before.
	authorityLead   = 10 * time.Minute
	authoritySpread = 10 * time.Minute
	// punctual is how late a renewal may come and still count as planned.
	punctual = 30 * time.Second
	// leastPause keeps a subscription that lives for moments from being renewed
	// without a pause.
	leastPause = time.Minute
	// settledAfter is how long after a request nobody got an answer to Microsoft
	// has surely made the subscription, or will not: several times the patience of
	// a call.
	settledAfter = 5 * time.Minute
	// pace and burst bound the renewals that come at no planned time, of all
	// mailboxes together: ten in a second.
	pace  = 100 * time.Millisecond
	burst = 20
	// troubled is how many mailboxes must fail one after the other, with no
	// success in between, to make it Microsoft's trouble and not theirs.
	troubled = 20
)

// pauses are the waits between attempts that fail. Most failures are over with
// the second attempt; those that are not take hours, and a subscription is
// renewed when two thirds of its life are still to come.
var pauses = []time.Duration{
	30 * time.Second,
	time.Minute,
	90 * time.Second,
	2 * time.Minute, // elapsed: 5 min
	5 * time.Minute,
	10 * time.Minute,
	10 * time.Minute, // elapsed: 30 min
	30 * time.Minute, // elapsed: 1 h
	time.Hour,
	time.Hour,     // elapsed: 3 h
	2 * time.Hour, // elapsed: 5 h
	3 * time.Hour, // elapsed: 8 h
	4 * time.Hour, // elapsed: 12 h
	6 * time.Hour, // elapsed: 18 h, then every 6 h
}

const (
	// share is the part of what life is left that a pause may use up.
	share = 6
	// anxious is the longest pause while a mailbox has no live subscription, and
	// refused the same when Microsoft refuses for a reason that will not go by
	// itself.
	anxious = 5 * time.Minute
	refused = time.Hour
)

// schedule decides when things are done. Its methods are safe for concurrent
// use.
type schedule struct {
	mutex sync.Mutex
	// random returns a number in [0, 1).
	random func() float64
	// slot is the next free moment of those that share the pace.
	slot time.Time
	// failing are mailboxes that failed since the last success anywhere.
	failing map[string]bool
}

func newSchedule(random func() float64) *schedule {
	return &schedule{random: random, failing: map[string]bool{}}
}

// draw is a random part of a duration.
func (s *schedule) draw(duration time.Duration) time.Duration {
	if duration <= 0 {
		return 0
	}
	return time.Duration(s.random() * float64(duration))
}

// renewal says when a subscription is to be renewed: when a third of the life
// that it has left is over, give or take a fifth of that, and before the token
// behind it ends. The first renewal of a new one comes at any moment of the
// first third, so that a thousand people who connect in one hour do not renew in
// one hour ever after.
func (s *schedule) renewal(subscription Subscription, first bool, now time.Time) time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	third := subscription.Expires.Sub(now) / 3
	wait := third - third/5 + s.draw(third*2/5)
	if first {
		wait = third/20 + s.draw(third-third/20)
	}
	if !subscription.Authorized.IsZero() {
		valid := subscription.Authorized.Sub(now)
		lead := min(authorityLead, valid/3)
		wait = min(wait, valid-lead-s.draw(min(authoritySpread, valid/3)))
	}
	return now.Add(max(wait, leastPause))
}

// late says when a renewal that comes too late is made. Such renewals come in
// masses, after an outage: those with life left are spread over its first half,
// which lets the most urgent go first, and those without, or with too little to be
// put off, take their turn.
func (s *schedule) late(left time.Duration, now time.Time) time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if left > authorityLead {
		return now.Add(s.draw(left / 2))
	}
	return s.turn(now)
}

// turn takes a place in the row of those that have no time of their own. The
// first few go at once.
func (s *schedule) turn(now time.Time) time.Time {
	if earliest := now.Add(-burst * pace); s.slot.Before(earliest) {
		s.slot = earliest
	}
	s.slot = s.slot.Add(pace)
	if s.slot.Before(now) {
		return now
	}
	return s.slot
}

// succeeded ends the trouble, if there was any.
func (s *schedule) succeeded() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	clear(s.failing)
}

// retry says how long to wait after a failure, never longer than what life is
// left allows. When everybody fails, they take turns, and those that can wait are
// spread over half of what they have left, instead of all trying again within
// the same minutes.
func (s *schedule) retry(lane string, attempts int, left time.Duration, lasting bool, now time.Time) time.Duration {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	longest := anxious
	switch {
	case left > 0:
		longest = max(left/share, leastPause/2)
	case lasting:
		longest = refused
	}
	step := min(pauses[min(max(attempts, 0), len(pauses)-1)], longest)
	wait := step - s.draw(step/4)
	if lasting {
		return wait
	}
	if len(s.failing) < troubled {
		s.failing[lane] = true
		return wait
	}
	return max(wait, s.draw(left/2), s.turn(now).Sub(now))
}
