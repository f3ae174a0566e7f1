package outlook_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	sim "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// deltaCall is how the simulated Outlook counts calls for changes.
const deltaCall = "GET /me/calendarView/delta"

// january is a window around meeting().
var january = reconciler.Window{
	Start: time.Date(2027, 1, 1, 0, 0, 0, 0, time.UTC), End: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC),
}

// changes makes a round that must succeed.
func (w *world) changes(cursor reconciler.Cursor) reconciler.Changes {
	w.Helper()
	changes, err := w.client.Changes(w.Context(), alice, cursor)
	if err != nil {
		w.Fatalf("asking for changes: %v", err)
	}
	return changes
}

// begin makes a first round of january.
func (w *world) begin() reconciler.Changes {
	w.Helper()
	return w.changes(reconciler.Cursor{Window: january})
}

// on makes an event of that day without attendees.
func (w *world) on(start time.Time) reconciler.Copy {
	w.Helper()
	event := meeting()
	event.People, event.When = nil, reconciler.When{Start: start, End: start.Add(time.Hour)}
	write := create(event)
	w.made++
	write.Key = fmt.Sprintf("6ba7b810-9dad-11d1-80b4-%012d", w.made)
	return *w.write(alice, write).Copy
}

// change saves an event under a new title.
func (w *world) change(copied reconciler.Copy, fields ...reconciler.Field) reconciler.Copy {
	w.Helper()
	if len(fields) == 0 {
		copied.Event.Title += " again"
		fields = []reconciler.Field{reconciler.FieldTitle}
	}
	current := copied
	return *w.write(alice, reconciler.OutlookWrite{
		Action: reconciler.ActionUpdate, ID: copied.ID, Current: &current, Event: copied.Event, Fields: reconciler.NewFieldSet(fields...),
	}).Copy
}

func (w *world) remove(copied reconciler.Copy) {
	w.Helper()
	w.write(alice, reconciler.OutlookWrite{Action: reconciler.ActionDelete, ID: copied.ID})
}

func saved(copied reconciler.Copy) reconciler.Change {
	return reconciler.Change{ID: copied.ID, ChangeKey: copied.ChangeKey}
}

func removed(copied reconciler.Copy) reconciler.Change {
	return reconciler.Change{ID: copied.ID, Removed: true}
}

// wantFound compares what a round found, in any order.
func (w *world) wantFound(changes reconciler.Changes, want ...reconciler.Change) {
	w.Helper()
	byID := cmpopts.SortSlices(func(a, b reconciler.Change) bool { return a.ID < b.ID })
	if diff := cmp.Diff(want, changes.Found, byID, cmpopts.EquateEmpty()); diff != "" || changes.Lost != "" {
		w.Errorf("lost %q, found (-want +got):\n%s", changes.Lost, diff)
	}
}

func TestARoundOfChangesWhereNothingChangedIsOneCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		for day := range 28 {
			w.on(january.Start.AddDate(0, 0, day))
		}
		cursor := w.begin().Next
		before := w.sim.Counts()[deltaCall]
		for range 10 {
			changes := w.changes(cursor)
			w.wantFound(changes)
			cursor = changes.Next
		}
		if got := w.sim.Counts()[deltaCall] - before; got != 10 {
			t.Errorf("10 rounds took %d calls, want 10", got)
		}
	})
}

func TestARoundTellsEachChangeOnceInItsLastForm(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		first, second, third := w.on(day(9, 0)), w.on(day(10, 0)), w.on(day(11, 0))
		begun := w.begin()
		w.wantFound(begun, saved(first), saved(second), saved(third))
		first = w.change(w.change(first))
		w.remove(second)
		fourth := w.on(day(12, 0))
		changes := w.changes(begun.Next)
		w.wantFound(changes, saved(first), removed(second), saved(fourth))
		w.wantFound(w.changes(changes.Next))
		// The same place may be asked from again, as after a crash.
		w.wantFound(w.changes(begun.Next), saved(first), removed(second), saved(fourth))
	})
}

func Test6_3PagesAndEmptyPages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *sim.Config) { c.Switches.DeltaEmptyPages = 0.7 })
		begun := w.begin()
		var want []reconciler.Change
		for index := range 250 {
			want = append(want, saved(w.on(day(9, 0).Add(time.Duration(index)*time.Minute))))
		}
		w.wantFound(w.changes(begun.Next), want...)
		if got := w.sim.Counts()[deltaCall]; got < 5 {
			t.Errorf("%d calls; this test is about pages", got)
		}
	})
}

func Test6_9Replays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(c *sim.Config) { c.Switches.DeltaReplays = 1 })
		first, second := w.on(day(9, 0)), w.on(day(10, 0))
		begun := w.begin()
		second = w.change(second)
		// The first one is told again, unchanged, and the second one only once.
		w.wantFound(w.changes(begun.Next), saved(first), saved(second))
	})
}

func Test13_8PhantomRemoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		outside := january.End.AddDate(0, 1, 0)
		old, moved := w.on(outside), w.on(day(9, 0))
		begun := w.begin()
		w.wantFound(begun, saved(moved))
		old = w.change(old)
		created := w.on(outside)
		moved.Event.When = reconciler.When{Start: outside, End: outside.Add(time.Hour)}
		moved = w.change(moved, reconciler.FieldWhen)
		// All of them exist, whatever the round says: so it is a hint, no more.
		w.wantFound(w.changes(begun.Next), removed(old), removed(created), removed(moved))
		for _, copied := range []reconciler.Copy{old, created, moved} {
			if got := w.read(alice, copied.ID).ChangeKey; got != copied.ChangeKey {
				t.Errorf("read change key %q, want %q", got, copied.ChangeKey)
			}
		}
	})
}

func Test6_12TheWindowIsFrozenInTheToken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		begun := w.begin()
		want := reconciler.Window{Start: january.Start.AddDate(0, 0, -1), End: january.End.AddDate(0, 0, 1)}
		if begun.Next.Window != want {
			t.Errorf("the cursor's window is %v, want %v", begun.Next.Window, want)
		}
		later := begun.Next
		later.Window.End = later.Window.End.AddDate(1, 0, 0)
		beyond := w.on(january.End.AddDate(0, 2, 0))
		w.wantFound(w.changes(later), removed(beyond))
		w.wantFound(w.changes(reconciler.Cursor{Window: later.Window}), saved(beyond))
	})
}

func Test6_14WholeDaysAtTheEdges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		edge := reconciler.Window{Start: day(22, 0), End: day(23, 0)}
		event := meeting()
		event.People, event.When = nil, reconciler.When{AllDay: true, Start: day(0, 0).AddDate(0, 0, 1), End: day(0, 0).AddDate(0, 0, 2)}
		made := *w.write(alice, create(event)).Copy
		// In Brussels the 13th begins at 23:00 on the 12th.
		w.wantFound(w.changes(reconciler.Cursor{Window: edge}), saved(made))
	})
}

func Test8_13TheWindowIsNeverTooLongForGraph(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		begun := w.changes(reconciler.Cursor{Window: reconciler.Window{Start: day(0, 0), End: day(0, 0).AddDate(9, 0, 0)}})
		if got := begun.Next.Window.End.Sub(begun.Next.Window.Start); got != 1825*24*time.Hour {
			t.Errorf("the window is %s long", got)
		}
	})
}

func Test6_7TokensThatAreGone(t *testing.T) {
	for name, fault := range map[string]sim.Fault{
		"410 syncStateNotFound": {Status: http.StatusGone, Code: "syncStateNotFound"},
		"410 SyncStateNotFound": {Status: http.StatusGone, Code: "SyncStateNotFound"},
		"410 fullSyncRequired":  {Status: http.StatusGone, Code: "fullSyncRequired"},
		"410 resyncRequired":    {Status: http.StatusGone, Code: "resyncRequired"},
		"410 of another word":   {Status: http.StatusGone, Code: "Gone"},
		"400 syncStateInvalid":  {Status: http.StatusBadRequest, Code: "syncStateInvalid"},
		"404 syncStateNotFound": {Status: http.StatusNotFound, Code: "ErrorSyncStateNotFound"},
		"409 resyncRequired":    {Status: http.StatusConflict, Code: "resyncRequired"},
		"400 Badly formed":      {Status: http.StatusBadRequest, Code: "BadRequest", Message: "Badly formed token."},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				strikes := false
				w := newWorld(t, func(c *sim.Config) {
					c.Faults = func(call sim.CallInfo) *sim.Fault {
						if strikes && strings.HasSuffix(call.Path, "/delta") {
							return &fault
						}
						return nil
					}
				})
				begun := w.begin()
				strikes = true
				if got := w.changes(begun.Next); got.Lost != "delta_gone" || got.Next.Token != "" || len(got.Found) != 0 {
					t.Errorf("%+v; want nothing but that it is lost", got)
				}
				// Without a token there is nothing to lose: then it is an error.
				if got, err := w.client.Changes(t.Context(), alice, reconciler.Cursor{Window: january}); err == nil {
					t.Errorf("a first round answered %+v; want an error", got)
				}
			})
		})
	}
}

func Test6_8TokensFallOutOfTheCache(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		begun := w.begin()
		w.sim.ForgetDeltaTokens(alice.Address)
		if got := w.changes(begun.Next).Lost; got != "delta_gone" {
			t.Errorf("lost %q, want delta_gone", got)
		}
		w.wantFound(w.changes(w.begin().Next))
		other := begun.Next
		other.Token = "https://graph.elsewhere.example/v1.0/me/calendarView/delta?$deltatoken=x"
		if got := w.changes(other).Lost; got != "delta_gone" {
			t.Errorf("another cloud's token: lost %q, want delta_gone", got)
		}
	})
}

func TestARoundThatFailsIsAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		w := newWorld(t, func(c *sim.Config) {
			c.Faults = func(call sim.CallInfo) *sim.Fault {
				if !strings.HasSuffix(call.Path, "/delta") {
					return nil
				}
				if calls++; calls == 3 { // the second page of the second round
					return &sim.Fault{Status: http.StatusServiceUnavailable, RetryAfter: time.Minute}
				}
				return nil
			}
		})
		begun := w.begin()
		var want []reconciler.Change
		for index := range 150 {
			want = append(want, saved(w.on(day(9, 0).Add(time.Duration(index)*time.Minute))))
		}
		changes, err := w.client.Changes(t.Context(), alice, begun.Next)
		var retry *reconciler.RetryError
		if !errors.As(err, &retry) || retry.After != time.Minute || len(changes.Found) != 0 || changes.Lost != "" {
			t.Errorf("%+v, %v; want nothing, and to come back in a minute", changes, err)
		}
		time.Sleep(time.Minute)
		w.wantFound(w.changes(begun.Next), want...)
	})
}

func Test13_9EndlessRounds(t *testing.T) {
	for name, wedge := range map[string]sim.Wedge{"under one link": sim.WedgeSameLink, "under ever new links": sim.WedgeFreshLinks} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, nil)
				begun := w.begin()
				w.on(day(9, 0))
				w.sim.WedgeDelta(alice.Address, wedge)
				before := w.sim.Counts()[deltaCall]
				for _, cursor := range []reconciler.Cursor{begun.Next, {Window: january}} {
					if got := w.changes(cursor); got.Lost != "delta_endless" || len(got.Found) != 0 || got.Next.Token != "" {
						t.Errorf("%+v; want nothing but that it is endless", got)
					}
				}
				if calls := w.sim.Counts()[deltaCall] - before; calls > 10 {
					t.Errorf("%d calls before two endless rounds were given up, want at most 10", calls)
				}
			})
		})
	}
}

// answering lets a transport change answers: the pages of rounds, or all that are
// asked for about events.
type answering struct {
	http.RoundTripper
	change func(page string) string
	events bool
}

func (a answering) RoundTrip(request *http.Request) (*http.Response, error) {
	answer, err := a.RoundTripper.RoundTrip(request)
	changed := strings.HasSuffix(request.URL.Path, "/delta") || a.events && strings.Contains(request.URL.Path, "/events/")
	if err != nil || !changed {
		return answer, err
	}
	defer answer.Body.Close()
	page, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, err
	}
	answer.Body = io.NopCloser(strings.NewReader(a.change(string(page))))
	answer.ContentLength = -1
	return answer, nil
}

// through is a client whose pages of changes are changed on their way.
func (w *world) through(change func(page string) string) *outlook.Client {
	w.Helper()
	return w.replica(func(config *outlook.Config) { config.HTTP = answering{RoundTripper: config.HTTP, change: change} })
}

// throughEvents is through for what is asked about events.
func (w *world) throughEvents(change func(answer string) string) *outlook.Client {
	w.Helper()
	return w.replica(func(config *outlook.Config) {
		config.HTTP = answering{RoundTripper: config.HTTP, change: change, events: true}
	})
}

func Test13_9EmptyPagesWithoutEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		calls := 0
		client := w.through(func(string) string {
			calls++
			return fmt.Sprintf(`{"value":[],"@odata.nextLink":"%s/v1.0/me/calendarView/delta?startDateTime=2027-01-01T00:00:00Z&endDateTime=2027-01-02T00:00:00Z&page=%d"}`, graph, calls)
		})
		changes, err := client.Changes(t.Context(), alice, reconciler.Cursor{Window: january})
		if err != nil || changes.Lost != "delta_endless" || calls != 500 {
			t.Errorf("%+v, %v after %d calls; want endless after 500", changes, err, calls)
		}
	})
}

func Test13_7StrippedOccurrences(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		client := w.through(func(page string) string {
			return strings.Replace(page, `"value":[`, `"value":[
				{"@odata.type":"#microsoft.graph.event","@odata.etag":"W/\"m\"","id":"AAMkMaster","type":"seriesMaster","changeKey":"m","subject":"Weekly"},
				{"@odata.type":"#microsoft.graph.event","@odata.etag":"W/\"o\"","id":"AAMkOccurrence","seriesMasterId":"AAMkMaster","type":"occurrence",
				 "start":{"dateTime":"2027-01-12T09:00:00.0000000","timeZone":"UTC"},"end":{"dateTime":"2027-01-12T10:00:00.0000000","timeZone":"UTC"}},
				{"@odata.type":"#microsoft.graph.event","@odata.etag":"W/\"e\"","id":"AAMkException","seriesMasterId":"AAMkMaster","type":"exception","changeKey":"e"}`, 1)
		})
		changes, err := client.Changes(t.Context(), alice, reconciler.Cursor{Window: january})
		if err != nil {
			t.Fatal(err)
		}
		w.wantFound(changes,
			reconciler.Change{ID: "AAMkMaster", ChangeKey: "m", Recurring: true, MasterID: "AAMkMaster"},
			reconciler.Change{ID: "AAMkOccurrence", ChangeKey: "o", Recurring: true, MasterID: "AAMkMaster"},
			reconciler.Change{ID: "AAMkException", ChangeKey: "e", Recurring: true, MasterID: "AAMkMaster"})
	})
}

func TestAPageOfChangesThatIsNoneIsAnError(t *testing.T) {
	for _, page := range []string{``, `{}`, `[]`, `{"value":null,"@odata.deltaLink":"x"}`, `{"value":[]}`, `{"value":[{"id":7}],"@odata.deltaLink":"x"}`} {
		synctest.Test(t, func(t *testing.T) {
			w := newWorld(t, nil)
			client := w.through(func(string) string { return page })
			changes, err := client.Changes(t.Context(), alice, reconciler.Cursor{Window: january})
			if err == nil {
				t.Errorf("page %s was read as %+v", page, changes)
			}
		})
	}
}

func TestANextLinkThatLeadsElsewhereIsNotFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		client := w.through(func(string) string {
			return `{"value":[],"@odata.nextLink":"http://elsewhere.sim/v1.0/me/calendarView/delta?$skiptoken=x"}`
		})
		if changes, err := client.Changes(t.Context(), alice, reconciler.Cursor{Window: january}); err == nil {
			t.Errorf("got %+v, want an error", changes)
		}
	})
}

func FuzzPagesOfChanges(f *testing.F) {
	f.Add([]byte(`{"value":[{"id":"a","@odata.etag":"W/\"1\"","type":"singleInstance"},{"id":"b","@removed":{"reason":"deleted"}}],"@odata.deltaLink":"http://outlook.sim/v1.0/me/calendarView/delta?$deltatoken=x"}`))
	f.Add([]byte(`{"value":[{"id":"a","@removed":null,"changeKey":"1"},{"id":"a","changeKey":"2"}],"@odata.nextLink":"http://outlook.sim/v1.0/me/calendarView/delta?$skiptoken=x"}`))
	f.Fuzz(func(t *testing.T, page []byte) {
		serve := roundTripper(func(request *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(page)), Request: request}, nil
		})
		client, err := outlook.New(outlook.Config{
			GraphURL: graph + "/v1.0", ClientID: "x", ClientSecret: "x", DatabaseID: database, HTTP: serve,
			Store: &tokens{kept: map[string]outlook.Token{alice.ID: {AccessToken: "x", Expires: time.Now().Add(time.Hour)}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		changes, err := client.Changes(t.Context(), alice, reconciler.Cursor{Window: january})
		if err == nil && changes.Lost == "" && changes.Next.Token == "" {
			t.Errorf("page %q ended a round without a place to go on from: %+v", page, changes)
		}
	})
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
