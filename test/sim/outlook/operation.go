package outlook

import "time"

// application finds a registered client.
func (s *Server) application(id string) (Application, bool) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, known := s.applications[id]
	return found, known
}

// RotateSecret gives an application another client secret; the former one is
// invalid_client from now on. It tells whether the application exists.
func (s *Server) RotateSecret(clientID, secret string) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	found, known := s.applications[clientID]
	if known {
		found.Secret = secret
		s.applications[clientID] = found
	}
	return known
}

// Delivering says until when notifications about a mailbox are delivered, by its
// address: until the end of a subscription, or of the token behind it (2.17).
// A mailbox without such a subscription is absent.
func (s *Server) Delivering() map[string]time.Time {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	now, until := s.now(), map[string]time.Time{}
	for _, one := range s.subscriptions {
		ends := one.expires
		if !s.config.Switches.TokensIgnored && one.tokenExpires.Before(ends) {
			ends = one.tokenExpires
		}
		if address := one.box.person.Address; ends.After(now) && ends.After(until[address]) {
			until[address] = ends
		}
	}
	return until
}
