package outlook

import (
	"time"
)

// The lifecycle events of subscriptions (4.1).
const (
	reauthorizationRequired = "reauthorizationRequired"
	subscriptionRemoved     = "subscriptionRemoved"
	missed                  = "missed"
)

const (
	reauthorizationEvery = 15 * time.Minute // 4.4: when less than an hour is left
	missedAtMost         = 10 * time.Minute // one "missed" for everything lost in that time
)

// lifecycle sends a lifecycle notification, if the subscription has an address
// for them (4.7) and is not a personal account's. The caller holds the mutex, here and below.
func (s *Server) lifecycle(to *subscription, event string) {
	if to.lifecycleAddress == "" || s.config.Switches.NoLifecycle || to.box.person.Personal || to.waiting >= maximumWaiting {
		return
	}
	to.waiting++
	s.delivery.Waiting++
	item := &notification{to: to, lifecycle: event, born: time.Now()}
	s.after(s.pick(s.config.Switches.notificationDelay()), func() { s.ready(item) })
}

// watch asks for reauthorization from one hour before the token or the
// subscription ends, every 15 minutes until it is given or too late (4.3, 4.4).
func (s *Server) watch(one *subscription) {
	one.watched++
	round := one.watched
	ends := one.expires
	if !s.config.Switches.TokensIgnored && one.tokenExpires.Before(ends) {
		ends = one.tokenExpires
	}
	var ask func()
	ask = func() {
		if one.watched != round || s.subscriptions[one.id] != one || !s.now().Before(ends) {
			return // authorized anew, deleted, or over
		}
		s.lifecycle(one, reauthorizationRequired)
		s.after(reauthorizationEvery, ask)
	}
	s.after(max(ends.Sub(s.now())-4*reauthorizationEvery, reauthorizationEvery), ask)
}

// lost counts a notification as given up and tells about the gap (4.1), at most
// once in ten minutes.
func (s *Server) lost(item *notification) {
	s.settle(item, &s.delivery.Lost)
	if item.lifecycle == "" {
		s.tellMissed(item.to)
	}
}

func (s *Server) tellMissed(to *subscription) {
	if s.subscriptions[to.id] != to || !to.alive(s.now()) || !to.missedAt.IsZero() && time.Since(to.missedAt) < missedAtMost {
		return
	}
	to.missedAt = time.Now()
	s.lifecycle(to, missed)
}

// RemoveSubscriptions ends every subscription of a mailbox, as Microsoft does
// for instance when a password changes, and tells their lifecycle addresses
// (4.5). It returns how many there were.
func (s *Server) RemoveSubscriptions(address string) int {
	s.mutex.Lock()
	defer s.unlock()
	count := 0
	for id, one := range s.subscriptions {
		if one.box != s.find(address) || !one.alive(s.now()) {
			continue
		}
		count++
		s.lifecycle(one, subscriptionRemoved)
		delete(s.subscriptions, id)
	}
	return count
}
