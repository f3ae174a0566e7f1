package outlook_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// shared is a budget in the store that replicas share.
type shared struct{ store *redis.Store }

func (s shared) Spend(ctx context.Context, lane string, every time.Duration, burst, calls int, longest time.Duration) (time.Duration, bool, error) {
	return s.store.Spend(ctx, lane, redis.Rate{Every: every, Burst: burst}, calls, longest)
}

func (s shared) LeaveAlone(ctx context.Context, lane string, pause time.Duration) error {
	return s.store.LeaveAlone(ctx, lane, pause)
}

// replicas makes clients that share a store.
func (w *world) replicas(count int) []*outlook.Client {
	w.Helper()
	engine, err := redis.NewInProcess("", nil)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(func() { _ = engine.Close() })
	sealer, err := redis.NewSealer(make([]byte, 32))
	if err != nil {
		w.Fatal(err)
	}
	var clients []*outlook.Client
	for range count {
		store, err := redis.Open(w.Context(), redis.Config{Engine: engine, Seal: sealer})
		if err != nil {
			w.Fatal(err)
		}
		w.Cleanup(func() { _ = store.Close() })
		clients = append(clients, w.replica(func(config *outlook.Config) { config.Budget = shared{store} }))
	}
	return clients
}

// running counts calls that are under way at the same time.
type running struct {
	mutex     sync.Mutex
	now, most int
	throttled int
}

func (r *running) RoundTrip(request *http.Request, next http.RoundTripper) (*http.Response, error) {
	weight := 1
	if strings.HasSuffix(request.URL.Path, "/$batch") {
		weight = 4
	}
	if strings.Contains(request.URL.Path, "/oauth2/") {
		weight = 0
	}
	r.add(weight)
	defer r.add(-weight)
	answer, err := next.RoundTrip(request)
	if err == nil && answer.StatusCode == http.StatusTooManyRequests {
		r.mutex.Lock()
		r.throttled++
		r.mutex.Unlock()
	}
	return answer, err
}

func (r *running) add(weight int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.now += weight
	r.most = max(r.most, r.now)
}

func TestThreeCallsAtOnceAndABatchAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) {
			config.Latency = func(string, string) time.Duration { return 200 * time.Millisecond }
		})
		var counted running
		client := w.replica(func(config *outlook.Config) {
			next := config.HTTP
			config.HTTP = roundTripper(func(request *http.Request) (*http.Response, error) { return counted.RoundTrip(request, next) })
		})
		var group sync.WaitGroup
		for index := range 24 {
			ids := []string{"a"}
			if index%3 == 0 {
				ids = []string{"a", "b", "c", "d", "e", "f"}
			}
			group.Go(func() {
				if _, failed, err := client.Read(t.Context(), alice, ids); err != nil || len(failed) > 0 {
					t.Errorf("10.1: got %v, %v, want no error", failed, err)
				}
			})
		}
		group.Wait()
		if counted.most != 4 || counted.throttled != 0 {
			t.Errorf("10.1: %d at once, where a batch counts four, and %d refused; want 4 and none", counted.most, counted.throttled)
		}
	})
}

// TestTenThousandCallsInTenMinutesAreNotReached makes calls for one mailbox as
// fast as it may, on one replica after the other.
func TestTenThousandCallsInTenMinutesAreNotReached(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) { config.Switches.LongLivedTokens = true })
		clients := w.replicas(2)
		ids := make([]string, 20)
		for index := range ids {
			ids[index] = fmt.Sprint("AAMkNoSuchEvent", index)
		}
		began, calls := time.Now(), 0
		for round := 0; time.Since(began) < 10*time.Minute; round++ {
			_, failed, err := clients[round%2].Read(t.Context(), alice, ids)
			var retry *reconciler.RetryError
			switch {
			case errors.As(err, &retry):
				time.Sleep(retry.After)
			case err != nil || len(failed) > 0:
				t.Fatalf("10.1: got %v, %v, want no error", failed, err)
			default:
				calls += len(ids)
			}
		}
		if calls < 9_500 || calls > 10_000 {
			t.Errorf("10.1: %d calls in %s, want close to 10,000 and no more", calls, time.Since(began))
		}
		for _, call := range w.sim.Calls() {
			if call.Status == http.StatusTooManyRequests {
				t.Fatalf("10.1: %s was answered 429", call.Template)
			}
		}
	})
}

func TestEveryReplicaLeavesAMailboxAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := true
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if failing && info.Mailbox == alice.Address {
					return &sim.Fault{Status: http.StatusServiceUnavailable, RetryAfter: 30 * time.Second}
				}
				return nil
			}
		})
		clients := w.replicas(2)
		var retry *reconciler.RetryError
		if err := look(t.Context(), clients[0], alice); !errors.As(err, &retry) || retry.After != 30*time.Second {
			t.Fatalf("10.2: got %v, want to come back in 30 s", err)
		}
		failing = false
		time.Sleep(10 * time.Second)
		calls := len(w.sim.Calls())
		for _, client := range clients {
			if err := look(t.Context(), client, alice); !errors.As(err, &retry) || retry.After != 20*time.Second {
				t.Errorf("10.2: got %v, want to come back in the 20 s that are left", err)
			}
		}
		if got := len(w.sim.Calls()); got != calls {
			t.Errorf("10.2: %d calls meanwhile, want none", got-calls)
		}
		if err := look(t.Context(), clients[1], bob); err != nil {
			t.Errorf("10.1: another mailbox: got %v, want no error", err)
		}
		time.Sleep(20 * time.Second)
		for _, client := range clients {
			if err := look(t.Context(), client, alice); err != nil {
				t.Errorf("afterwards: got %v, want no error", err)
			}
		}
	})
}

// TestItemsOfABatchThatWerePutOff is 10.3 and 10.4: those alone are asked for
// again, and the whole mailbox waits for them.
func TestItemsOfABatchThatWerePutOff(t *testing.T) {
	for _, c := range []struct {
		name  string
		pause time.Duration
		// again says that the client itself asks again.
		again bool
	}{{"10.3 shortly", 2 * time.Second, true}, {"10.3 for long", time.Minute, false}, {"10.2 without saying how long", 0, true}} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var mutex sync.Mutex
				asked := map[string]int{}
				slow := ""
				w := newWorld(t, func(config *sim.Config) {
					config.Faults = func(info sim.CallInfo) *sim.Fault {
						if !info.BatchItem || info.Method != http.MethodGet {
							return nil
						}
						mutex.Lock()
						defer mutex.Unlock()
						if asked[info.Path]++; strings.HasSuffix(info.Path, slow) && asked[info.Path] == 1 {
							return &sim.Fault{Status: http.StatusTooManyRequests, RetryAfter: c.pause}
						}
						return nil
					}
				})
				var ids []string
				for index := range 5 {
					event := create(meeting())
					event.Key, event.Event.People = fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", index), nil
					ids = append(ids, w.write(alice, event).Copy.ID)
				}
				slow = ids[2]
				clients := w.replicas(2)
				began := time.Now()
				copies, failed, err := clients[0].Read(t.Context(), alice, ids)
				if err != nil {
					t.Fatal(err)
				}
				var retry *reconciler.RetryError
				if c.again {
					least := max(c.pause, 2*time.Second)
					if took := time.Since(began); len(copies) != 5 || len(failed) != 0 || took < least || took > least+time.Second {
						t.Errorf("got %d events, %v after %s, want all after %s", len(copies), failed, took, least)
					}
				} else if len(copies) != 4 || !errors.As(failed[slow], &retry) || retry.After != c.pause || time.Since(began) > time.Second {
					t.Errorf("got %d events, %v, want four, and to come back for one in %s", len(copies), failed, c.pause)
				} else if err := look(t.Context(), clients[1], alice); !errors.As(err, &retry) || retry.Cause != "throttled" || retry.After > c.pause {
					t.Errorf("another replica: got %v, want to leave the mailbox alone", err)
				}
				for id, times := range asked {
					want := 1
					if c.again && strings.HasSuffix(id, slow) {
						want = 2
					}
					if times != want {
						t.Errorf("an event was asked for %d times, want %d", times, want)
					}
				}
			})
		})
	}
}

// TestWritesOfABatchThatWerePutOff: what depends on one that was put off comes
// after it again, and nothing is carried out twice.
func TestWritesOfABatchThatWerePutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mutex sync.Mutex
		patches := 0
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if info.Method != http.MethodPatch {
					return nil
				}
				mutex.Lock()
				defer mutex.Unlock()
				if patches++; patches == 1 {
					return &sim.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Second}
				}
				return nil
			}
		})
		made := *w.write(alice, create(meeting())).Copy
		time.Sleep(time.Second)
		mails := len(w.sim.Mails())
		event := made.Event
		event.Title = "Renamed"
		other := create(meeting())
		other.Key, other.Event.People = "6ba7b810-9dad-11d1-80b4-000000000001", nil
		results := w.client.Write(t.Context(), alice, []reconciler.OutlookWrite{
			{Action: reconciler.ActionUpdate, ID: made.ID, Current: &made, Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldTitle)},
			{Action: reconciler.ActionDelete, ID: made.ID},
			other,
		})
		for index, result := range results {
			if result.Err != nil {
				t.Errorf("10.3 write %d: got %v, want no error", index, result.Err)
			}
		}
		time.Sleep(time.Second)
		var kinds []string
		for _, mail := range w.sim.Mails()[mails:] {
			kinds = append(kinds, mail.Kind)
		}
		if got := w.sim.Mailbox(alice.Address).Events(); len(got) != 1 || !slices.Equal(kinds, []string{"update", "cancellation"}) {
			t.Errorf("10.3: %d events left, mails %v; want one event, and one update and one cancellation", len(got), kinds)
		}
	})
}

// crowd is a world with more people.
func crowd(t *testing.T, count int, change func(*sim.Config)) (*world, []reconciler.Member) {
	t.Helper()
	var members []reconciler.Member
	w := newWorld(t, func(config *sim.Config) {
		config.Switches.LongLivedTokens = true
		for index := range count {
			member := reconciler.Member{ID: fmt.Sprint(100 + index), Address: fmt.Sprintf("person%d@nightpos.example", index)}
			config.People = append(config.People, sim.Person{Name: "Person", Address: member.Address})
			members = append(members, member)
		}
		change(config)
	})
	for _, member := range members {
		access, refresh, expires := w.sim.Token(t.Context(), member.Address, sim.DefaultApplication.ID, []string{"offline_access", "Calendars.ReadWrite"})
		w.tokens.set(member.ID, outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires})
	}
	return w, members
}

func TestAnOutageCostsFewCalls(t *testing.T) {
	for name, fault := range map[string]*sim.Fault{
		"answers 503": {Status: http.StatusServiceUnavailable}, "drops": {Drop: true}, "hangs": {Drop: true, Delay: 31 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				out, reached := true, 0
				var mutex sync.Mutex
				w, members := crowd(t, 50, func(config *sim.Config) {
					config.Faults = func(sim.CallInfo) *sim.Fault {
						mutex.Lock()
						defer mutex.Unlock()
						reached++
						if out {
							return fault
						}
						return nil
					}
				})
				began := time.Now()
				for round := 0; time.Since(began) < time.Hour; round++ {
					for _, member := range members {
						var retry *reconciler.RetryError
						if err := look(t.Context(), w.client, member); !errors.As(err, &retry) {
							t.Fatalf("got %v, want to come back", err)
						}
					}
					time.Sleep(10 * time.Second)
				}
				// One call at a time finds out, each tried up to three times.
				mutex.Lock()
				if most := 3 * (5 + int(time.Hour/(15*time.Second))); reached > most {
					t.Errorf("%d calls in an hour, want at most %d", reached, most)
				}
				mutex.Unlock()
				if w.client.Outage() == nil {
					t.Error("no outage is shown")
				}
				mutex.Lock()
				out = false
				mutex.Unlock()
				time.Sleep(15 * time.Second)
				for _, member := range members {
					if err := look(t.Context(), w.client, member); err != nil {
						t.Errorf("afterwards: got %v, want no error", err)
					}
				}
				if err := w.client.Outage(); err != nil {
					t.Errorf("afterwards: got %v, want no outage", err)
				}
			})
		})
	}
}

func TestOneSickMailboxIsNoOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if info.Mailbox == alice.Address {
					return &sim.Fault{Status: http.StatusServiceUnavailable}
				}
				return nil
			}
		})
		for range 50 {
			_ = look(t.Context(), w.client, alice) // fails as it must
		}
		if err := look(t.Context(), w.client, bob); err != nil || w.client.Outage() != nil {
			t.Errorf("bob: got %v and outage %v, want neither", err, w.client.Outage())
		}
	})
}

func TestAnOutageOfSignInIsItsOwn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, members := crowd(t, 20, func(config *sim.Config) {
			config.Switches.LongLivedTokens = false
			config.SignInFaults = func(sim.SignInCall) *sim.SignInFault {
				return &sim.SignInFault{Status: http.StatusServiceUnavailable, Error: "temporarily_unavailable", Number: 90033}
			}
		})
		time.Sleep(3 * time.Hour)
		for range 10 {
			for _, member := range members {
				_ = look(t.Context(), w.client, member) // fails as it must
			}
		}
		if got := len(w.sim.SignIns()); got > 6 {
			t.Errorf("sign-in was asked %d times, want few", got)
		}
		if err := w.client.Outage(); err == nil || !strings.Contains(err.Error(), "sign-in") {
			t.Errorf("got %v, want an outage of sign-in", err)
		}
	})
}
