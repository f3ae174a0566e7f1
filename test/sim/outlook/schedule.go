package outlook

import (
	"container/heap"
	"time"
)

// job is something that happens later, with the mutex held.
type job struct {
	due    time.Time
	number uint64 // first in, first out among jobs due at the same time
	run    func()
}

type jobQueue []job

func (q jobQueue) Len() int { return len(q) }

func (q jobQueue) Less(i, j int) bool {
	if q[i].due.Equal(q[j].due) {
		return q[i].number < q[j].number
	}
	return q[i].due.Before(q[j].due)
}

func (q jobQueue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

func (q *jobQueue) Push(item any) { *q = append(*q, item.(job)) }

func (q *jobQueue) Pop() any {
	last := (*q)[len(*q)-1]
	(*q)[len(*q)-1] = job{}
	*q = (*q)[:len(*q)-1]
	return last
}

// after lets run happen later, on the delivery goroutine, with the mutex held.
// The caller holds the mutex. The real (or the bubble's) clock decides, not
// Config.Now, which may be skewed.
func (s *Server) after(delay time.Duration, run func()) {
	if s.closed {
		return
	}
	s.jobNumber++
	heap.Push(&s.jobs, job{due: time.Now().Add(delay), number: s.jobNumber, run: run})
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

func (s *Server) runJobs() {
	for {
		var next <-chan time.Time
		var timer *time.Timer
		s.mutex.Lock()
		if len(s.jobs) > 0 {
			wait := time.Until(s.jobs[0].due)
			if wait <= 0 {
				heap.Pop(&s.jobs).(job).run()
				s.unlock()
				if s.context.Err() != nil {
					return
				}
				continue
			}
			timer = time.NewTimer(wait)
			next = timer.C
		}
		s.mutex.Unlock()
		select {
		case <-s.context.Done():
		case <-next:
		case <-s.wake:
		}
		if timer != nil {
			timer.Stop()
		}
		if s.context.Err() != nil {
			return
		}
	}
}
