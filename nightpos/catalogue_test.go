package nightpos_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// TestTagsAndAlarmsThatBecameOthers: a tag that the gateway made is renamed, and an
// alarm set to another time; events with the old ones have those made anew, once.
func TestTagsAndAlarmsThatBecameOthers(t *testing.T) {
	for _, version := range []int{17, 18, 19} {
		t.Run(fmt.Sprint(version), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, version)
				before := 47 * time.Minute
				event := meeting()
				event.Categories, event.Reminders = []string{"Clients"}, []time.Duration{before}
				change := func(model string, domain []any, values map[string]any) {
					t.Helper()
					found, err := w.rpc(model, "search", domain)
					if err != nil || len(found.([]any)) != 1 {
						t.Fatalf("looking for %v: got %v, %v, want one", domain, found, err)
					}
					if _, err := w.rpc(model, "write", found, values); err != nil {
						t.Fatal(err)
					}
				}
				var made []int64
				// Each time somebody makes them into something else, once more.
				for round := range 3 {
					for copied := range 2 {
						record := w.write(w.create(fmt.Sprintf("event %d.%d", round, copied), event)).Record
						if !slices.Equal(record.Event.Categories, event.Categories) || !slices.Equal(record.Event.Reminders, event.Reminders) {
							t.Errorf("round %d: got %v and %v, want %v and %v",
								round, record.Event.Categories, record.Event.Reminders, event.Categories, event.Reminders)
						}
						made = append(made, record.ID)
					}
					change("calendar.event.type", []any{[]any{"name", "=", "Clients"}}, map[string]any{"name": fmt.Sprint("Customers ", round)})
					change("calendar.alarm", []any{[]any{"duration", "=", 47}}, map[string]any{"duration": 100 + round})
					w.advance()
				}
				// What somebody renamed is renamed wherever it was.
				for index, id := range made {
					want := []string{fmt.Sprint("Customers ", index/2)}
					if got := w.read(id).Event; !slices.Equal(got.Categories, want) || !slices.Equal(got.Reminders, []time.Duration{time.Duration(100+index/2) * time.Minute}) {
						t.Errorf("event %d: got %v and %v, want %v", index, got.Categories, got.Reminders, want)
					}
				}
			})
		})
	}
}

// TestEditedTagsOfUpdates: the same for a category that an existing event gets.
func TestEditedTagsOfUpdates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 18)
		record := w.write(w.create("one", meeting())).Record
		tags, err := w.rpc("calendar.event.type", "search", []any{[]any{"name", "=", "Blue"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.rpc("calendar.event.type", "write", tags, map[string]any{"name": "Navy"}); err != nil {
			t.Fatal(err)
		}
		w.advance()
		both := []string{"Blue", "Navy"}
		got := w.write(update(*record, func(event *reconciler.Event) { event.Categories = both }, reconciler.FieldCategories)).Record.Event
		if !slices.Equal(got.Categories, both) {
			t.Errorf("got %v, want %v", got.Categories, both)
		}
	})
}

// advance has everything that the client remembers become old.
func (w *world) advance() { time.Sleep(24 * time.Hour) }
