package years_test

import (
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestNightPOSStallsForHours: subscriptions need no NightPOS, and are renewed in time
// while every calendar waits for it, with tokens that end every hour and far more
// people than workers.
func TestNightPOSStallsForHours(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		y := &year{
			random: rand.New(rand.NewPCG(1, 3)), margin: 365 * 24 * time.Hour, renewal: 90 * time.Minute, events: map[string]int{},
			world: newWorld(t, scale{
				people: manyPeople, seed: 1, sweepEvery: 12 * time.Hour, changesEvery: time.Hour,
				switches: simoutlook.Switches{AnyAddress: true, PauseLoses: true},
			}),
		}
		defer y.close()
		y.quiet(time.Hour)
		y.weather.turn(stalled)
		for step := range 5 * time.Hour / tick {
			time.Sleep(tick)
			y.look()
			if int(step) < len(y.people) {
				// People go on working on both sides; all of it waits.
				y.edit(y.people[step])
			}
		}
		if y.margin < 10*time.Minute {
			t.Errorf("a subscription had %s left, want 10 minutes at least", y.margin)
		}
		y.weather.turn(nothing)
		y.settle()
		t.Logf("the tightest margin before an end %s", y.margin.Round(time.Second))
	})
}
