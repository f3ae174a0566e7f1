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

	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

func rename(number int, title string) reconciler.OccurrenceWrite {
	event := meeting()
	event.Title = title
	return reconciler.OccurrenceWrite{
		Slot: slot(number), When: slotTime(number), Action: reconciler.ActionUpdate, Event: event, Fields: reconciler.NewFieldSet(reconciler.FieldTitle),
	}
}

func cancel(number int) reconciler.OccurrenceWrite {
	return reconciler.OccurrenceWrite{Slot: slot(number), When: slotTime(number), Action: reconciler.ActionDelete}
}

func TestOccurrencesOfASeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		series := w.writeSeries(alice, createSeries(8))
		moved := rename(2, "Moved")
		moved.Event.When = slotTime(2)
		moved.Event.When.Start, moved.Event.When.End = moved.Event.When.Start.Add(24*time.Hour), moved.Event.When.End.Add(25*time.Hour)
		moved.Fields = reconciler.NewFieldSet(reconciler.FieldTitle, reconciler.FieldWhen)
		write := reconciler.SeriesCopyWrite{
			ID: series.ID, ChangeKey: series.ChangeKey, Current: &series,
			Occurrences: []reconciler.OccurrenceWrite{moved, cancel(4), rename(6, "Sixth")},
		}
		var changed reconciler.SeriesCopy
		w.wantCalls("three occurrences", w.calls(func() { changed = w.writeSeries(alice, write) }), map[string]int{
			"GET /me/events/{event}": 2, "GET /me/events/{event}/instances": 1, "POST /$batch": 1,
			"PATCH /me/events/{event}": 2, "DELETE /me/events/{event}": 1,
		})
		if diff := cmp.Diff([]reconciler.Date{slot(2), slot(6)}, slices.SortedFunc(maps.Keys(changed.Exceptions), reconciler.Date.Compare)); diff != "" {
			t.Errorf("exceptions (-want +got):\n%s", diff)
		}
		if exception := changed.Exceptions[slot(2)]; exception.Event.Title != "Moved" || !exception.Event.When.Start.Equal(moved.Event.When.Start) || exception.MasterID != series.ID {
			t.Errorf("the one moved is %+v", exception)
		}
		if diff := cmp.Diff(map[reconciler.Date]bool{slot(4): true}, changed.Cancelled); diff != "" {
			t.Errorf("cancelled (-want +got):\n%s", diff)
		}
		// An exception is known by its id; what is deleted already needs nothing.
		again := rename(6, "Sixth again")
		exception := changed.Exceptions[slot(6)]
		again.ID, again.Current = exception.ID, &exception
		write = reconciler.SeriesCopyWrite{ID: series.ID, ChangeKey: changed.ChangeKey, Current: &changed, Occurrences: []reconciler.OccurrenceWrite{again}}
		w.wantCalls("an exception", w.calls(func() { changed = w.writeSeries(alice, write) }), map[string]int{
			"GET /me/events/{event}": 2, "PATCH /me/events/{event}": 1,
		})
		if got := changed.Exceptions[slot(6)].Event.Title; got != "Sixth again" {
			t.Errorf("the exception is called %q", got)
		}
		write = reconciler.SeriesCopyWrite{ID: series.ID, Current: &changed, Occurrences: []reconciler.OccurrenceWrite{cancel(4), rename(4, "Gone")}}
		result := w.client.WriteSeries(t.Context(), alice, write)
		if result.Err != nil || result.Occurrences[0] != nil || !errors.Is(result.Occurrences[1], reconciler.ErrGone) {
			t.Errorf("a deleted one: %v, %v; want no error for deleting, ErrGone for writing", result.Err, result.Occurrences)
		}
		write = reconciler.SeriesCopyWrite{ID: series.ID, ChangeKey: series.ChangeKey, Current: &series, Occurrences: []reconciler.OccurrenceWrite{cancel(7)}}
		if result := w.client.WriteSeries(t.Context(), alice, write); !errors.Is(result.Err, reconciler.ErrStale) {
			t.Errorf("of a master that has moved on: %v, want ErrStale", result.Err)
		}
	})
}

func TestOneRefusedOccurrenceKeepsNoOtherFromBeingWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		series := w.writeSeries(alice, createSeries(60))
		write := reconciler.SeriesCopyWrite{ID: series.ID, Current: &series}
		for number := range 50 {
			one := rename(number, fmt.Sprint("Number ", number))
			if number == 3 || number == 25 {
				// Onto the day of the next one, which Outlook forbids.
				one.Event.When = slotTime(number + 1)
				one.Fields = reconciler.NewFieldSet(reconciler.FieldWhen)
			}
			write.Occurrences = append(write.Occurrences, one)
		}
		result := w.client.WriteSeries(t.Context(), alice, write)
		if result.Err != nil {
			t.Fatal(result.Err)
		}
		for number, err := range result.Occurrences {
			var refused *reconciler.RefusedError
			switch {
			case number != 3 && number != 25:
				if err != nil || result.Copy.Exceptions[slot(number)].Event.Title != fmt.Sprint("Number ", number) {
					t.Errorf("occurrence %d: %v, %q", number, err, result.Copy.Exceptions[slot(number)].Event.Title)
				}
			case !errors.As(err, &refused) || !strings.Contains(refused.Reason, "cannot be moved to or past the day"):
				t.Errorf("occurrence %d: %v, want it refused with the reason", number, err)
			}
		}
	})
}

func TestASeriesIsShiftedInOneWrite(t *testing.T) {
	for name, rule := range map[string]sim.ExceptionRule{"exceptions dropped": sim.ExceptionsDropOnMove, "exceptions kept": sim.ExceptionsKeep} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *sim.Config) { config.Switches.Exceptions = rule })
				create := createSeries(6)
				create.Occurrences = []reconciler.OccurrenceWrite{rename(1, "Other"), cancel(2)}
				series := w.writeSeries(alice, create)
				if len(series.Exceptions) != 1 || len(series.Cancelled) != 1 {
					t.Fatalf("made with %v and %v", series.Exceptions, series.Cancelled)
				}
				mails := w.mails()
				shifted, ok := weekly(6).Shift(1)
				if !ok {
					t.Fatal("the rule does not shift")
				}
				later := firstTime()
				later.Start, later.End = later.Start.AddDate(0, 0, 1).Add(time.Hour), later.End.AddDate(0, 0, 1).Add(time.Hour)
				other, gone := rename(1, "Other"), cancel(2)
				exception := series.Exceptions[slot(1)]
				other.ID = exception.ID
				other.Slot, other.When = slot(1).Add(1), reconciler.SlotTime(slot(1).Add(1), later)
				gone.Slot, gone.When = slot(2).Add(1), reconciler.SlotTime(slot(2).Add(1), later)
				moved := w.writeSeries(alice, updateSeries(series, func(write *reconciler.SeriesCopyWrite) {
					write.Rule, write.Event.When = shifted, later
					write.Occurrences = []reconciler.OccurrenceWrite{other, gone}
				}, reconciler.FieldWhen))
				want := []string{"2027-01-13T10:00", "2027-01-20T10:00", "2027-02-03T10:00", "2027-02-10T10:00", "2027-02-17T10:00"}
				if diff := cmp.Diff(want, w.instances()); diff != "" {
					t.Errorf("occurrences (-want +got):\n%s", diff)
				}
				if moved.Exceptions[slot(1).Add(1)].Event.Title != "Other" || !moved.Cancelled[slot(2).Add(1)] || !moved.Rule.Same(shifted) {
					t.Errorf("got the rule %s, exceptions %v, cancelled %v", moved.Rule.Describe(), moved.Exceptions, moved.Cancelled)
				}
				if got := w.mails() - mails; got > 3 {
					t.Errorf("%d mails for a master and two occurrences", got)
				}
			})
		})
	}
}

func Test7_13ExceptionsThatAreNotExpanded(t *testing.T) {
	for name, count := range map[string]int{"with an end": 120, "without": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, func(config *sim.Config) { config.Switches.ExceptionsNotExpanded = true })
				create := createSeries(count)
				create.Occurrences = []reconciler.OccurrenceWrite{rename(1, "First"), cancel(2), rename(110, "Last")}
				made := w.writeSeries(alice, create)
				if len(made.Exceptions) != 2 || made.Exceptions[slot(1)].Event.Title != "First" || made.Exceptions[slot(110)].Event.Title != "Last" {
					t.Errorf("exceptions %v", made.Exceptions)
				}
				if diff := cmp.Diff(map[reconciler.Date]bool{slot(2): true}, made.Cancelled); diff != "" {
					t.Errorf("cancelled (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func Test7_13DeletionsThatAreNotTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *sim.Config) { config.Switches.ExceptionsNotExpanded = true })
		create := createSeries(12)
		create.Occurrences = []reconciler.OccurrenceWrite{cancel(2), cancel(11)}
		made := w.writeSeries(alice, create)
		client := w.throughEvents(func(page string) string { return strings.Replace(page, `"cancelledOccurrences"`, `"somethingElse"`, 1) })
		found, _, err := client.ReadSeries(t.Context(), alice, []string{made.ID})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(map[reconciler.Date]bool{slot(2): true, slot(11): true}, found[made.ID].Cancelled); diff != "" {
			t.Errorf("cancelled (-want +got):\n%s", diff)
		}
	})
}

func TestOccurrencesWaitForAThrottledMailbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttled := false
		w := newWorld(t, func(config *sim.Config) {
			config.Faults = func(info sim.CallInfo) *sim.Fault {
				if throttled && info.Method == http.MethodPatch {
					return &sim.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Minute}
				}
				return nil
			}
		})
		series := w.writeSeries(alice, createSeries(60))
		throttled = true
		write := reconciler.SeriesCopyWrite{ID: series.ID, Current: &series}
		for number := range 45 {
			write.Occurrences = append(write.Occurrences, rename(number, "Renamed"))
		}
		result := w.client.WriteSeries(t.Context(), alice, write)
		for number, err := range result.Occurrences {
			var retry *reconciler.RetryError
			if result.Err == nil && !errors.As(err, &retry) {
				t.Errorf("occurrence %d: %v, want *RetryError", number, err)
			}
		}
		if got := w.sim.Counts()["PATCH /me/events/{event}"]; got > 4 {
			t.Errorf("%d writes were tried", got)
		}
	})
}
