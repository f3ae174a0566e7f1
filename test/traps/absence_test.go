package traps_test

import (
	"fmt"
	"net/http"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

// deletions are how a person takes a meeting away in NightPOS, alone or as a series.
var deletions = map[string]func(s *scene, ids ...int){
	"deleted":  func(s *scene, ids ...int) { s.must(s.NightPOS.Member("alice").Unlink(s.Context(), ids...)) },
	"archived": func(s *scene, ids ...int) { s.must(s.NightPOS.Member("alice").Archive(s.Context(), ids...)) },
}

// removing has a meeting of alice's taken away in NightPOS in every way, while the
// faults strike.
func removing(t *testing.T, faults func(simoutlook.CallInfo) *simoutlook.Fault, run func(s *scene, remove func())) {
	t.Helper()
	for kind, content := range map[string]map[string]any{"single": meeting("doomed", world.Carol), "series": daily(meeting("doomed", world.Carol))} {
		for way, remove := range deletions {
			t.Run(kind+" "+way, func(t *testing.T) {
				with(t, world.Options{Faults: faults}, func(s *scene) {
					s.create(world.Alice, content)
					var ids []int
					for _, event := range s.NightPOS.Events() {
						ids = append(ids, event["id"].(int))
					}
					run(s, func() { remove(s, ids...) })
				})
			})
		}
	}
}

// TestFact8_2WhatIsNotFoundOnceIsNotDeleted: Graph does not find an event just when
// its record goes. It must not come back.
func TestFact8_2WhatIsNotFoundOnceIsNotDeleted(t *testing.T) {
	var lost atomic.Int64
	faults := func(call simoutlook.CallInfo) *simoutlook.Fault {
		if call.Template == "/me/events/{event}" && call.Method == http.MethodGet && lost.Add(-1) >= 0 {
			return &simoutlook.Fault{Status: http.StatusNotFound}
		}
		return nil
	}
	removing(t, faults, func(s *scene, remove func()) {
		lost.Store(1)
		remove()
		s.Quiet()
		if lost.Load() > 0 {
			s.Fatal("the event was not looked for")
		}
		s.shows(alone)
		s.Sweep()
		s.shows(alone)
	})
}

// refusals are faults that refuse every deletion for as long as the flag is set.
func refusals() (*atomic.Bool, func(simoutlook.CallInfo) *simoutlook.Fault) {
	refusing := &atomic.Bool{}
	return refusing, func(call simoutlook.CallInfo) *simoutlook.Fault {
		if call.Method == http.MethodDelete && refusing.Load() {
			return &simoutlook.Fault{Status: http.StatusForbidden}
		}
		return nil
	}
}

// TestARefusedDeletionIsNotUndone: Graph refuses a deletion for an hour. The meeting
// does not come back in NightPOS meanwhile, and goes in the end.
func TestARefusedDeletionIsNotUndone(t *testing.T) {
	refusing, faults := refusals()
	removing(t, faults, func(s *scene, remove func()) {
		refusing.Store(true)
		remove()
		time.Sleep(30 * time.Minute)
		s.Sweep()
		time.Sleep(30 * time.Minute)
		if got, left := s.inNightPOS(), s.inOutlook(world.Alice); len(got) > 0 || len(left) == 0 {
			s.Errorf("NightPOS shows %q again, and Outlook %q\n%s", got, left, s.Log())
		}
		refusing.Store(false)
		time.Sleep(70 * time.Minute)
		s.Quiet()
		s.shows(alone)
		s.Sweep()
		s.shows(alone)
	})
}

// TestARefusedDeletionOfAnOccurrenceIsNotUndone: neither at once nor by a sweep.
func TestARefusedDeletionOfAnOccurrenceIsNotUndone(t *testing.T) {
	refusing, faults := refusals()
	for way, remove := range deletions {
		t.Run(way, func(t *testing.T) {
			with(t, world.Options{Faults: faults}, func(s *scene) {
				s.create(world.Alice, daily(meeting("daily", world.Carol)))
				members, err := s.Gateway.Store().Members(s.Context())
				s.must(err)
				second := s.NightPOS.Events()[1]
				left := slices.DeleteFunc(s.inNightPOS(), func(shown string) bool { return shown == fmt.Sprintf("%.19s daily", second["start"]) })
				refusing.Store(true)
				remove(s, second["id"].(int))
				time.Sleep(10 * time.Second)
				for _, member := range members {
					s.must(s.Gateway.Sweep(s.Context(), member.ID))
				}
				time.Sleep(10 * time.Second)
				if got := s.inNightPOS(); !slices.Equal(got, left) {
					s.Errorf("NightPOS shows %q, want %q\n%s", got, left, s.Log())
				}
				refusing.Store(false)
				s.Quiet()
				s.shows(alone, left...)
				s.Sweep()
				s.shows(alone, left...)
			})
		})
	}
}
