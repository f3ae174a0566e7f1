package reconciler_test

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// life is alice's calendar over a long time, in which nobody tells anything
// unless a test says so.
type life struct {
	*testing.T
	*world
	outlook  *fakeOutlook
	nightpos *fakeNightPOS
	memory   *memory
	engine   *reconciler.Engine
	watcher  *watcher
	born     time.Time
	// signals are those to look after the subscription.
	signals []string
}

// watcher counts what an engine tells.
type watcher struct {
	untold map[reconciler.Side]int
	failed map[string]int
	echoes int
}

func (w *watcher) Synced(reconciler.Side, reconciler.Action, time.Duration) {}
func (w *watcher) Failed(cause string)                                      { w.failed[cause]++ }
func (w *watcher) Echo(_ reconciler.Side, count int)                        { w.echoes += count }
func (w *watcher) Conflict(reconciler.Field)                                {}
func (w *watcher) Untold(from reconciler.Side)                              { w.untold[from]++ }

// newLife begins with a first sweep and a first round of changes.
func newLife(t *testing.T, prepare func(*life)) *life {
	t.Helper()
	w := &world{now: time.Date(2027, 1, 11, 9, 0, 0, 0, time.UTC)}
	l := &life{
		T: t, world: w, born: w.now, watcher: &watcher{untold: map[reconciler.Side]int{}, failed: map[string]int{}},
		outlook:  &fakeOutlook{calendar: calendar{world: w}, copies: map[string]*reconciler.Copy{}, keys: map[string]string{}, sent: map[string]reconciler.Event{}},
		nightpos: &fakeNightPOS{calendar: calendar{world: w}, records: map[int64]*reconciler.Record{}, keys: map[string]int64{}},
	}
	l.memory = newMemory(func() time.Time { return w.now }, alice)
	var err error
	l.engine, err = reconciler.NewEngine(reconciler.Config{
		Outlook: l.outlook, NightPOS: l.nightpos, Store: l.memory, Queue: l.memory, Observer: l.watcher, Database: "night",
		SweepEvery: 24 * time.Hour, ChangesEvery: time.Hour, Now: func() time.Time { return w.now },
		Chores: map[string]reconciler.Chore{
			reconciler.KeySubscription: func(_ context.Context, _ reconciler.Member, item reconciler.Item) (time.Time, error) {
				l.signals = append(l.signals, item.Version)
				return time.Time{}, nil
			},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	if prepare != nil {
		prepare(l)
		w.now = w.now.Add(time.Minute)
	}
	l.add(reconciler.SweepItem(reconciler.PriorityPerson, w.now))
	l.pass(30 * time.Minute)
	if l.memory.sweeps.Cursor.Token == "" || l.outlook.rounds != 1 {
		t.Fatalf("after half an hour %d rounds were made, and the cursor is %+v", l.outlook.rounds, l.memory.sweeps.Cursor)
	}
	return l
}

func (l *life) add(item reconciler.Item) {
	l.Helper()
	if err := l.memory.Add(context.Background(), alice.ID, item); err != nil {
		l.Fatal(err)
	}
}

// pass lets time go by, and works on what becomes due meanwhile.
func (l *life) pass(span time.Duration) {
	l.Helper()
	end := l.now.Add(span)
	for steps := 0; ; steps++ {
		due, waits := l.memory.due()
		if !waits || due.After(end) {
			break
		}
		if steps > 200_000 {
			l.Fatalf("never quiet: %+v", l.memory.items)
		}
		if due.After(l.now) {
			l.now = due
		}
		batch, err := l.memory.Take(context.Background(), 100)
		if err != nil {
			l.Fatal(err)
		}
		if err := l.engine.Process(context.Background(), batch); err != nil {
			l.Fatalf("a round failed: %v", err)
		}
	}
	l.now = end
}

// tell delivers the hints of a side.
func (l *life) tell(side *calendar) {
	l.Helper()
	for _, item := range side.hints {
		l.add(item)
	}
	side.hints = nil
}

// at is an event of one hour.
func at(title string, start time.Time) reconciler.Event {
	return reconciler.Event{
		Title: title, Body: "<p>body</p>", When: reconciler.When{Start: start, End: start.Add(time.Hour)},
		Privacy: reconciler.PrivacyPublic, ShowAs: reconciler.ShowAsBusy, Organizer: reconciler.Person{Address: alice.Address},
	}
}

func (l *life) retitle(copied *reconciler.Copy, title string) {
	next := *l.outlook.copies[copied.ID]
	next.Event.Title = title
	l.outlook.save(&next)
}

// titles are what both sides show; they must be the same.
func (l *life) want(titles ...string) {
	l.Helper()
	var inOutlook, inNightPOS []string
	for _, copied := range l.outlook.copies {
		if !copied.Recurring {
			inOutlook = append(inOutlook, copied.Event.Title)
		}
	}
	for _, record := range l.nightpos.records {
		if !record.Archived {
			inNightPOS = append(inNightPOS, record.Event.Title)
		}
	}
	slices.Sort(titles)
	for side, got := range map[string][]string{"Outlook": inOutlook, "NightPOS": inNightPOS} {
		slices.Sort(got)
		if diff := cmp.Diff(titles, got); diff != "" {
			l.Errorf("%s after %s (-want +got):\n%s", side, l.now.Sub(l.born), diff)
		}
	}
}

func (l *life) wantUntold(inOutlook, inNightPOS int) {
	l.Helper()
	want := map[reconciler.Side]int{reconciler.SideOutlook: inOutlook, reconciler.SideNightPOS: inNightPOS}
	maps.DeleteFunc(want, func(_ reconciler.Side, count int) bool { return count == 0 })
	if diff := cmp.Diff(want, l.watcher.untold); diff != "" {
		l.Errorf("untold changes by side (-want +got):\n%s", diff)
	}
}

func TestWhatNobodyToldIsFoundByARoundOfChanges(t *testing.T) {
	var moved, removed *reconciler.Copy
	l := newLife(t, func(l *life) {
		moved, removed = l.outlook.create(at("moved", noon), 0), l.outlook.create(at("removed", noon), 0)
		l.nightpos.create(at("archived", noon), alice.UserID, "", false)
		l.nightpos.create(at("renamed", noon), alice.UserID, "", false)
	})
	l.want("moved", "removed", "archived", "renamed")
	l.wantUntold(0, 0) // a first sync finds everything, but it is no news
	lists := l.outlook.lists

	l.retitle(moved, "moved on")
	l.outlook.remove(removed.ID)
	l.outlook.create(at("new in Outlook", noon), 0)
	for _, record := range l.nightpos.records {
		next := *record
		switch record.Event.Title {
		case "archived":
			next.Archived = true
		case "renamed":
			next.Event.Title = "renamed again"
		default:
			continue
		}
		l.nightpos.save(&next, true)
	}
	l.nightpos.create(at("new in NightPOS", noon), alice.UserID, "", true)
	l.pass(90 * time.Minute)
	l.want("moved on", "new in Outlook", "renamed again", "new in NightPOS")
	l.wantUntold(3, 3)
	if got := slices.Compact(slices.Clone(l.signals)); !slices.Equal(got, []string{reconciler.SignalSilent}) {
		t.Errorf("signals to look after the subscription: got %q, want nothing but %q", l.signals, reconciler.SignalSilent)
	}
	if got := l.outlook.lists - lists; got != 0 {
		t.Errorf("the calendar was listed %d times; rounds of changes must do", got)
	}
}

func TestWhatIsToldInTimeIsNoFinding(t *testing.T) {
	var copied *reconciler.Copy
	l := newLife(t, func(l *life) { copied = l.outlook.create(at("told", noon), 0) })
	l.outlook.hints = nil
	l.retitle(copied, "told late")
	before := l.outlook.rounds
	for l.outlook.rounds == before {
		l.pass(time.Minute)
	}
	if _, waits := l.memory.items[reconciler.OutlookKey(copied.ID)]; !waits {
		t.Fatal("the round found nothing; this test is about what it finds")
	}
	l.tell(&l.outlook.calendar) // two minutes late
	l.pass(time.Second)
	l.want("told late")
	l.pass(30 * time.Minute)
	l.wantUntold(0, 0)
	if len(l.signals) > 0 {
		t.Errorf("signals to look after the subscription: got %q, want none", l.signals)
	}
}

func TestAMailboxWhereNothingHappensCostsOneCallARound(t *testing.T) {
	l := newLife(t, func(l *life) {
		for day := range 30 {
			l.outlook.create(at(fmt.Sprint("day ", day), noon.AddDate(0, 0, day)), 0)
		}
	})
	l.pass(24 * time.Hour)
	rounds, asked, reads, lists := l.outlook.rounds, l.nightpos.rounds, l.outlook.reads, l.outlook.lists
	l.pass(10 * 24 * time.Hour)
	for what, got := range map[string]int{"rounds of Outlook": l.outlook.rounds - rounds, "rounds of NightPOS": l.nightpos.rounds - asked} {
		if got < 220 || got > 260 { // an hour, give or take a tenth
			t.Errorf("%s: %d in ten days, want about 240", what, got)
		}
	}
	if got := l.outlook.reads - reads; got != 0 {
		t.Errorf("%d reads of events that nobody touched", got)
	}
	if got := l.outlook.lists - lists; got != 10 {
		t.Errorf("%d listings in ten days, want 10", got)
	}
}

func Test13_8PhantomRemovedDeletesNothing(t *testing.T) {
	far := noon.AddDate(6, 0, 0)
	var moved, stays *reconciler.Copy
	l := newLife(t, func(l *life) {
		moved, stays = l.outlook.create(at("moved", noon), 0), l.outlook.create(at("far", far), 0)
	})
	next := *l.outlook.copies[moved.ID]
	next.Event.When = at("", far).When
	l.outlook.save(&next)
	l.retitle(stays, "far and changed")
	l.pass(2 * time.Hour)
	for _, record := range l.nightpos.records {
		if record.Archived {
			t.Errorf("%q was archived, but only lies outside the window", record.Event.Title)
		}
	}
	record := l.nightpos.records[l.linkOf(moved.ID).RecordID]
	if !record.Event.When.Start.Equal(far) {
		t.Errorf("what left the window is on %s in NightPOS, want %s", record.Event.When.Start, far)
	}
}

func (l *life) linkOf(graphID string) reconciler.Link {
	l.Helper()
	for _, link := range l.memory.links {
		if link.GraphID == graphID {
			return link
		}
	}
	l.Fatalf("no link of %s", graphID)
	return reconciler.Link{}
}

func Test13_9MissingDeletionsAreFoundByTheNextSweep(t *testing.T) {
	var removed *reconciler.Copy
	l := newLife(t, func(l *life) {
		removed = l.outlook.create(at("removed", noon), 0)
		l.outlook.create(at("stays", noon), 0)
	})
	l.outlook.remove(removed.ID)
	l.outlook.told = l.outlook.told[:len(l.outlook.told)-1] // and never said
	l.pass(25 * time.Hour)
	l.want("stays")
	l.wantUntold(1, 0)
}

func Test13_9EndlessRoundsFallBackToListings(t *testing.T) {
	var copied, removed *reconciler.Copy
	l := newLife(t, func(l *life) {
		copied, removed = l.outlook.create(at("x", noon), 0), l.outlook.create(at("removed", noon), 0)
	})
	l.outlook.wedged = true
	rounds, lists := l.outlook.rounds, l.outlook.lists
	for hour := range 20 {
		l.retitle(copied, fmt.Sprint("edit ", hour))
		if hour == 3 {
			l.outlook.remove(removed.ID)
		}
		l.pass(80 * time.Minute)
		if hour >= 3 {
			l.want(fmt.Sprint("edit ", hour))
		}
	}
	if got := l.outlook.lists - lists; got < 20 {
		t.Errorf("%d listings in 20 hours without rounds, want one for each", got)
	}
	if got := l.outlook.rounds - rounds; got > 4 {
		t.Errorf("%d rounds were begun in vain in a day, want few", got)
	}
	l.outlook.wedged = false
	l.pass(26 * time.Hour)
	lists = l.outlook.lists
	l.retitle(copied, "rounds end again")
	l.pass(80 * time.Minute)
	l.want("rounds end again")
	if l.memory.sweeps.Cursor.Token == "" || l.outlook.lists != lists {
		t.Errorf("a day later the cursor is %+v, and %d listings were needed", l.memory.sweeps.Cursor, l.outlook.lists-lists)
	}
}

func Test6_7ATokenThatIsGoneFallsBackToAListing(t *testing.T) {
	var copied, removed *reconciler.Copy
	l := newLife(t, func(l *life) {
		copied, removed = l.outlook.create(at("x", noon), 0), l.outlook.create(at("removed", noon), 0)
	})
	l.retitle(copied, "edited")
	l.outlook.remove(removed.ID)
	l.outlook.forgotten = len(l.outlook.told)
	lists := l.outlook.lists
	l.pass(80 * time.Minute)
	l.want("edited")
	l.wantUntold(2, 0)
	if got := l.outlook.lists - lists; got != 1 || l.watcher.failed["delta_gone"] != 1 {
		t.Errorf("%d listings, failures %v; want one of each", got, l.watcher.failed)
	}
	// From the new token rounds go on.
	l.retitle(copied, "edited again")
	lists = l.outlook.lists
	l.pass(80 * time.Minute)
	l.want("edited again")
	if l.outlook.lists != lists {
		t.Error("another listing was made")
	}
}

// refusing is a queue that takes nothing for a while.
type refusing struct {
	*memory
	refuse bool
}

func (r *refusing) Add(ctx context.Context, lane string, items ...reconciler.Item) error {
	if r.refuse {
		return errUpstream
	}
	return r.memory.Add(ctx, lane, items...)
}

func TestARoundIsForgottenUnlessItsHintsAreInTheLane(t *testing.T) {
	var copied *reconciler.Copy
	l := newLife(t, func(l *life) { copied = l.outlook.create(at("x", noon), 0) })
	queue := &refusing{memory: l.memory, refuse: true}
	l.engine.Queue = queue
	before := l.memory.sweeps
	l.retitle(copied, "edited")
	l.pass(2 * time.Hour)
	if diff := cmp.Diff(before, l.memory.sweeps); diff != "" {
		t.Errorf("the store took nothing, but it was recorded how far changes are known (-before +after):\n%s", diff)
	}
	queue.refuse = false
	l.pass(30 * time.Minute)
	l.want("edited")
}

func TestARoundThatFailsIsMadeAgainFromTheSamePlace(t *testing.T) {
	var copied, removed *reconciler.Copy
	l := newLife(t, func(l *life) {
		copied, removed = l.outlook.create(at("x", noon), 0), l.outlook.create(at("removed", noon), 0)
	})
	l.retitle(copied, "edited")
	l.outlook.remove(removed.ID)
	l.outlook.failures = 5
	before := l.memory.sweeps
	for l.outlook.failures > 0 {
		l.pass(time.Second)
		if diff := cmp.Diff(before, l.memory.sweeps); diff != "" && l.outlook.failures > 0 {
			t.Fatalf("a failed round was recorded (-before +after):\n%s", diff)
		}
	}
	l.pass(10 * time.Minute)
	l.want("edited")
}

func TestAnotherMailboxBeginsAnew(t *testing.T) {
	l := newLife(t, func(l *life) { l.outlook.create(at("x", noon), 0) })
	other := alice
	other.Mailbox = "alice@elsewhere.example"
	l.memory.members = []reconciler.Member{other}
	before := l.outlook.begun
	l.pass(90 * time.Minute)
	if got := l.outlook.begun - before; got != 1 || l.memory.sweeps.Mailbox != other.Mailbox {
		t.Errorf("%d first rounds, recorded for %q; want one for the new mailbox", got, l.memory.sweeps.Mailbox)
	}
}

// Test6_12TheWindowMovesOn lets a year pass in which people plan ever further
// ahead, nobody tells of anything, and the token is lost now and then.
func Test6_12TheWindowMovesOn(t *testing.T) {
	l := newLife(t, func(l *life) {
		l.outlook.create(at("long ago", noon.AddDate(0, -11, 0)), 0)
		l.outlook.create(at("first", noon), 0)
	})
	titles := []string{"long ago", "first"}
	firstEnd := l.memory.sweeps.Cursor.Window.End
	beyond := 0
	for week := 1; week <= 52; week++ {
		// Two years ahead, less a day: within what a sweep covers now, and from
		// the fifth week on beyond what the first round saw.
		start := l.now.AddDate(0, 0, 729).Add(-time.Hour)
		if start.After(firstEnd) {
			beyond++
		}
		title := fmt.Sprintf("week %02d", week)
		titles = append(titles, title)
		lists := l.outlook.lists
		l.outlook.create(at(title, start), 0)
		l.pass(80 * time.Minute)
		if l.outlook.lists == lists && week%13 != 0 {
			l.want(slices.Clone(titles)...) // a round alone found it
		}
		if week%13 == 0 {
			l.outlook.forgotten = len(l.outlook.told)
		}
		l.pass(7*24*time.Hour - 80*time.Minute)
		l.want(slices.Clone(titles)...)
		if window := l.memory.sweeps.Cursor.Window; window.End.Before(l.now.AddDate(0, 0, 730-1)) || window.Start.After(l.now.AddDate(0, 0, -365)) {
			t.Errorf("week %d: the window from %s to %s has a gap", week, window.Start, window.End)
		}
	}
	if beyond < 40 {
		t.Fatalf("%d events lay beyond the first window; this test is about them", beyond)
	}
	l.wantUntold(52, 0)
	for _, line := range l.memory.lines {
		if line.Action == reconciler.ActionDelete || line.Action == reconciler.ActionArchive {
			t.Errorf("something was deleted: %+v", line)
		}
	}
	if l.outlook.begun < 12 || l.outlook.begun > 20 {
		t.Errorf("%d first rounds in a year; want about one a month", l.outlook.begun)
	}
}
