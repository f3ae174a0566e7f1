package nightpos_test

import (
	"testing"
	"testing/synctest"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// ownDefault has alice choose who sees those of her events that do not say so.
func (w *world) ownDefault(privacy string) {
	w.Helper()
	if err := w.sim.Member("admin").WriteUser(w.Context(), int(w.alice.UserID), map[string]any{"calendar_default_privacy": privacy}); err != nil {
		w.Fatal(err)
	}
}

// stored is what NightPOS holds on the privacy of an event, false for nothing.
func (w *world) stored(id int64) any {
	w.Helper()
	for _, event := range w.sim.Events() {
		if event["id"] == int(id) {
			return event["privacy"]
		}
	}
	w.Fatalf("event %d is not there", id)
	return nil
}

// TestDefaultPrivacy reads and writes events that leave to their owner who may see
// them, which 17 does not know.
func TestDefaultPrivacy(t *testing.T) {
	for _, version := range []int{17, 18, 19} {
		t.Run("", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, version)
				alice := w.sim.Member("alice")
				made := func(more map[string]any) int64 {
					values := map[string]any{"name": "Doctor", "start": "2030-01-15 09:00:00", "stop": "2030-01-15 10:00:00"}
					for name, value := range more {
						values[name] = value
					}
					id, err := alice.Create(t.Context(), values)
					if err != nil {
						t.Fatal(err)
					}
					return int64(id)
				}
				want := func(id int64, want reconciler.Privacy) {
					t.Helper()
					if got := w.read(id).Event.Privacy; got != want {
						t.Errorf("NightPOS %d, event %d: got privacy %q, want %q", version, id, got, want)
					}
				}
				left, said := made(nil), made(map[string]any{"privacy": "public"})
				want(said, reconciler.PrivacyPublic)
				if version < 18 {
					want(left, reconciler.PrivacyPublic)
					return
				}
				// Who never chose a default, or chose public, is read as ever.
				want(left, reconciler.PrivacyDefault)
				for _, privacy := range []reconciler.Privacy{reconciler.PrivacyPrivate, reconciler.PrivacyConfidential} {
					w.ownDefault(string(privacy))
					want(left, privacy)
					want(said, reconciler.PrivacyPublic)
				}
				series := w.read(made(map[string]any{
					"recurrency": true, "rrule_type": "weekly", "tue": true, "interval": 1, "end_type": "count", "count": 2,
				})).RecurrenceID
				read, err := w.client.ReadSeries(t.Context(), []int64{series})
				if err != nil || len(read[series].Occurrences) != 2 {
					t.Fatalf("got series %v, %v", read, err)
				}
				for _, one := range read[series].Occurrences {
					if one.Event.Privacy != reconciler.PrivacyConfidential {
						t.Errorf("an occurrence: got privacy %q, want that of the owner's default", one.Event.Privacy)
					}
				}

				// Another occurrence of it does as the others, unless it is something else.
				longer, last := read[series], read[series].Occurrences[1].Event
				for weeks, privacy := range []reconciler.Privacy{reconciler.PrivacyConfidential, reconciler.PrivacyPrivate} {
					last.Privacy, last.When.Start, last.When.End = privacy, last.When.Start.AddDate(0, 0, 7), last.When.End.AddDate(0, 0, 7)
					result := w.client.WriteSeries(t.Context(), reconciler.SeriesRecordWrite{
						ID: series, Current: &longer, OrganizerUserID: w.alice.UserID, Create: []reconciler.Event{last},
					})
					if result.Err != nil || len(result.Record.Occurrences) != 3+weeks {
						t.Fatalf("adding an occurrence: got %v, %v", result.Record, result.Err)
					}
					longer = *result.Record
					if got, want := w.stored(longer.Occurrences[2+weeks].ID), []any{false, "private"}[weeks]; got != want {
						t.Errorf("another occurrence: got %v, want %v", got, want)
					}
				}

				// Written as it is shown, it goes on following the default; as something
				// else, it is that.
				private := func(event *reconciler.Event) { event.Privacy = reconciler.PrivacyPrivate }
				w.ownDefault("private")
				w.write(update(w.read(left), private, reconciler.FieldPrivacy))
				if got := w.stored(left); got != false {
					t.Errorf("written as it was shown: got %v, want nothing said", got)
				}
				w.write(update(w.read(left), func(event *reconciler.Event) { event.Privacy = reconciler.PrivacyPublic }, reconciler.FieldPrivacy))
				if got := w.stored(left); got != "public" {
					t.Errorf("published: got %v, want public", got)
				}
				w.write(update(w.read(left), private, reconciler.FieldPrivacy))
				if got := w.stored(left); got != "private" {
					t.Errorf("hidden: got %v, want private", got)
				}
				event := meeting()
				event.Privacy = reconciler.PrivacyPublic
				brought := w.write(w.create("one", event)).Record
				if got := w.stored(brought.ID); got != false || brought.Event.Privacy != reconciler.PrivacyPrivate {
					t.Errorf("made from a normal one of Outlook's: got %v, shown as %q, want the owner's default", got, brought.Event.Privacy)
				}
				w.ownDefault("public")
				want(brought.ID, reconciler.PrivacyDefault)
				want(left, reconciler.PrivacyPrivate)
			})
		})
	}
}
