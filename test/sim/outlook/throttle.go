package outlook

import (
	"net/http"
	"time"
)

// The limits of the Outlook service hold for each application and mailbox (10.1).
const (
	maximumConcurrent = 4
	maximumRequests   = 10000
	requestWindow     = 10 * time.Minute
	maximumUpload     = 150 << 20
	uploadWindow      = 5 * time.Minute
)

type limitKey struct{ application, mailbox string }

// limit counts in fixed windows; a client that stays below the documented
// numbers never meets it.
type limit struct {
	running     int
	requests    int
	windowStart time.Time
	uploaded    int
	uploadStart time.Time
}

// enter admits a request or answers 429. The caller holds the mutex and calls
// leave when the request has been answered.
func (s *Server) enter(key limitKey, upload int) error {
	now := time.Now()
	held := s.limits[key]
	if held == nil {
		held = &limit{windowStart: now, uploadStart: now}
		s.limits[key] = held
	}
	if now.Sub(held.windowStart) >= requestWindow {
		held.windowStart, held.requests = now, 0
	}
	if now.Sub(held.uploadStart) >= uploadWindow {
		held.uploadStart, held.uploaded = now, 0
	}
	refuse := func(message string, pause time.Duration) error {
		refused := failure(http.StatusTooManyRequests, "ApplicationThrottled", "%s", message)
		refused.header = retryAfter(pause)
		return refused
	}
	switch {
	case held.running >= maximumConcurrent:
		return refuse("Application is over its MailboxConcurrency limit.", time.Second)
	case held.requests >= maximumRequests:
		return refuse("Application is over its MailboxRequests limit.", held.windowStart.Add(requestWindow).Sub(now))
	case held.uploaded+upload > maximumUpload:
		return refuse("Application is over its MailboxUpload limit.", held.uploadStart.Add(uploadWindow).Sub(now))
	}
	held.running++
	held.requests++
	held.uploaded += upload
	return nil
}

func (s *Server) leave(key limitKey) {
	s.mutex.Lock()
	s.limits[key].running--
	s.mutex.Unlock()
}
