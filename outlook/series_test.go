package outlook_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/outlook/zones"
	"github.com/nightpos/outlook-gateway/reconciler"
)

const seriesKey = "6ba7b811-9dad-11d1-80b4-00c04fd430c8"

// firstTime is that of a series' first occurrence, a Tuesday.
func firstTime() reconciler.When {
	return reconciler.When{Start: day(9, 0), End: day(10, 0), Zone: "Europe/Brussels"}
}

func slot(number int) reconciler.Date { return reconciler.SlotDate(firstTime()).Add(7 * number) }

func slotTime(number int) reconciler.When { return reconciler.SlotTime(slot(number), firstTime()) }

// weekly is a rule of so many Tuesdays; none for without end.
func weekly(count int) reconciler.Rule {
	return reconciler.Rule{Frequency: reconciler.Weekly, Interval: 1, Weekdays: []time.Weekday{time.Tuesday}, Start: slot(0), Count: count}
}

func createSeries(count int) reconciler.SeriesCopyWrite {
	event := meeting()
	event.When = firstTime()
	return reconciler.SeriesCopyWrite{Action: reconciler.ActionCreate, Event: event, Rule: weekly(count), Key: seriesKey, RecordID: 42}
}

// writeSeries carries out a write that must succeed as a whole.
func (w *world) writeSeries(member reconciler.Member, write reconciler.SeriesCopyWrite) reconciler.SeriesCopy {
	w.Helper()
	result := w.client.WriteSeries(w.Context(), member, write)
	if result.Err != nil {
		w.Fatalf("writing a series: %v", result.Err)
	}
	for index, err := range result.Occurrences {
		if err != nil {
			w.Fatalf("writing occurrence %d: %v", index, err)
		}
	}
	if result.Copy == nil {
		return reconciler.SeriesCopy{}
	}
	return *result.Copy
}

// readSeries reads a series that must exist.
func (w *world) readSeries(member reconciler.Member, id string) reconciler.SeriesCopy {
	w.Helper()
	found, failed, err := w.client.ReadSeries(w.Context(), member, []string{id})
	if err != nil || len(failed) > 0 {
		w.Fatalf("reading: %v, items %v", err, failed)
	}
	series, there := found[id]
	if !there {
		w.Fatal("the series is not there")
	}
	return series
}

// calls counts the calls that work makes.
func (w *world) calls(work func()) map[string]int {
	before := w.sim.Counts()
	work()
	made := map[string]int{}
	for name, count := range w.sim.Counts() {
		if count > before[name] {
			made[name] = count - before[name]
		}
	}
	return made
}

// instances are the starts of the occurrences that alice's calendar shows of her
// only series.
func (w *world) instances() []string {
	w.Helper()
	mailbox, id := w.sim.Mailbox(alice.Address), ""
	for _, event := range mailbox.Events() {
		if event["type"] == "seriesMaster" {
			id = event["id"].(string)
		}
	}
	shown, err := mailbox.Instances(id, day(0, 0).AddDate(-1, 0, 0), day(0, 0).AddDate(3, 0, 0))
	if err != nil {
		w.Fatal(err)
	}
	var starts []string
	for _, event := range shown {
		start := event["start"].(map[string]any)["dateTime"].(string)
		starts = append(starts, start[:len("2027-01-12T09:00")])
	}
	return starts
}

// wantTime compares times. Several zones of IANA are one in Windows, and come back
// under another name.
func (w *world) wantTime(want, got reconciler.When) {
	w.Helper()
	here, wanted := zones.Windows(want.Zone)
	there, shown := zones.Windows(got.Zone)
	if !wanted || !shown || here != there {
		w.Errorf("the zone is %s, want %s", got.Zone, want.Zone)
	}
	got.Zone = want.Zone
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("time (-want +got):\n%s", diff)
	}
}

func (w *world) mails() int { return len(w.sim.Mails()) }

func updateSeries(series reconciler.SeriesCopy, change func(*reconciler.SeriesCopyWrite), fields ...reconciler.Field) reconciler.SeriesCopyWrite {
	write := reconciler.SeriesCopyWrite{
		Action: reconciler.ActionUpdate, ID: series.ID, ChangeKey: series.ChangeKey, Event: series.Event, Rule: series.Rule,
		Fields: reconciler.NewFieldSet(fields...), Current: &series,
	}
	change(&write)
	return write
}

func (w *world) wantCalls(what string, got, want map[string]int) {
	w.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		w.Errorf("%s: calls (-want +got):\n%s", what, diff)
	}
}

func TestASeriesIsMadeAndReadBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		var made reconciler.SeriesCopy
		w.wantCalls("making it", w.calls(func() { made = w.writeSeries(alice, createSeries(4)) }), map[string]int{"POST /me/events": 1, "GET /me/events/{event}": 1})
		series := w.readSeries(alice, made.ID)
		if !series.Rule.Same(weekly(4)) || series.Rule.Count != 4 || series.Refused != "" {
			t.Errorf("the rule is %s, refused %q", series.Rule.Describe(), series.Refused)
		}
		w.wantTime(firstTime(), series.Event.When)
		if series.RecordID != 42 || !series.Recurring || series.MasterID != series.ID || len(series.Exceptions)+len(series.Cancelled) > 0 {
			t.Errorf("got %+v", series)
		}
		want := []string{"2027-01-12T09:00", "2027-01-19T09:00", "2027-01-26T09:00", "2027-02-02T09:00"}
		if diff := cmp.Diff(want, w.instances()); diff != "" {
			t.Errorf("occurrences (-want +got):\n%s", diff)
		}
		if got := w.mails(); got != 1 {
			t.Errorf("%d mails, want one to the one attendee", got)
		}
		single := w.write(alice, create(meeting())).Copy
		found, failed, err := w.client.ReadSeries(t.Context(), alice, []string{made.ID, single.ID, made.ID, "AAMkMissing"})
		if err != nil || len(failed) > 0 || len(found) != 2 {
			t.Fatalf("got %d, failed %v, %v", len(found), failed, err)
		}
		if other := found[single.ID]; other.Recurring || other.MasterID != "" || !other.Rule.Equal(reconciler.Rule{}) {
			t.Errorf("a single event is %+v", other)
		}
		if twice, _, err := w.client.ReadSeries(t.Context(), alice, []string{made.ID, made.ID}); err != nil || len(twice) != 1 {
			t.Errorf("the same id twice: %d, %v", len(twice), err)
		}
	})
}

func TestASeriesIsMadeOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		made := w.writeSeries(alice, createSeries(4))
		if again := w.writeSeries(alice, createSeries(4)); again.ID != made.ID {
			t.Error("the same create made another series")
		}
		other := createSeries(5)
		other.Occurrences = []reconciler.OccurrenceWrite{cancel(1)}
		result := w.client.WriteSeries(t.Context(), alice, other)
		if result.Err != nil || !result.Existed || result.Copy.ID != made.ID || result.Copy.Rule.Count != 4 || !errors.Is(result.Occurrences[0], reconciler.ErrStale) {
			t.Errorf("with other content: %+v", result)
		}
		if got := w.mails(); got != 1 {
			t.Errorf("%d mails, want one", got)
		}
	})
}

func TestAllOccurrencesAreRenamedInOneMail(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		series := w.writeSeries(alice, createSeries(0))
		if !series.Rule.Endless() {
			t.Errorf("the rule is %s", series.Rule.Describe())
		}
		mails := w.mails()
		renamed := w.writeSeries(alice, updateSeries(series, func(write *reconciler.SeriesCopyWrite) { write.Event.Title = "All" }, reconciler.FieldTitle))
		if renamed.Event.Title != "All" || !renamed.Rule.Same(weekly(0)) || w.mails()-mails != 1 {
			t.Errorf("got %q, the rule %s, %d mails", renamed.Event.Title, renamed.Rule.Describe(), w.mails()-mails)
		}
		stale := updateSeries(series, func(write *reconciler.SeriesCopyWrite) { write.Event.Title = "Late" }, reconciler.FieldTitle)
		if result := w.client.WriteSeries(t.Context(), alice, stale); !errors.Is(result.Err, reconciler.ErrStale) || result.Copy != nil {
			t.Errorf("of a master that has moved on: %+v, want ErrStale", result)
		}
		// Nothing of it has a place in Outlook: nothing is written.
		idle := updateSeries(renamed, func(write *reconciler.SeriesCopyWrite) {}, reconciler.FieldAnswers)
		w.wantCalls("nothing to write", w.calls(func() { w.writeSeries(alice, idle) }), map[string]int{"GET /me/events/{event}": 1})
	})
}

func TestASingleEventBecomesASeriesAndOneAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		event := meeting()
		event.When = firstTime()
		made := w.write(alice, create(event)).Copy
		single := w.readSeries(alice, made.ID)
		series := w.writeSeries(alice, updateSeries(single, func(write *reconciler.SeriesCopyWrite) {
			write.Rule, write.Event.When = weekly(3), firstTime()
		}, reconciler.FieldWhen))
		if series.ID != made.ID || !series.Rule.Same(weekly(3)) || len(w.instances()) != 3 {
			t.Errorf("as a series it is %s", series.Rule.Describe())
		}
		again := w.writeSeries(alice, updateSeries(series, func(write *reconciler.SeriesCopyWrite) { write.Rule = reconciler.Rule{} }, reconciler.FieldWhen))
		if again.Recurring || !again.Rule.Equal(reconciler.Rule{}) || again.ID != made.ID || !again.Event.When.Start.Equal(firstTime().Start) {
			t.Errorf("as a single event it is %+v", again)
		}
		// A time for an event that is single already says nothing about rules.
		later := w.writeSeries(alice, updateSeries(again, func(write *reconciler.SeriesCopyWrite) { write.Event.When = slotTime(1) }, reconciler.FieldWhen))
		if !later.Event.When.Start.Equal(slotTime(1).Start) {
			t.Errorf("it is at %v", later.Event.When)
		}
	})
}

func TestAnswersAndDeletionsOfASeries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		series := w.writeSeries(alice, createSeries(4))
		time.Sleep(time.Second)
		events := w.sim.Mailbox(bob.Address).Events()
		if len(events) != 1 {
			t.Fatalf("bob has %d events", len(events))
		}
		// His copy by the id that the gateway knows.
		listed, err := w.client.List(t.Context(), bob, reconciler.Window{Start: day(0, 0), End: day(23, 0)})
		if err != nil || len(listed) != 1 {
			t.Fatalf("bob lists %d, %v", len(listed), err)
		}
		invited := w.readSeries(bob, listed[0].MasterID)
		answered := w.writeSeries(bob, reconciler.SeriesCopyWrite{
			Action: reconciler.ActionAnswer, ID: invited.ID, Current: &invited, Answer: reconciler.AnswerAccepted,
			Occurrences: []reconciler.OccurrenceWrite{{Slot: slot(1), When: slotTime(1), Action: reconciler.ActionAnswer, Answer: reconciler.AnswerTentative}},
		})
		if answered.OwnAnswer != reconciler.AnswerAccepted || answered.Exceptions[slot(1)].OwnAnswer != reconciler.AnswerTentative {
			t.Errorf("answered %q, one %q", answered.OwnAnswer, answered.Exceptions[slot(1)].OwnAnswer)
		}
		declined := w.client.WriteSeries(t.Context(), bob, reconciler.SeriesCopyWrite{
			Action: reconciler.ActionAnswer, ID: invited.ID, Current: &answered, Answer: reconciler.AnswerDeclined, Quiet: true,
		})
		if declined.Err != nil || declined.Copy != nil {
			t.Errorf("declined: %+v", declined)
		}
		current := w.readSeries(alice, series.ID)
		deletion := reconciler.SeriesCopyWrite{Action: reconciler.ActionDelete, ID: series.ID, ChangeKey: current.ChangeKey, Current: &current}
		if result := w.client.WriteSeries(t.Context(), alice, deletion); result.Err != nil || result.Copy != nil {
			t.Errorf("deleted: %+v", result)
		}
		if result := w.client.WriteSeries(t.Context(), alice, deletion); result.Err != nil {
			t.Errorf("deleted again: %v", result.Err)
		}
		late := updateSeries(current, func(write *reconciler.SeriesCopyWrite) { write.Event.Title = "Late" }, reconciler.FieldTitle)
		if result := w.client.WriteSeries(t.Context(), alice, late); !errors.Is(result.Err, reconciler.ErrGone) {
			t.Errorf("written once it is gone: %v, want ErrGone", result.Err)
		}
		late.Action, late.Occurrences = "", []reconciler.OccurrenceWrite{cancel(1)}
		if result := w.client.WriteSeries(t.Context(), alice, late); !errors.Is(result.Err, reconciler.ErrGone) {
			t.Errorf("an occurrence of one that is gone: %v, want ErrGone", result.Err)
		}
		late.ChangeKey = ""
		if result := w.client.WriteSeries(t.Context(), alice, late); !errors.Is(result.Err, reconciler.ErrGone) {
			t.Errorf("an occurrence of one that is gone, unguarded: %v, want ErrGone", result.Err)
		}
	})
}

// 7.13: sometimes $expand is ignored, and the occurrences have to be listed.
// Where Graph tells neither exceptions nor deletions, what is not listed is gone.
func TestWholeDaysRepeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		create := createSeries(4)
		create.Event.When = reconciler.When{AllDay: true, Start: slot(0).Midnight(), End: slot(0).Add(2).Midnight()}
		moved := rename(1, "Moved")
		moved.Event.When = reconciler.When{AllDay: true, Start: slot(1).Add(1).Midnight(), End: slot(1).Add(2).Midnight()}
		moved.When = reconciler.SlotTime(slot(1), create.Event.When)
		moved.Fields = reconciler.NewFieldSet(reconciler.FieldWhen)
		create.Occurrences = []reconciler.OccurrenceWrite{moved, cancel(2)}
		series := w.writeSeries(alice, create)
		if diff := cmp.Diff(create.Event.When, series.Event.When); diff != "" {
			t.Errorf("time (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(moved.Event.When, series.Exceptions[slot(1)].Event.When); diff != "" {
			t.Errorf("the one moved (-want +got):\n%s", diff)
		}
		if !series.Cancelled[slot(2)] || !series.Rule.Same(weekly(4)) {
			t.Errorf("cancelled %v, the rule %s", series.Cancelled, series.Rule.Describe())
		}
	})
}

// The clock of the series' own zone stays, also where it is far from UTC.
func TestSlotsAreDatesOfTheSeriesZone(t *testing.T) {
	for _, zone := range []string{"Pacific/Auckland", "America/Los_Angeles", "Asia/Kolkata", "Europe/London"} {
		t.Run(zone, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				location, err := time.LoadLocation(zone)
				if err != nil {
					t.Fatal(err)
				}
				start := time.Date(2027, 3, 2, 0, 30, 0, 0, location)
				first := reconciler.When{Start: start.UTC(), End: start.Add(time.Hour).UTC(), Zone: zone}
				rule := reconciler.Rule{Frequency: reconciler.Daily, Interval: 1, Start: reconciler.SlotDate(first), Count: 40}
				write := createSeries(0)
				write.Event.When, write.Rule = first, rule
				gone := rule.Start.Add(33)
				write.Occurrences = []reconciler.OccurrenceWrite{{Slot: gone, When: reconciler.SlotTime(gone, first), Action: reconciler.ActionDelete}}
				series := w.writeSeries(alice, write)
				w.wantTime(first, series.Event.When)
				if diff := cmp.Diff(map[reconciler.Date]bool{gone: true}, series.Cancelled); diff != "" {
					t.Errorf("cancelled (-want +got):\n%s", diff)
				}
				var want []string
				for _, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, 40) {
					if slot != gone {
						want = append(want, reconciler.SlotTime(slot, first).Start.Format("2006-01-02T15:04"))
					}
				}
				if diff := cmp.Diff(want, w.instances()); diff != "" {
					t.Errorf("occurrences (-want +got):\n%s", diff)
				}
			})
		})
	}
}

func TestRulesThatOutlookCannotShowAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		write := createSeries(0)
		write.Rule = reconciler.Rule{Frequency: reconciler.Monthly, Interval: 1, MonthDay: 31, Start: reconciler.Date{Year: 2027, Month: 1, Day: 31}}
		result := w.client.WriteSeries(t.Context(), alice, write)
		var refused *reconciler.RefusedError
		if !errors.As(result.Err, &refused) || !strings.Contains(refused.Reason, "months without a day 31") {
			t.Errorf("got %v, want it refused with the reason", result.Err)
		}
		if got := w.sim.Counts()["POST /me/events"]; got != 0 {
			t.Errorf("%d creates", got)
		}
		series := w.writeSeries(alice, createSeries(3))
		result = w.client.WriteSeries(t.Context(), alice, reconciler.SeriesCopyWrite{
			ID: series.ID, Current: &series, Occurrences: []reconciler.OccurrenceWrite{{Slot: slot(1), When: slotTime(1), Action: reconciler.ActionCreate}},
		})
		if result.Err != nil || result.Occurrences[0] == nil {
			t.Errorf("creating an occurrence: %+v", result)
		}
	})
}

// What old clients made has a zone that nobody can name.
func TestSeriesInACustomZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		made := w.writeSeries(alice, createSeries(3))
		client := w.throughEvents(func(page string) string {
			return strings.ReplaceAll(page, "Romance Standard Time", "tzone://Microsoft/Custom")
		})
		found, _, err := client.ReadSeries(t.Context(), alice, []string{made.ID})
		if err != nil || found[made.ID].Refused == "" || !found[made.ID].Rule.Equal(reconciler.Rule{}) {
			t.Errorf("got the rule %s, refused %q, %v", found[made.ID].Rule.Describe(), found[made.ID].Refused, err)
		}
	})
}

// A mailbox that wants to be left alone is not asked for the occurrences left.
