package bench_test

import (
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// latencies are measured times, to three digits, of up to a minute each.
type latencies struct {
	mutex     sync.Mutex
	histogram *hdrhistogram.Histogram
	// spent is how long measuring took, where a rate is asked for.
	spent time.Duration
	// refused is how many posts got another answer than 202, and are not in the
	// histogram.
	refused int
}

func newLatencies() *latencies {
	return &latencies{histogram: hdrhistogram.New(1, int64(time.Minute), 3)}
}

// add takes down one time; what is longer than a minute counts as one.
func (l *latencies) add(took time.Duration) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	_ = l.histogram.RecordValue(min(max(int64(took), 1), int64(time.Minute))) // within its bounds
}

// count is how many times were taken down.
func (l *latencies) count() int {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return int(l.histogram.TotalCount())
}

// at is the time that the given percentage of all times does not exceed.
func (l *latencies) at(percentage float64) time.Duration {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	return time.Duration(l.histogram.ValueAtQuantile(percentage))
}

// rate is how many there were per second.
func (l *latencies) rate() float64 {
	if l.spent == 0 {
		return 0
	}
	return float64(l.count()) / l.spent.Seconds()
}
