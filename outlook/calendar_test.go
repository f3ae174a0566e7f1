package outlook_test

import (
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

func TestACreatedMeetingReadsBackAsItWasMeant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		made := w.write(alice, create(meeting())).Copy
		found := w.read(alice, made.ID)
		want := w.client.Project(meeting())
		want.When.Zone = "Europe/Paris" // the main zone of Romance Standard Time, which is Brussels' too
		want.Organizer = reconciler.Person{Address: alice.Address, Name: "Alice"}
		if diff := cmp.Diff(want, found.Event, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if !found.IsOrganizer || found.RecordID != 42 || made.RecordID != 42 || found.ChangeKey == "" || found.ICalUID == "" {
			t.Errorf("organizer %t, record %d and %d, change key %q, iCalUId %q", found.IsOrganizer, found.RecordID, made.RecordID, found.ChangeKey, found.ICalUID)
		}
	})
}

func TestACreateThatArrivesTwiceMakesOneEvent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		first, second := w.write(alice, create(meeting())), w.write(alice, create(meeting()))
		if first.Copy.ID != second.Copy.ID {
			t.Errorf("two events: %s and %s", first.Copy.ID, second.Copy.ID)
		}
		other := meeting()
		other.Title = "Edited meanwhile"
		third := w.write(alice, create(other))
		if !third.Existed || third.Copy.ID != first.Copy.ID {
			t.Errorf("existed %t, id equal %t; want the first event", third.Existed, third.Copy.ID == first.Copy.ID)
		}
		if got := len(w.sim.Mailbox(alice.Address).Events()); got != 1 {
			t.Errorf("%d events, want 1", got)
		}
	})
}

func TestAnUpdateSendsOnlyItsFields(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		before := *w.write(alice, create(meeting())).Copy
		event := before.Event
		event.Title, event.Place = "Renamed", "must not be sent"
		after := w.write(alice, reconciler.OutlookWrite{
			Action: reconciler.ActionUpdate, ID: before.ID, ChangeKey: before.ChangeKey, Current: &before,
			Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldTitle),
		}).Copy
		want := before.Event
		want.Title = "Renamed"
		if diff := cmp.Diff(want, after.Event); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if after.RecordID != 42 || after.ChangeKey == before.ChangeKey {
			t.Errorf("record %d, change key kept %t", after.RecordID, after.ChangeKey == before.ChangeKey)
		}
	})
}

func TestAStaleWriteDoesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		made := *w.write(alice, create(meeting())).Copy
		if _, err := w.sim.Mailbox(alice.Address).Update(t.Context(), w.sim.Mailbox(alice.Address).Events()[0]["id"].(string), map[string]any{"subject": "by Alice"}); err != nil {
			t.Fatal(err)
		}
		for _, write := range []reconciler.OutlookWrite{
			{Action: reconciler.ActionUpdate, Event: meeting(), Fields: reconciler.NewFieldSet(reconciler.FieldPlace)},
			{Action: reconciler.ActionDelete},
		} {
			write.ID, write.ChangeKey, write.Current = made.ID, made.ChangeKey, &made
			if got := w.client.Write(t.Context(), alice, []reconciler.OutlookWrite{write})[0]; !errors.Is(got.Err, reconciler.ErrStale) {
				t.Errorf("%s: %v, want ErrStale", write.Action, got.Err)
			}
		}
		if got := w.read(alice, made.ID).Event.Title; got != "by Alice" {
			t.Errorf("title %q", got)
		}
	})
}

func TestManyWritesAndReadsGoInBatches(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var writes []reconciler.OutlookWrite
		for index := range 45 {
			event := meeting()
			event.People, event.Title = nil, fmt.Sprint("Event ", index)
			write := create(event)
			write.Key = fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", index)
			writes = append(writes, write)
		}
		var ids []string
		for index, result := range w.client.Write(t.Context(), alice, writes) {
			if result.Err != nil || result.Copy.Event.Title != writes[index].Event.Title {
				t.Fatalf("write %d: %+v", index, result)
			}
			ids = append(ids, result.Copy.ID)
		}
		copies, failed, err := w.client.Read(t.Context(), alice, append(ids, "AAMkNoSuchEvent"))
		if err != nil || len(failed) > 0 || len(copies) != 45 {
			t.Errorf("read %d, failed %v, error %v; want 45 copies", len(copies), failed, err)
		}
		if got := w.sim.Counts()["POST /$batch"]; got != 3+3 {
			t.Errorf("%d batches, want 6", got)
		}
		listed, err := w.client.List(t.Context(), alice, reconciler.Window{Start: day(0, 0), End: day(23, 0)})
		if err != nil || len(listed) != 45 || listed[0].RecordID != 42 {
			t.Errorf("listed %d, error %v", len(listed), err)
		}
	})
}

func TestWhatIsGoneIsAbsentAndDeletingItAgainIsFine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		made := *w.write(alice, create(meeting())).Copy
		remove := reconciler.OutlookWrite{Action: reconciler.ActionDelete, ID: made.ID, ChangeKey: made.ChangeKey}
		w.write(alice, remove)
		w.write(alice, remove)
		for _, ids := range [][]string{{made.ID}, {made.ID, "nonsense"}, {"nonsense"}} {
			copies, failed, err := w.client.Read(t.Context(), alice, ids)
			if len(copies) > 0 || len(failed) > 0 || err != nil {
				t.Errorf("%d ids: copies %v, failed %v, error %v", len(ids), copies, failed, err)
			}
		}
		update := reconciler.OutlookWrite{Action: reconciler.ActionUpdate, ID: made.ID, Event: meeting(), Fields: reconciler.NewFieldSet(reconciler.FieldTitle)}
		if got := w.client.Write(t.Context(), alice, []reconciler.OutlookWrite{update})[0]; !errors.Is(got.Err, reconciler.ErrGone) {
			t.Errorf("updating it: %v, want ErrGone", got.Err)
		}
	})
}

// TestNotFoundIsNotDeleted: Graph does not find an event that is there when it is to
// be deleted. What is believed to be gone and is not would come back.
func TestNotFoundIsNotDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		lost := 1
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if info.Method == http.MethodDelete && lost > 0 {
					lost--
					return &sim.Fault{Status: http.StatusNotFound}
				}
				return nil
			}
		})
		made := *w.write(alice, create(meeting())).Copy
		remove := reconciler.OutlookWrite{Action: reconciler.ActionDelete, ID: made.ID, ChangeKey: made.ChangeKey}
		var retry *reconciler.RetryError
		if got := w.client.Write(t.Context(), alice, []reconciler.OutlookWrite{remove})[0]; !errors.As(got.Err, &retry) {
			t.Errorf("deleting what Graph does not find and shows: got %v, want to try again", got.Err)
		}
		w.write(alice, remove)
		if copies, _, err := w.client.Read(t.Context(), alice, []string{made.ID}); len(copies) > 0 || err != nil {
			t.Errorf("after the second attempt: copies %v, error %v, want none", copies, err)
		}
	})
}

func TestAttendeesAnswerAndOthersStayAsTheyWere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		made := *w.write(alice, create(meeting())).Copy
		time.Sleep(time.Second)
		listed, err := w.client.List(t.Context(), bob, reconciler.Window{Start: day(0, 0), End: day(23, 0)})
		if err != nil || len(listed) != 1 {
			t.Fatalf("bob has %d events, %v; want his copy", len(listed), err)
		}
		own := listed[0]
		if own.IsOrganizer || own.RecordID != 0 || own.ICalUID != made.ICalUID || own.Event.Organizer.Key() != alice.Address {
			t.Errorf("bob's copy: organizer %t, record %d, by %s", own.IsOrganizer, own.RecordID, own.Event.Organizer.Address)
		}
		w.write(bob, reconciler.OutlookWrite{Action: reconciler.ActionAnswer, ID: own.ID, Answer: reconciler.AnswerTentative})
		time.Sleep(time.Second)
		if got := w.read(bob, own.ID).OwnAnswer; got != reconciler.AnswerTentative {
			t.Errorf("bob answered %q", got)
		}
		current := w.read(alice, made.ID)
		if got := current.Event.People[0].Answer; got != reconciler.AnswerTentative {
			t.Errorf("alice sees %q", got)
		}
		event := current.Event
		event.People = append(event.People, reconciler.Person{Address: "carol@customer.example", Type: reconciler.TypeOptional})
		after := w.write(alice, reconciler.OutlookWrite{
			Action: reconciler.ActionUpdate, ID: made.ID, ChangeKey: current.ChangeKey, Current: &current,
			Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldPeople),
		}).Copy
		if len(after.Event.People) != 2 || after.Event.People[0].Answer != reconciler.AnswerTentative || after.Event.People[1].Type != reconciler.TypeOptional {
			t.Errorf("people %+v", after.Event.People)
		}
	})
}

func TestAllDayEventsAreDates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		event := meeting()
		event.When = reconciler.When{AllDay: true, Start: day(0, 0), End: day(0, 0).AddDate(0, 0, 3)}
		made := w.write(alice, create(event)).Copy
		if diff := cmp.Diff(event.When, w.read(alice, made.ID).Event.When); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		current := w.read(alice, made.ID)
		event.When = reconciler.When{Start: day(9, 0), End: day(10, 0)}
		after := w.write(alice, reconciler.OutlookWrite{
			Action: reconciler.ActionUpdate, ID: made.ID, Current: &current, Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldWhen),
		}).Copy
		want := reconciler.When{Start: day(9, 0), End: day(10, 0), Zone: "Europe/Paris"}
		if diff := cmp.Diff(want, after.Event.When); diff != "" {
			t.Errorf("with hours (-want +got):\n%s", diff)
		}
	})
}

func TestInstantsSurviveTheNightTheClocksGoBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		// 2027-10-31 in Brussels: 03:00 summer time becomes 02:00.
		for minutes := 0; minutes < 4*60; minutes += 30 {
			event := meeting()
			event.People = nil
			event.When.Start = time.Date(2027, 10, 30, 23, 0, 0, 0, time.UTC).Add(time.Duration(minutes) * time.Minute)
			event.When.End = event.When.Start.Add(45 * time.Minute)
			write := create(event)
			write.Key = fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", minutes)
			made := w.write(alice, write).Copy
			if got := made.Event.When; !got.Start.Equal(event.When.Start) || !got.End.Equal(event.When.End) {
				t.Errorf("%v came back as %v", event.When, got)
			}
		}
	})
}

func TestTheBlockOfAnOnlineMeetingSurvivesANewText(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		mailbox := w.sim.Mailbox(alice.Address)
		if _, err := mailbox.Create(t.Context(), map[string]any{
			"subject": "Online", "isOnlineMeeting": true, "onlineMeetingProvider": "teamsForBusiness",
			"body":  map[string]any{"contentType": "html", "content": "<p>Agenda</p>"},
			"start": map[string]any{"dateTime": "2027-01-12T09:00:00", "timeZone": "UTC"},
			"end":   map[string]any{"dateTime": "2027-01-12T10:00:00", "timeZone": "UTC"},
		}); err != nil {
			t.Fatal(err)
		}
		listed, err := w.client.List(t.Context(), alice, reconciler.Window{Start: day(0, 0), End: day(23, 0)})
		if err != nil || len(listed) != 1 {
			t.Fatalf("listed %d, %v", len(listed), err)
		}
		current := listed[0]
		if got, want := current.Event.Body, "<p>Agenda</p>"; got != want || !strings.HasPrefix(current.Event.MeetingLink, "https://teams") {
			t.Errorf("body %q, link %q; want %q and Teams' link", got, current.Event.MeetingLink, want)
		}
		event := current.Event
		event.Body = "<p>New agenda</p>"
		after := w.write(alice, reconciler.OutlookWrite{
			Action: reconciler.ActionUpdate, ID: current.ID, ChangeKey: current.ChangeKey, Current: &current,
			Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldBody),
		}).Copy
		if after.Event.Body != event.Body || after.Event.MeetingLink != current.Event.MeetingLink {
			t.Errorf("body %q, link kept %t", after.Event.Body, after.Event.MeetingLink == current.Event.MeetingLink)
		}
	})
}

func TestATokenThatEndedIsRenewedOnceAndKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		time.Sleep(3 * time.Hour)
		w.write(alice, create(meeting()))
		if w.tokens.saved != 1 || w.tokens.kept[alice.ID].Expires.Before(time.Now()) {
			t.Errorf("saved %d times, expires %s", w.tokens.saved, w.tokens.kept[alice.ID].Expires)
		}
		w.sim.Revoke(bob.Address)
		time.Sleep(3 * time.Hour)
		if _, _, err := w.client.Read(t.Context(), bob, []string{"x"}); !errors.Is(err, reconciler.ErrReconnect) {
			t.Errorf("with the consent withdrawn: %v, want ErrReconnect", err)
		}
	})
}

func TestAskedToWaitTheWholeMailboxWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		failing := true
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if failing && info.Mailbox == alice.Address {
					return &sim.Fault{Status: http.StatusTooManyRequests, RetryAfter: 30 * time.Second}
				}
				return nil
			}
		})
		var retry *reconciler.RetryError
		if _, _, err := w.client.Read(t.Context(), alice, []string{"x"}); !errors.As(err, &retry) || retry.After != 30*time.Second {
			t.Fatalf("error %v, want a retry after 30 s", err)
		}
		failing = false
		time.Sleep(10 * time.Second)
		calls := len(w.sim.Calls())
		if _, _, err := w.client.Read(t.Context(), alice, []string{"x"}); !errors.As(err, &retry) || retry.After != 20*time.Second {
			t.Errorf("error %v, want a retry after the remaining 20 s", err)
		}
		if got := len(w.sim.Calls()); got != calls {
			t.Errorf("%d calls were made meanwhile, want none", got-calls)
		}
		if _, _, err := w.client.Read(t.Context(), bob, []string{"x"}); err != nil {
			t.Errorf("another mailbox: %v", err)
		}
		time.Sleep(20 * time.Second)
		if _, _, err := w.client.Read(t.Context(), alice, []string{"x"}); err != nil {
			t.Errorf("afterwards: %v", err)
		}
	})
}

func TestAFailedPageFailsTheListing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if strings.Contains(info.Path, "calendarView") {
					if calls++; calls == 2 {
						return &sim.Fault{Status: http.StatusServiceUnavailable}
					}
				}
				return nil
			}
		})
		for index := range 120 {
			_, err := w.sim.Mailbox(alice.Address).Create(t.Context(), map[string]any{
				"subject": fmt.Sprint("Event ", index),
				"start":   map[string]any{"dateTime": "2027-01-12T09:00:00", "timeZone": "UTC"},
				"end":     map[string]any{"dateTime": "2027-01-12T10:00:00", "timeZone": "UTC"},
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		window := reconciler.Window{Start: day(0, 0), End: day(23, 0)}
		if listed, err := w.client.List(t.Context(), alice, window); err == nil || listed != nil {
			t.Errorf("listed %d events with a page missing, error %v", len(listed), err)
		}
		if listed, err := w.client.List(t.Context(), alice, window); err != nil || len(listed) != 120 {
			t.Errorf("listed %d, error %v; want 120", len(listed), err)
		}
	})
}

// TestWhereAnEventIs: only the main calendar is synced, so each event that is read by
// its id is known with the calendar that holds it, whether Outlook says so together
// with the event or has to be asked again. Of a batch its requests count too.
func TestWhereAnEventIs(t *testing.T) {
	for expansion, calls := range map[sim.CalendarExpansion][3]int{
		sim.CalendarGiven:   {1, 2, 5},
		sim.CalendarRefused: {3, 5, 11}, // the first read finds out
		sim.CalendarIgnored: {2, 4, 10},
	} {
		t.Run(fmt.Sprint(expansion), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *sim.Config) { config.Switches.CalendarExpansion = expansion })
				box := w.sim.Mailbox(alice.Address)
				club, err := box.CreateCalendar(t.Context(), "Club")
				if err != nil {
					t.Fatal(err)
				}
				here := *w.write(alice, create(meeting())).Copy
				other := create(meeting())
				other.Key = "another"
				there := *w.write(alice, other).Copy
				for _, event := range box.Events() {
					if event["changeKey"] == there.ChangeKey {
						if _, err := box.Move(t.Context(), event["id"].(string), club["id"].(string)); err != nil {
							t.Fatal(err)
						}
					}
				}
				counted := 0
				want := func(step int, elsewhere map[string]bool) {
					t.Helper()
					ids := slices.Sorted(maps.Keys(elsewhere))
					var copies map[string]reconciler.Copy
					var failed map[string]error
					var err error
					for _, count := range w.calls(func() { copies, failed, err = w.client.Read(t.Context(), alice, ids) }) {
						counted += count
					}
					if err != nil || len(failed) > 0 || len(copies) != len(elsewhere) {
						t.Fatalf("%d copies, failed %v, %v", len(copies), failed, err)
					}
					for id, copied := range copies {
						if copied.Elsewhere != elsewhere[id] {
							t.Errorf("step %d: elsewhere %t, want %t", step, copied.Elsewhere, elsewhere[id])
						}
					}
					if counted != calls[step] {
						t.Errorf("%d calls until step %d, want %d", counted, step, calls[step])
					}
				}
				want(0, map[string]bool{here.ID: false})
				want(1, map[string]bool{there.ID: true})
				want(2, map[string]bool{here.ID: false, there.ID: true})

				// A while later Outlook is asked again how it does this.
				time.Sleep(2 * time.Hour)
				series, _, err := w.client.ReadSeries(t.Context(), alice, []string{there.ID})
				if err != nil || !series[there.ID].Elsewhere {
					t.Errorf("read as a series: elsewhere %t, %v", series[there.ID].Elsewhere, err)
				}
			})
		})
	}
}
