package gateway

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
	"unsafe"

	"github.com/nightpos/outlook-gateway/reconciler"
)

func TestLagHistoryTellsPercentiles(t *testing.T) {
	now := time.Date(2027, 1, 11, 9, 0, 0, 0, time.UTC)
	history := NewLagHistory(func() time.Time { return now })
	random := rand.New(rand.NewPCG(1, 2))
	var lags []float64
	for range 5000 {
		lag := time.Duration(random.ExpFloat64() * float64(200*time.Millisecond))
		lag = max(lag, time.Millisecond)
		lags = append(lags, float64(lag)/1e6)
		history.Add(reconciler.SideOutlook, lag)
	}
	slices.Sort(lags)
	points := history.Points(5 * time.Minute)
	if len(points) != 1 || points[0].From != reconciler.SideOutlook || points[0].Count != 5000 || !points[0].Start.Equal(now) {
		t.Fatalf("got %+v, want one point of 5000 changes", points)
	}
	for name, pair := range map[string][2]float64{"median": {points[0].Median, lags[2500]}, "slow": {points[0].Slow, lags[4750]}} {
		if off := pair[0]/pair[1] - 1; off < -.13 || off > .13 {
			t.Errorf("the %s is told as %.0f ms, and is %.0f", name, pair[0], pair[1])
		}
	}
}

func TestLagHistoryForgetsAfterADay(t *testing.T) {
	now := time.Date(2027, 1, 11, 9, 0, 30, 0, time.UTC)
	history := NewLagHistory(func() time.Time { return now })
	began := now
	for range 3 * lagMinutes {
		history.Add(reconciler.SideNightPOS, began.Sub(now)) // a clock that goes back
		history.Add(reconciler.SideOutlook, 2*time.Hour)
		history.Add("elsewhere", time.Second)
		now = now.Add(time.Minute)
	}
	points := history.Points(time.Hour)
	count := 0
	for _, point := range points {
		if point.From == reconciler.SideOutlook {
			count += point.Count
		}
		if age := now.Sub(point.Start); age > 25*time.Hour || age < 0 {
			t.Errorf("a point is %s old", age)
		}
	}
	if count != lagMinutes-1 || len(points) > 2*25 {
		t.Errorf("%d changes of one side in %d points, want those of the last day in hours", count, len(points))
	}
	if !slices.IsSortedFunc(points, func(a, b LagPoint) int { return a.Start.Compare(b.Start) }) {
		t.Error("the points are not in order")
	}
	now = now.Add(25 * time.Hour)
	if points := history.Points(time.Minute); len(points) != 0 {
		t.Errorf("a day later there is still %+v", points)
	}
	// At most, with something in every minute.
	if size := 2 * lagMinutes * (unsafe.Sizeof(lagMinute{}) + unsafe.Sizeof([lagLevels]uint32{})); size > 1<<20 {
		t.Errorf("it may take %d bytes", size)
	}
}
