package gateway

import (
	"math"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// lagMinutes is how far back the lag is remembered.
	lagMinutes = 24 * 60
	// lagLevels are the levels that a lag is counted under, each a quarter above the
	// one before: from a millisecond to more than an hour.
	lagLevels = 70
	lagGrowth = 1.25
)

// LagHistory remembers for a day how long changes took from one side to the other,
// in this process. It counts by minutes and levels, so that it never grows: a
// percentile that it tells is right within an eighth. It may be used by many
// goroutines at once.
type LagHistory struct {
	now func() time.Time

	mutex   sync.Mutex
	minutes map[reconciler.Side]*[lagMinutes]lagMinute
}

// lagMinute is one minute, or one of the days before that had the same place.
type lagMinute struct {
	// number counts minutes since 1970.
	number int64
	counts *[lagLevels]uint32
}

// LagPoint is how long the changes made on one side took within a span of time.
type LagPoint struct {
	From  reconciler.Side `json:"from"`
	Start time.Time       `json:"start"`
	Count int             `json:"count"`
	// Median and Slow are in milliseconds: half of the changes took longer than the
	// one, a twentieth longer than the other.
	Median float64 `json:"p50_ms"`
	Slow   float64 `json:"p95_ms"`
}

// NewLagHistory makes an empty one.
func NewLagHistory(now func() time.Time) *LagHistory {
	return &LagHistory{now: now, minutes: map[reconciler.Side]*[lagMinutes]lagMinute{
		reconciler.SideOutlook: new([lagMinutes]lagMinute), reconciler.SideNightPOS: new([lagMinutes]lagMinute),
	}}
}

// Add counts a change that was made on a side.
func (h *LagHistory) Add(from reconciler.Side, lag time.Duration) {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	minutes := h.minutes[from]
	if minutes == nil {
		return
	}
	number := h.now().Unix() / 60
	minute := &minutes[number%lagMinutes]
	if minute.number != number || minute.counts == nil {
		*minute = lagMinute{number: number, counts: new([lagLevels]uint32)}
	}
	minute.counts[levelOf(lag)]++
}

func levelOf(lag time.Duration) int {
	if lag <= time.Millisecond {
		return 0
	}
	level := math.Log(float64(lag)/float64(time.Millisecond)) / math.Log(lagGrowth)
	return int(min(level, lagLevels-1))
}

// lagOf is the middle of a level, in milliseconds.
func lagOf(level int) float64 { return math.Pow(lagGrowth, float64(level)+.5) }

// Points are the last day in steps of whole minutes, oldest first, and of each step
// the sides on which something was changed.
func (h *LagHistory) Points(step time.Duration) []LagPoint {
	h.mutex.Lock()
	defer h.mutex.Unlock()
	width := max(int64(step/time.Minute), 1)
	last := h.now().Unix() / 60
	points := []LagPoint{}
	for begin := (last - lagMinutes + 1) / width * width; begin <= last; begin += width {
		for _, side := range []reconciler.Side{reconciler.SideOutlook, reconciler.SideNightPOS} {
			var counts [lagLevels]uint32
			total := 0
			for number := max(begin, last-lagMinutes+1); number < begin+width && number <= last; number++ {
				minute := h.minutes[side][number%lagMinutes]
				if minute.number != number || minute.counts == nil {
					continue
				}
				for level, count := range minute.counts {
					counts[level] += count
					total += int(count)
				}
			}
			if total > 0 {
				points = append(points, LagPoint{
					From: side, Start: time.Unix(begin*60, 0).UTC(), Count: total, Median: percentile(&counts, total, .5), Slow: percentile(&counts, total, .95),
				})
			}
		}
	}
	return points
}

func percentile(counts *[lagLevels]uint32, total int, part float64) float64 {
	rank := int(math.Ceil(part * float64(total)))
	for level, count := range counts {
		if rank -= int(count); rank <= 0 {
			return lagOf(level)
		}
	}
	return lagOf(lagLevels - 1)
}
