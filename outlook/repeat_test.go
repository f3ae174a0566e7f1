package outlook_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// lost are the ways in which an answer gets lost after the server did what it
// was asked.
var lost = map[string]sim.Fault{
	"503 after commit":     {Status: http.StatusServiceUnavailable, AfterCommit: true},
	"504 after commit":     {Status: http.StatusGatewayTimeout, AfterCommit: true},
	"dropped after commit": {Drop: true, AfterCommit: true},
	"timeout after commit": {Drop: true, AfterCommit: true, Delay: 29 * time.Second},
	"503 before":           {Status: http.StatusServiceUnavailable},
	"dropped before":       {Drop: true},
}

// TestWritesWhoseAnswerWasLost: whatever became of a write, looking again and
// writing what is still missing ends with the event as it was meant, once, and
// with one mail, whether or not the server looks at If-Match.
func TestWritesWhoseAnswerWasLost(t *testing.T) {
	for name, fault := range lost {
		for _, ignored := range []bool{false, true} {
			for _, inBatch := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/7.6 If-Match ignored %t/in a batch %t", name, ignored, inBatch), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { writeWithLostAnswer(t, fault, ignored, inBatch) })
				})
			}
		}
	}
}

func writeWithLostAnswer(t *testing.T, fault sim.Fault, ignored, inBatch bool) {
	var mutex sync.Mutex
	armed := ""
	w := newWorld(t, func(config *sim.Config) {
		config.Switches.IgnoreIfMatch = ignored
		config.Faults = func(info sim.CallInfo) *sim.Fault {
			mutex.Lock()
			defer mutex.Unlock()
			if armed == "" || info.Method != armed || info.Path == "/$batch" {
				return nil
			}
			armed = ""
			return &fault
		}
	})
	arm := func(method string) {
		mutex.Lock()
		defer mutex.Unlock()
		armed = method
	}
	// write repeats until there is an answer, looking before every try as the
	// engine does.
	number := 0
	write := func(next func() *reconciler.OutlookWrite) {
		t.Helper()
		for try := 0; ; try++ {
			write := next()
			if write == nil {
				return
			}
			writes := []reconciler.OutlookWrite{*write}
			if inBatch {
				number++
				other := create(meeting())
				other.Key, other.Event.People, other.RecordID = fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", number), nil, int64(1000+number)
				writes = append(writes, other)
			}
			result := w.client.Write(t.Context(), alice, writes)[0]
			var retry *reconciler.RetryError
			switch {
			case result.Err == nil:
				return
			case try > 5, !errors.As(result.Err, &retry) && !errors.Is(result.Err, reconciler.ErrStale):
				t.Fatalf("%s, try %d: got %v", write.Action, try, result.Err)
			}
			time.Sleep(time.Second)
		}
	}
	var made reconciler.Copy
	look := func() (reconciler.Copy, bool) {
		t.Helper()
		copies, failed, err := w.client.Read(t.Context(), alice, []string{made.ID})
		if err != nil || len(failed) > 0 {
			t.Fatalf("reading: %v, %v", err, failed)
		}
		found, there := copies[made.ID]
		return found, there
	}
	arm(http.MethodPost)
	write(func() *reconciler.OutlookWrite {
		write := create(meeting())
		return &write
	})
	listed, err := w.client.List(t.Context(), alice, reconciler.Window{Start: day(0, 0), End: day(23, 0)})
	if err != nil {
		t.Fatal(err)
	}
	for _, found := range listed {
		if found.RecordID == 42 {
			if made.ID != "" {
				t.Fatal("7.14: the event was made twice")
			}
			made = found
		}
	}
	arm(http.MethodPatch)
	write(func() *reconciler.OutlookWrite {
		current, there := look()
		if !there || current.Event.Title == "Renamed" {
			return nil
		}
		event := current.Event
		event.Title = "Renamed"
		return &reconciler.OutlookWrite{
			Action: reconciler.ActionUpdate, ID: made.ID, ChangeKey: current.ChangeKey, Current: &current,
			Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldTitle),
		}
	})
	if current, _ := look(); current.Event.Title != "Renamed" || current.RecordID != 42 {
		t.Errorf("after the update: title %q, record %d", current.Event.Title, current.RecordID)
	}
	arm(http.MethodDelete)
	write(func() *reconciler.OutlookWrite {
		current, there := look()
		if !there {
			return nil
		}
		return &reconciler.OutlookWrite{Action: reconciler.ActionDelete, ID: made.ID, ChangeKey: current.ChangeKey}
	})
	if _, there := look(); there {
		t.Error("the event is still there")
	}
	time.Sleep(time.Minute)
	kinds := map[string]int{}
	for _, mail := range w.sim.Mails() {
		kinds[mail.Kind]++
	}
	if kinds["invitation"] != 1 || kinds["update"] != 1 || kinds["cancellation"] != 1 {
		t.Errorf("mails %v, want one invitation, one update and one cancellation", kinds)
	}
}

// TestACreateIsNotRepeatedUnseen: when its answer was lost a person may edit the
// event before it is asked for again, and the second answer shows the edit.
func TestACreateIsNotRepeatedUnseen(t *testing.T) {
	for name, fault := range lost {
		for _, inBatch := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s/in a batch %t", name, inBatch), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					creates, batches := 0, 0
					w := newWorld(t, func(config *sim.Config) {
						config.Faults = func(info sim.CallInfo) *sim.Fault {
							switch {
							case info.Path == "/$batch":
								if batches++; batches == 1 {
									return &fault
								}
							case info.Method == http.MethodPost:
								if creates++; creates == 1 && !inBatch {
									return &fault
								}
							}
							return nil
						}
					})
					writes := []reconciler.OutlookWrite{create(meeting())}
					if inBatch {
						other := create(meeting())
						other.Key = "6ba7b810-9dad-11d1-80b4-000000000001"
						writes = append(writes, other)
					}
					for _, result := range w.client.Write(t.Context(), alice, writes) {
						if result.Err == nil {
							t.Errorf("got %+v, want to be asked again", result.Copy)
						}
					}
					if creates > len(writes) || batches > 1 {
						t.Errorf("%d creates and %d batches were sent", creates, batches)
					}
				})
			})
		}
	}
}

// TestAnAnswerWhoseAnswerWasLost: a reply to an invitation is not mailed twice.
func TestAnAnswerWhoseAnswerWasLost(t *testing.T) {
	for name, fault := range lost {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				struck := false
				w := newWorld(t, func(config *sim.Config) {
					config.Faults = func(info sim.CallInfo) *sim.Fault {
						if struck || !strings.HasSuffix(info.Template, "/accept") {
							return nil
						}
						struck = true
						return &fault
					}
				})
				w.write(alice, create(meeting()))
				time.Sleep(time.Second)
				listed, err := w.client.List(t.Context(), bob, reconciler.Window{Start: day(0, 0), End: day(23, 0)})
				if err != nil || len(listed) != 1 {
					t.Fatalf("bob's calendar: %d events, %v", len(listed), err)
				}
				for try := 0; w.read(bob, listed[0].ID).OwnAnswer != reconciler.AnswerAccepted; try++ {
					if try > 3 {
						t.Fatal("the answer does not arrive")
					}
					_ = w.client.Write(t.Context(), bob, []reconciler.OutlookWrite{{Action: reconciler.ActionAnswer, ID: listed[0].ID, Answer: reconciler.AnswerAccepted}})
					time.Sleep(time.Second)
				}
				responses := 0
				for _, mail := range w.sim.Mails() {
					if mail.Kind == "response" {
						responses++
					}
				}
				if responses != 1 {
					t.Errorf("%d mails to the organizer, want one", responses)
				}
			})
		})
	}
}

// TestAGuardThatMayBeIgnored is 7.6: where If-Match is honoured a stale write does
// nothing; where it is not, a write still touches its own fields only, and what
// else changed meanwhile shows in the answer.
func TestAGuardThatMayBeIgnored(t *testing.T) {
	for _, ignored := range []bool{false, true} {
		t.Run(fmt.Sprintf("7.6 ignored %t", ignored), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *sim.Config) { config.Switches.IgnoreIfMatch = ignored })
				read := *w.write(alice, create(meeting())).Copy
				mailbox := w.sim.Mailbox(alice.Address)
				if _, err := mailbox.Update(t.Context(), mailbox.Events()[0]["id"].(string), map[string]any{"subject": "by Alice", "categories": []string{"Green"}}); err != nil {
					t.Fatal(err)
				}
				event := read.Event
				event.Place = "Room 2"
				result := w.client.Write(t.Context(), alice, []reconciler.OutlookWrite{{
					Action: reconciler.ActionUpdate, ID: read.ID, ChangeKey: read.ChangeKey, Current: &read,
					Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldPlace),
				}})[0]
				found := w.read(alice, read.ID).Event
				if found.Title != "by Alice" || len(found.Categories) != 1 || found.Categories[0] != "Green" {
					t.Errorf("title %q, categories %v; want Alice's own", found.Title, found.Categories)
				}
				if !ignored {
					if !errors.Is(result.Err, reconciler.ErrStale) || found.Place != "Room 1" {
						t.Errorf("got %v and place %q, want ErrStale and nothing written", result.Err, found.Place)
					}
					return
				}
				if result.Err != nil || found.Place != "Room 2" || result.Copy.Event.Title != "by Alice" {
					t.Errorf("got %v, place %q; want it written, and Alice's title in the answer", result.Err, found.Place)
				}
			})
		})
	}
}

// TestTrap13_10ConflictsForNoReason is 7.6 and 13.10: 412 comes to reads too, and to writes
// whose version was the right one.
func TestTrap13_10ConflictsForNoReason(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) { config.Switches.TransientConflicts = 0.035 })
		var ids []string
		for index := range 40 {
			write := create(meeting())
			write.Event.People, write.Key = nil, fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", index)
			ids = append(ids, w.write(alice, write).Copy.ID)
		}
		failures := 0
		for range 10 {
			copies, failed, err := w.client.Read(t.Context(), alice, ids)
			if err != nil || len(copies)+len(failed) != len(ids) {
				t.Fatalf("13.10: got %d events, %v, %v, want all", len(copies), failed, err)
			}
			failures += len(failed)
			for _, id := range ids[:10] {
				if _, _, err := w.client.Read(t.Context(), alice, []string{id}); err != nil {
					failures++
				}
			}
		}
		if failures > 2 {
			t.Errorf("13.10: %d of 500 reads failed, want next to none", failures)
		}
		met := 0
		for _, call := range w.sim.Calls() {
			if call.Status == http.StatusPreconditionFailed {
				met++
			}
		}
		if met < 5 {
			t.Errorf("13.10: only %d reads met a 412, want some", met)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if info.Path == "/$batch" {
					return nil
				}
				return &sim.Fault{Status: http.StatusPreconditionFailed}
			}
		})
		for _, ids := range [][]string{{"x"}, {"x", "y"}} {
			_, failed, err := w.client.Read(t.Context(), alice, ids)
			for _, one := range failed {
				err = errors.Join(err, one)
			}
			var retry *reconciler.RetryError
			if !errors.As(err, &retry) || retry.Cause != "conflict" || len(w.sim.Calls()) > 14 {
				t.Errorf("a read that meets nothing else: got %v after %d calls, want to come back after few", err, len(w.sim.Calls()))
			}
		}
	})
}

// TestDuplicatesWithoutTheirID is 7.14: 409 instead of 400, and an answer that
// does not name the event that was made before.
func TestDuplicatesWithoutTheirID(t *testing.T) {
	for name, fault := range map[string]*sim.Fault{
		"7.14 409":            {Status: http.StatusConflict, Code: "ErrorDuplicateTransactionId"},
		"7.14 400 unnamed":    {Status: http.StatusBadRequest, Code: "ErrorDuplicateTransactionId"},
		"409 of another kind": {Status: http.StatusConflict},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				struck := false
				w := newWorld(t, func(config *sim.Config) {
					config.Faults = func(info sim.CallInfo) *sim.Fault {
						if struck && info.Method == http.MethodPost {
							return fault
						}
						return nil
					}
				})
				made := w.write(alice, create(meeting())).Copy
				struck = true
				// The mark alone is no proof: people duplicate events with it.
				copied, err := w.sim.Mailbox(alice.Address).Create(t.Context(), map[string]any{
					"subject":                       "Copy",
					"start":                         map[string]any{"dateTime": "2027-01-12T09:00:00", "timeZone": "UTC"},
					"end":                           map[string]any{"dateTime": "2027-01-12T10:00:00", "timeZone": "UTC"},
					"singleValueExtendedProperties": []any{map[string]any{"id": "String {5a0f4a0b-2f3e-4d0c-9f6a-6e6967687470} Name NightPOSRecord", "value": database + ":42"}},
				})
				if err != nil {
					t.Fatal(err)
				}
				if again := w.write(alice, create(meeting())); !again.Existed || again.Copy.ID != made.ID || again.Copy.RecordID != 42 {
					t.Errorf("got %+v, want the event that was made before (and not %v)", again, copied["id"])
				}
				other := create(meeting())
				other.Key, other.RecordID = "6ba7b810-9dad-11d1-80b4-000000000002", 43
				result := w.client.Write(t.Context(), alice, []reconciler.OutlookWrite{other})[0]
				var retry *reconciler.RetryError
				var refused *reconciler.RefusedError
				if result.Existed || fault.Status == http.StatusConflict && !errors.As(result.Err, &retry) || fault.Status == http.StatusBadRequest && !errors.As(result.Err, &refused) {
					t.Errorf("one that was never made: got %+v, want an error", result)
				}
			})
		})
	}
}

// TestAMailboxThatIsAwayHasNotLostItsEvents: 404 that speaks of the mailbox, or
// does not come from Graph, is no deletion.
func TestAMailboxThatIsAwayHasNotLostItsEvents(t *testing.T) {
	for _, code := range []string{"MailboxNotEnabledForRESTAPI", "ErrorInvalidUser", "ErrorNonExistentMailbox", "mailboxNotHostedInExchangeOnline", "UnknownError"} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, func(config *sim.Config) {
				config.Faults = func(info sim.CallInfo) *sim.Fault {
					if info.Path == "/$batch" {
						return nil
					}
					return &sim.Fault{Status: http.StatusNotFound, Code: code}
				}
			})
			for _, ids := range [][]string{{"x"}, {"x", "y"}} {
				_, failed, err := w.client.Read(t.Context(), alice, ids)
				if err == nil && len(failed) != len(ids) {
					t.Errorf("%s: %d events of %d are taken for absent, want none", code, len(ids)-len(failed), len(ids))
				}
			}
			result := w.client.Write(t.Context(), alice, []reconciler.OutlookWrite{{Action: reconciler.ActionDelete, ID: "x"}})[0]
			var retry *reconciler.RetryError
			if !errors.As(result.Err, &retry) {
				t.Errorf("%s: deleting got %v, want to come back", code, result.Err)
			}
		})
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		client := w.replica(func(config *outlook.Config) {
			config.HTTP = roundTripper(func(request *http.Request) (*http.Response, error) {
				return &http.Response{StatusCode: http.StatusNotFound, Body: http.NoBody, Header: http.Header{}, Request: request}, nil
			})
		})
		if _, failed, err := client.Read(t.Context(), alice, []string{"x"}); err == nil && len(failed) == 0 {
			t.Error("a proxy's 404: the event is taken for absent")
		}
	})
}

// TestTrap13_16EveryRequestAsksForImmutableIDs is 7.3: an id of one kind is malformed in a
// request for the other.
func TestTrap13_16EveryRequestAsksForImmutableIDs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var mutex sync.Mutex
		asked := map[string]int{}
		client := w.replica(func(config *outlook.Config) {
			next := config.HTTP
			config.HTTP = roundTripper(func(request *http.Request) (*http.Response, error) {
				mutex.Lock()
				asked[request.Method]++
				mutex.Unlock()
				if got := request.Header.Get("Prefer"); !strings.Contains(request.URL.Path, "/oauth2/") && !strings.Contains(got, `IdType="ImmutableId"`) {
					t.Errorf("%s %s: Prefer %q", request.Method, request.URL.Path, got)
				}
				return next.RoundTrip(request)
			})
		})
		made := client.Write(t.Context(), alice, []reconciler.OutlookWrite{create(meeting())})[0].Copy
		window := reconciler.Window{Start: day(0, 0), End: day(23, 0)}
		listed, err := client.List(t.Context(), alice, window)
		if err != nil || len(listed) != 1 || listed[0].ID != made.ID {
			t.Fatalf("listed %d, %v, want the event under the id of its creation", len(listed), err)
		}
		changed, err := client.Changes(t.Context(), alice, reconciler.Cursor{Window: window})
		if err != nil || len(changed.Found) != 1 || changed.Found[0].ID != made.ID {
			t.Errorf("changes: got %+v, %v, want the same id", changed.Found, err)
		}
		copies, _, err := client.Read(t.Context(), alice, []string{made.ID, "x"})
		if err != nil || copies[made.ID].ID != made.ID {
			t.Errorf("in a batch: got %d events, %v, want the same id", len(copies), err)
		}
		if _, err := client.Me(t.Context(), alice); err != nil {
			t.Error(err)
		}
		if _, err := client.Subscriptions(t.Context(), alice); err != nil {
			t.Error(err)
		}
		client.Write(t.Context(), alice, []reconciler.OutlookWrite{{Action: reconciler.ActionDelete, ID: made.ID}})
		if asked[http.MethodGet] < 4 || asked[http.MethodPost] < 2 || asked[http.MethodDelete] != 1 {
			t.Errorf("requests %v, want one of each kind", asked)
		}
	})
}
