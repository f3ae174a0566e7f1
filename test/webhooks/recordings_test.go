package webhooks_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	"github.com/nightpos/outlook-gateway/test/switches"
	"github.com/nightpos/outlook-gateway/test/world"
)

// The tests of this file are named after the recordings whose NightPOS they hold
// the gateway against.

// scene is a world, and what it is tested with.
type scene struct {
	*testing.T
	*world.World
	alice, bob *simnightpos.Member
}

// every plays a scene with each version of NightPOS.
func every(t *testing.T, change func(version int, config *simnightpos.Config), play func(s *scene, version int)) {
	for _, version := range world.Versions(17, 18, 19) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				options := world.Options{Version: version, Seed: uint64(version)}
				if change != nil {
					options.NightPOS = func(config *simnightpos.Config) { change(version, config) }
				}
				w := world.New(t, options)
				defer w.Close()
				w.Quiet()
				play(&scene{T: t, World: w, alice: w.NightPOS.Member("alice"), bob: w.NightPOS.Member("bob")}, version)
			})
		})
	}
}

func (s *scene) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

// meeting is alice's, with bob, on the given hour of a day in the future.
func (s *scene) meeting(title string, hour int) map[string]any {
	start := time.Now().UTC().AddDate(0, 0, 7).Truncate(24 * time.Hour).Add(time.Duration(hour) * time.Hour)
	return map[string]any{
		"name": title, "start": start.Format(time.DateTime), "stop": start.Add(time.Hour).Format(time.DateTime),
		"partner_ids": []any{[]any{6, 0, []any{s.alice.PartnerID, s.bob.PartnerID}}},
	}
}

// create makes a meeting and waits until it is in Outlook.
func (s *scene) create(title string) int {
	s.Helper()
	id, err := s.alice.Create(s.Context(), s.meeting(title, 9))
	s.must(err)
	s.Quiet()
	s.same()
	return id
}

// same fails unless both sides show each person the same.
func (s *scene) same() {
	s.Helper()
	for _, login := range []string{"alice", "bob"} {
		if difference := cmp.Diff(inNightPOS(s.World, login), inOutlook(s.World, login)); difference != "" {
			s.Errorf("%s's calendars differ (-NightPOS +Outlook):\n%s\n%s", login, difference, s.Log())
		}
	}
}

// shown is alice's only event in Outlook.
func (s *scene) shown() map[string]any {
	s.Helper()
	events := s.Outlook.Mailbox(world.Alice).Events()
	if len(events) != 1 {
		s.Fatalf("alice's Outlook shows %d events, want 1\n%s", len(events), s.Log())
	}
	return events[0]
}

// Webhooks of what is rolled back, until 19, lead to a look and to nothing else,
// whether the record never was or is as before.
func Test345Phantom(t *testing.T) {
	var rollback atomic.Bool
	every(t, func(_ int, config *simnightpos.Config) {
		config.Call = func(model, method string) simnightpos.CallFate {
			return simnightpos.CallFate{Rollback: rollback.Load() && model == "calendar.event"}
		}
	}, func(s *scene, version int) {
		id := s.create("Real")
		writes, told := s.Writes(), s.NightPOS.Counts()["webhook"]
		rollback.Store(true)
		_, created := s.alice.Create(s.Context(), s.meeting("Phantom", 11))
		changed := s.alice.Write(s.Context(), []int{id}, map[string]any{"name": "Phantom", "location": "Nowhere"})
		deleted := s.alice.Unlink(s.Context(), id)
		rollback.Store(false)
		if created == nil || changed == nil || deleted == nil {
			s.Fatalf("got %v, %v and %v, want that nothing was done", created, changed, deleted)
		}
		s.Quiet()
		s.same()
		if got := s.Writes() - writes; got != 0 {
			s.Errorf("phantoms led to %d writes in Outlook, want none\n%s", got, s.Log())
		}
		if heard := s.NightPOS.Counts()["webhook"] > told; heard != (version < 19) {
			s.Errorf("webhooks of what was rolled back were sent: %t, want %t", heard, version < 19)
		}
		if title := s.shown()["subject"]; title != "Real" {
			s.Errorf("Outlook shows %q, want what is real", title)
		}
	})
}

// One call that makes or changes 50 events sends up to 250 webhooks, and costs a
// few calls all together.
func Test323And324Burst(t *testing.T) {
	every(t, func(_ int, config *simnightpos.Config) {
		// What comes in during a call shares the next.
		config.Latency = func(string, string) time.Duration { return 20 * time.Millisecond }
	}, func(s *scene, _ int) {
		const count = 50
		most := 20
		if slices.Contains([]string{"NotificationDelay=10s", "MeetingDelay=2s"}, switches.Now().Name) {
			// What Outlook tells of the gateway's own writes, or of the invitations that they
			// send, comes one by one then.
			most += count
		}
		var list []map[string]any
		for number := range count {
			list = append(list, s.meeting(fmt.Sprintf("Meeting %d", number), number))
		}
		before := s.NightPOS.Counts()
		since := func(what string) {
			s.Helper()
			s.Quiet()
			s.same()
			after := s.NightPOS.Counts()
			calls := after["door reading"] - before["door reading"] + after["door writing"] - before["door writing"]
			if told := after["webhook"] - before["webhook"]; told < count || calls > most {
				s.Errorf("%s: %d webhooks led to %d calls, want %d or more and at most %d", what, told, calls, count, most)
			}
			before = after
		}
		made, err := s.alice.CreateAll(s.Context(), list...)
		s.must(err)
		since("creating")
		if got := len(s.Outlook.Mailbox(world.Alice).Events()); got != count {
			s.Errorf("Outlook shows %d events, want %d", got, count)
		}
		s.must(s.alice.Write(s.Context(), made, map[string]any{"location": "Room 1"}))
		since("changing")
	})
}

// way is the way of NightPOS's webhooks to the gateway. Its methods are called
// concurrently.
type way struct {
	open    http.RoundTripper
	mutex   sync.Mutex
	blocked func(*http.Request) (*http.Response, error)
}

func (w *way) block(as func(*http.Request) (*http.Response, error)) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.blocked = as
}

// RoundTrip implements http.RoundTripper.
func (w *way) RoundTrip(request *http.Request) (*http.Response, error) {
	w.mutex.Lock()
	blocked := w.blocked
	w.mutex.Unlock()
	if blocked != nil {
		return blocked(request)
	}
	return w.open.RoundTrip(request)
}

// Where the gateway, or what stands before it, is slow, broken or away, people can
// work in NightPOS all the same, and what was not told arrives later.
func Test340To344ListenerSlowBrokenClosingAndDown(t *testing.T) {
	for name, fault := range map[string]func(*http.Request) (*http.Response, error){
		"340 slow": func(request *http.Request) (*http.Response, error) {
			select {
			case <-request.Context().Done():
				return nil, request.Context().Err()
			case <-time.After(3 * time.Second):
				return nil, io.ErrUnexpectedEOF
			}
		},
		"341 answers 500": func(request *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusInternalServerError, Body: io.NopCloser(strings.NewReader("")), Request: request}, nil
		},
		"343 closes without an answer": func(*http.Request) (*http.Response, error) { return nil, io.EOF },
		"344 down":                     func(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") },
	} {
		t.Run(name, func(t *testing.T) {
			var path *way
			every(t, func(_ int, config *simnightpos.Config) {
				path = &way{open: config.Transport}
				config.Transport = path
			}, func(s *scene, _ int) {
				id := s.create("Before")
				path.block(fault)
				lost := s.NightPOS.Counts()["webhook lost"]
				began := time.Now()
				s.must(s.alice.Write(s.Context(), []int{id}, map[string]any{"location": "Room 1"}))
				lost = s.NightPOS.Counts()["webhook lost"] - lost
				// NightPOS waits a second for each.
				if took := time.Since(began); lost == 0 || took > time.Duration(lost)*time.Second+100*time.Millisecond {
					s.Errorf("a change with %d webhooks lost took %s", lost, took)
				}
				s.Quiet()
				path.block(nil)
				if place := s.shown()["location"].(map[string]any)["displayName"]; place == "Room 1" {
					s.Error("Outlook shows a change that nobody told of")
				}
				time.Sleep(7 * time.Hour)
				s.Quiet()
				s.same()
			})
		})
	}
}

// Two people who write the same event at once both have their way, though one of
// the transactions is tried again, until 19 with its webhooks.
func Test346ConcurrentWrites(t *testing.T) {
	every(t, func(_ int, config *simnightpos.Config) {
		config.CommitDelay = func() time.Duration { return 50 * time.Millisecond }
	}, func(s *scene, _ int) {
		id := s.create("Before")
		var group sync.WaitGroup
		var failed [2]error
		group.Go(func() { failed[0] = s.alice.Write(s.Context(), []int{id}, map[string]any{"name": "After"}) })
		group.Go(func() { failed[1] = s.bob.Write(s.Context(), []int{id}, map[string]any{"location": "Room 1"}) })
		group.Wait()
		s.must(errors.Join(failed[:]...))
		s.Quiet()
		s.same()
		shown := s.shown()
		if place := shown["location"].(map[string]any)["displayName"]; shown["subject"] != "After" || place != "Room 1" {
			s.Errorf("Outlook shows %q at %q, want both changes", shown["subject"], place)
		}
	})
}

// Answers do not move an event's write_date; they arrive all the same, told or
// not.
func Test050And317And318Answers(t *testing.T) {
	var silent atomic.Bool
	every(t, func(_ int, config *simnightpos.Config) {
		config.Webhook = func(string, []byte) simnightpos.WebhookFate { return simnightpos.WebhookFate{Drop: silent.Load()} }
	}, func(s *scene, _ int) {
		id := s.create("Invitation")
		written := func() any { return s.NightPOS.Events()[0]["write_date"] }
		before := written()
		answered := func(want string) {
			s.Helper()
			people, _ := s.shown()["attendees"].([]any)
			for _, one := range people {
				person := one.(map[string]any)
				if person["emailAddress"].(map[string]any)["address"] == world.Bob {
					if got := person["status"].(map[string]any)["response"]; got != want {
						s.Errorf("alice's Outlook shows bob's answer as %v, want %s\n%s", got, want, s.Log())
					}
					return
				}
			}
			s.Errorf("alice's Outlook shows no bob: %v", people)
		}
		s.must(s.bob.Answer(s.Context(), id, "accepted"))
		s.Quiet()
		answered("accepted")
		silent.Store(true)
		s.must(s.bob.Answer(s.Context(), id, "declined"))
		s.Quiet()
		answered("accepted")
		silent.Store(false)
		time.Sleep(7 * time.Hour)
		s.Quiet()
		answered("declined")
		if now := written(); now != before {
			s.Errorf("the event's write_date moved from %v to %v, want answers alone", before, now)
		}
	})
}

// A private event is read in full though NightPOS shows it as "Busy" to everyone
// else, the gateway's account included.
func Test041And321Private(t *testing.T) {
	every(t, nil, func(s *scene, _ int) {
		values := s.meeting("Secret", 9)
		values["privacy"], values["location"] = "private", "Secret place"
		values["partner_ids"] = []any{[]any{6, 0, []any{s.alice.PartnerID}}}
		id, err := s.alice.Create(s.Context(), values)
		s.must(err)
		s.Quiet()
		s.must(s.alice.Write(s.Context(), []int{id}, map[string]any{"name": "Still secret"}))
		s.Quiet()
		s.same()
		shown := s.shown()
		if shown["subject"] != "Still secret" || shown["sensitivity"] != "private" {
			s.Errorf("Outlook shows %q as %v, want it in full, and private", shown["subject"], shown["sensitivity"])
		}
		// What Outlook changes of it changes nothing else.
		_, err = s.Outlook.Mailbox(world.Alice).Update(s.Context(), shown["id"].(string), map[string]any{"subject": "Secret of old"})
		s.must(err)
		s.Quiet()
		s.same()
		event := s.NightPOS.Events()[0]
		if event["name"] != "Secret of old" || event["location"] != "Secret place" || event["privacy"] != "private" {
			s.Errorf("NightPOS shows %q at %q as %v", event["name"], event["location"], event["privacy"])
		}
	})
}

// While the built-in sync of a person has a token it works, paused or not: the
// gateway connects that person only once it is stopped.
func Test600And601BuiltInSync(t *testing.T) {
	for _, version := range world.Versions(17, 18, 19) {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := world.New(t, world.Options{Version: version, Connect: []string{"bob"}})
				defer w.Close()
				admin, alice := w.NightPOS.Member("admin"), w.NightPOS.Member("alice").ID
				refused := func(what string, want error, failed error) {
					t.Helper()
					if failed != nil {
						t.Fatal(failed)
					}
					if err := w.TryConnect("alice"); !errors.Is(err, want) {
						t.Errorf("%s: got %v, want %v", what, err, want)
					}
				}
				refused("connected", service.ErrBuiltInSync, admin.WriteUser(t.Context(), alice, map[string]any{"microsoft_calendar_rtoken": "token"}))
				refused("paused", service.ErrBuiltInSync, admin.SetParameter(t.Context(), "microsoft_calendar_sync_paused", "True"))
				refused("stopped", nil, admin.WriteUser(t.Context(), alice, map[string]any{"microsoft_synchronization_stopped": true}))
				w.Quiet()
			})
		})
	}
}
