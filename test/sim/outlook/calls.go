package outlook

import (
	"maps"
	"time"
)

// Call is one Graph call, or one item of a batch.
type Call struct {
	Time        time.Time
	Method      string
	Path        string // as asked for, without the query
	Template    string // the path with ids replaced, such as /me/events/{id}
	Status      int    // 0 when the connection was dropped
	Mailbox     string // the signed-in person's address; empty when unauthenticated
	Application string // client id; empty when unauthenticated
	BatchItem   bool   // an item of a batch, which is itself logged as POST /$batch
	Injected    bool   // the status came from Config.Faults
	Transient   bool   // it was answered with 412 for no reason (7.6)
}

// maximumCalls bounds the ring of calls; the counters go on.
const maximumCalls = 10000

type callLog struct {
	ring   []Call
	next   int
	counts map[string]int
	// refused counts those that were answered with 412 for no reason.
	refused map[string]int
}

func (l *callLog) add(call Call) {
	if l.counts == nil {
		l.counts, l.refused = map[string]int{}, map[string]int{}
	}
	l.counts[call.Method+" "+call.Template]++
	if call.Transient {
		l.refused[call.Method+" "+call.Template]++
	}
	if len(l.ring) < maximumCalls {
		l.ring = append(l.ring, call)
		return
	}
	l.ring[l.next] = call
	l.next = (l.next + 1) % maximumCalls
}

// Calls returns the latest Graph calls, oldest first, at most 10,000.
func (s *Server) Calls() []Call {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append(append([]Call{}, s.calls.ring[s.calls.next:]...), s.calls.ring[:s.calls.next]...)
}

// Counts returns how often each method and route template was called since the
// start, such as "PATCH /me/events/{id}". Items of a batch count as their own
// route, and the batch as "POST /$batch".
func (s *Server) Counts() map[string]int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return maps.Clone(s.calls.counts)
}

// Refused returns how many of those were answered with 412 for no reason (7.6), and so
// did nothing.
func (s *Server) Refused() map[string]int {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return maps.Clone(s.calls.refused)
}
