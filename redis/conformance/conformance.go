// Package conformance says what every store must do, whichever engine it runs
// on.
package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// Open opens another store on the engine under test, as a further replica of
// the gateway would. The clock is the store's; a namespace keeps cases apart.
type Open func(t *testing.T, namespace string, now func() time.Time) *redis.Store

// Run runs the suite in real time, all cases at once: stores spend most of it
// waiting.
func Run(t *testing.T, open Open) {
	each(t, func(t *testing.T, check func(*testing.T, opener), namespace string) {
		t.Parallel()
		check(t, opener{t: t, open: open, namespace: namespace})
	})
}

// RunVirtual runs the suite in virtual time, each case in a bubble of its own:
// open must make its engine inside it.
func RunVirtual(t *testing.T, open Open) {
	each(t, func(t *testing.T, check func(*testing.T, opener), namespace string) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			check(t, opener{t: t, open: open, namespace: namespace, virtual: true})
		})
	})
}

func each(t *testing.T, run func(t *testing.T, check func(*testing.T, opener), namespace string)) {
	cases := map[string]func(*testing.T, opener){
		"an item is taken, worked on and gone":           taken,
		"a ticket is used once":                          tickets,
		"one claims what is done for all":                claims,
		"adding what waits changes nothing":              folded,
		"adding what is worked on makes it run again":    again,
		"an item that failed comes back with a reason":   retried,
		"a pause under a millisecond is a pause":         brieflyPutOff,
		"two workers never hold a lane at once":          exclusive,
		"a lease that ends by itself gives items back":   abandoned,
		"a lost lease records nothing":                   fenced,
		"replicas whose clocks differ share lanes":       apart,
		"an item is not taken before it is due":          delayed,
		"what a person waits for goes first":             urgent,
		"a waiting worker is woken by another replica":   woken,
		"a waiting worker starts with the lease":         started,
		"a worker that leaves takes nothing with it":     left,
		"a hint about our own write is an echo":          echo,
		"two versions of a copy are no echo of either":   versions,
		"links are found by copy and by record":          links,
		"a link that moves leaves its old copy free":     moved,
		"the content of notifications is there a while":  contents,
		"a setting is changed by one at a time":          changedSetting,
		"a series is found by any of its occurrences":    seriesLinks,
		"the log is newest first, with lost values":      logged,
		"meetings are known to every lane":               meetings,
		"pairs are known until a lane is swept again":    pairs,
		"one lane at a time claims a meeting":            claimed,
		"what a record is made for is remembered":        making,
		"members, tokens, subscriptions, settings stay":  members,
		"a mailbox has one member, a member one mailbox": mailboxes,
		"many lanes and workers lose nothing":            crowd,
		"a parked item comes back as it was":             parked,
		"a hurried lane is due at once":                  hurried,
		"a token is replaced where it was read":          replaced,
		"one renews a token at a time":                   locked,
		"a member is changed where it was read":          changed,
		"a parked state is a member's":                   parkedMember,
		"jobs, what they deleted, and deeds are kept":    jobs,
		"a forgotten event map stays forgotten":          forgotten,
		"what waits is told from what was put off":       backlog,
		"replicas share a mailbox's budget":              spent,
		"a mailbox is left alone by all replicas":        leftAlone,
	}
	for index, name := range slices.Sorted(maps.Keys(cases)) {
		t.Run(name, func(t *testing.T) {
			run(t, cases[name], fmt.Sprintf("test-%d-%d", time.Now().UnixNano(), index))
		})
	}
}

type opener struct {
	t         *testing.T
	open      Open
	namespace string
	virtual   bool
}

// store opens a replica whose clock the test may move.
func (o opener) store(clock *clock) *redis.Store { return o.open(o.t, o.namespace, clock.now) }

// settle lets what was started come to the point where it waits.
func (o opener) settle() {
	if o.virtual {
		synctest.Wait()
		return
	}
	time.Sleep(time.Millisecond)
}

// clock makes the clock of a case.
func (o opener) clock() *clock { return &clock{virtual: o.virtual} }

// clock is the real time plus what the test adds. In virtual time nothing is
// added: the time is slept through.
type clock struct {
	virtual bool
	mutex   sync.Mutex
	ahead   time.Duration
	// frozen is a time that does not pass by itself.
	frozen time.Time
}

func (c *clock) now() time.Time {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if !c.frozen.IsZero() {
		return c.frozen
	}
	return time.Now().Add(c.ahead)
}

// thaw lets a frozen clock jump.
func (c *clock) thaw(by time.Duration) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.frozen = c.frozen.Add(by)
}

func (c *clock) forward(by time.Duration) {
	if c.virtual {
		time.Sleep(by)
		return
	}
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.ahead += by
}

const (
	lane    = "7"
	patient = 10 * time.Second
	brief   = 150 * time.Millisecond
)

func take(t *testing.T, store *redis.Store) reconciler.Batch {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	batch, err := store.Take(ctx, 100)
	if err != nil {
		t.Fatalf("Take: got %v, want a batch", err)
	}
	return batch
}

// nothing checks that no worker gets anything for a moment.
func nothing(t *testing.T, store *redis.Store) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), brief)
	defer cancel()
	if batch, err := store.Take(ctx, 100); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("Take: got %v, %v, want nothing", batch, err)
	}
}

func add(t *testing.T, store *redis.Store, items ...reconciler.Item) {
	t.Helper()
	if err := store.Add(t.Context(), lane, items...); err != nil {
		t.Fatalf("Add: got %v, want no error", err)
	}
}

func finish(t *testing.T, store *redis.Store, batch reconciler.Batch, outcomes ...reconciler.Outcome) {
	t.Helper()
	if err := store.Finish(t.Context(), batch.Lease, outcomes); err != nil {
		t.Fatalf("Finish: got %v, want no error", err)
	}
}

func names(batch reconciler.Batch) []string {
	var found []string
	for _, item := range batch.Items {
		found = append(found, item.Key)
	}
	return found
}

func same(t *testing.T, what string, got, want any) {
	t.Helper()
	if difference := cmp.Diff(want, got); difference != "" {
		t.Fatalf("%s (-want +got):\n%s", what, difference)
	}
}

func taken(t *testing.T, o opener) {
	store := o.store(o.clock())
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "v1"}, reconciler.Item{Key: "nightpos:3"})
	batch := take(t, store)
	same(t, "keys", slices.Sorted(slices.Values(names(batch))), []string{"nightpos:3", "outlook:a"})
	if batch.Lane != lane || batch.Fence < 1 {
		t.Fatalf("lease: got %+v, want lane %s and a fence", batch.Lease, lane)
	}
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a"}, reconciler.Outcome{Key: "nightpos:3"})
	nothing(t, store)
}

func folded(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	first := clock.now().Add(-time.Minute).Truncate(time.Millisecond).UTC()
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "v1", First: first, Priority: reconciler.PriorityBackfill, Due: clock.now().Add(time.Hour)})
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "v2"})
	batch := take(t, store)
	if len(batch.Items) != 1 {
		t.Fatalf("items: got %v, want one", batch.Items)
	}
	item := batch.Items[0]
	same(t, "version, priority, first", []any{item.Version, item.Priority, item.First}, []any{"v2", reconciler.PriorityPerson, first})
}

func again(t *testing.T, o opener) {
	store := o.store(o.clock())
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "v1"})
	batch := take(t, store)
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "v2"})
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a", Retry: true, After: time.Hour, Reason: "later"})
	batch = take(t, store)
	same(t, "item", []any{batch.Items[0].Version, batch.Items[0].Attempts, batch.Items[0].Reason}, []any{"v2", 0, ""})
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a"})
	nothing(t, store)
}

func retried(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "v|1"})
	batch := take(t, store)
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a", Retry: true, After: 20 * time.Millisecond, Reason: "no | answer"})
	batch = take(t, store)
	same(t, "attempts and reason", []any{batch.Items[0].Attempts, batch.Items[0].Reason}, []any{1, "no | answer"})
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a", Repeat: true, After: 20 * time.Millisecond})
	batch = take(t, store)
	same(t, "attempts and reason as of a new one", []any{batch.Items[0].Attempts, batch.Items[0].Reason}, []any{0, ""})
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a", Retry: true})
	batch = take(t, store)
	// An item without an outcome is due again at once.
	finish(t, store, batch)
	same(t, "attempts", take(t, store).Items[0].Attempts, 1)
}

// brieflyPutOff: a pause shorter than the store's millisecond is still a pause,
// or the item would be taken and put back without end while no time passes.
func brieflyPutOff(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	add(t, store, reconciler.Item{Key: "outlook:a"})
	batch, start := take(t, store), clock.now()
	for range 20 {
		finish(t, store, batch, reconciler.Outcome{Key: "outlook:a", Retry: true, After: 300 * time.Microsecond})
		batch = take(t, store)
	}
	if took := clock.now().Sub(start); took < 15*time.Millisecond {
		t.Fatalf("20 pauses took %s in all, want at least the rest of a millisecond each", took)
	}
}

func exclusive(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	add(t, one, reconciler.Item{Key: "outlook:a"})
	batch := take(t, one)
	add(t, two, reconciler.Item{Key: "outlook:b"})
	nothing(t, one)
	nothing(t, two)
	finish(t, one, batch, reconciler.Outcome{Key: "outlook:a"})
	next := take(t, two)
	same(t, "keys", names(next), []string{"outlook:b"})
	if next.Fence <= batch.Fence {
		t.Fatalf("fence: got %d after %d, want it to grow", next.Fence, batch.Fence)
	}
}

// apart has one replica's clock ten minutes before the other's.
func apart(t *testing.T, o opener) {
	early, late := o.clock(), o.clock()
	early.ahead, late.ahead = -5*time.Minute, 5*time.Minute
	one, two := o.store(early), o.store(late)
	add(t, two, reconciler.Item{Key: "outlook:a"})
	batch := take(t, one)
	same(t, "keys", names(batch), []string{"outlook:a"})
	if lag := early.now().Sub(batch.Items[0].First); lag < -2*time.Second || lag > patient {
		t.Fatalf("lag: got %s, want next to none", lag)
	}
	add(t, one, reconciler.Item{Key: "outlook:b"})
	nothing(t, two)
	finish(t, one, batch, reconciler.Outcome{Key: "outlook:a"})
	left := take(t, two)
	same(t, "keys", names(left), []string{"outlook:b"})
	nothing(t, one)
	early.forward(20 * time.Second)
	nothing(t, one)
	early.forward(15 * time.Second)
	again := take(t, one)
	same(t, "keys", names(again), []string{"outlook:b"})
	// A time to come is meant by the clock of whoever says it.
	add(t, one, reconciler.Item{Key: "outlook:c", Due: early.now().Add(time.Minute)})
	finish(t, one, again, reconciler.Outcome{Key: "outlook:b"})
	early.forward(50 * time.Second)
	nothing(t, one)
	early.forward(20 * time.Second)
	same(t, "keys", names(take(t, one)), []string{"outlook:c"})
}

func abandoned(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	add(t, one, reconciler.Item{Key: "outlook:a"})
	lost := take(t, one)
	clock.forward(20 * time.Second)
	if err := one.Extend(t.Context(), lost.Lease); err != nil {
		t.Fatalf("Extend: got %v, want no error", err)
	}
	clock.forward(20 * time.Second)
	nothing(t, two)
	clock.forward(20 * time.Second)
	batch := take(t, two)
	same(t, "keys", names(batch), []string{"outlook:a"})
	for what, err := range map[string]error{
		"Extend": one.Extend(t.Context(), lost.Lease),
		"Finish": one.Finish(t.Context(), lost.Lease, []reconciler.Outcome{{Key: "outlook:a"}}),
	} {
		if !errors.Is(err, reconciler.ErrLeaseLost) {
			t.Fatalf("%s by the former holder: got %v, want %v", what, err, reconciler.ErrLeaseLost)
		}
	}
	finish(t, two, batch, reconciler.Outcome{Key: "outlook:a"})
	if err := two.Extend(t.Context(), batch.Lease); !errors.Is(err, reconciler.ErrLeaseLost) {
		t.Fatalf("Extend after Finish: got %v, want %v", err, reconciler.ErrLeaseLost)
	}
}

func fenced(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	add(t, store, reconciler.Item{Key: "outlook:a"})
	lost := take(t, store)
	clock.forward(time.Minute)
	batch := take(t, store)
	commit := reconciler.Commit{Links: []reconciler.Link{{RecordID: 3, GraphID: "A"}}, Activities: []reconciler.Activity{{Reason: "x"}}}
	if err := store.Commit(t.Context(), lost.Lease, commit); !errors.Is(err, reconciler.ErrLeaseLost) {
		t.Fatalf("Commit: got %v, want %v", err, reconciler.ErrLeaseLost)
	}
	if found, err := store.Links(t.Context(), lane, []string{"A"}, []int64{3}); err != nil || len(found) != 0 {
		t.Fatalf("Links: got %v, %v, want none", found, err)
	}
	if err := store.Commit(t.Context(), batch.Lease, commit); err != nil {
		t.Fatalf("Commit by the holder: got %v, want no error", err)
	}
}

func delayed(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	due := clock.now().Add(300 * time.Millisecond)
	add(t, store, reconciler.Item{Key: "outlook:a", Due: due})
	nothing(t, store)
	take(t, store)
	if now := clock.now(); now.Before(due.Truncate(time.Millisecond)) {
		t.Fatalf("taken at %s, want not before %s", now, due)
	}
}

func urgent(t *testing.T, o opener) {
	store := o.store(o.clock())
	past := time.Now().Add(-time.Hour)
	add(t, store,
		reconciler.Item{Key: "outlook:old", Priority: reconciler.PriorityBackfill, Due: past},
		reconciler.Item{Key: "outlook:older", Priority: reconciler.PriorityBackfill, Due: past.Add(-time.Hour)},
		reconciler.Item{Key: "outlook:new"})
	ctx, cancel := context.WithTimeout(t.Context(), patient)
	defer cancel()
	batch, err := store.Take(ctx, 2)
	if err != nil {
		t.Fatalf("Take: got %v, want a batch", err)
	}
	same(t, "keys", names(batch), []string{"outlook:new", "outlook:older"})
}

func woken(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	batches := make(chan reconciler.Batch, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		batch, err := one.Take(ctx, 1)
		if err != nil {
			t.Errorf("Take: got %v, want a batch", err)
		}
		batches <- batch
	}()
	add(t, two, reconciler.Item{Key: "outlook:a"})
	same(t, "keys", names(<-batches), []string{"outlook:a"})
}

// started: what is added for a worker that waits is its batch at once, of no more
// items than it asked for, most urgent first; the rest stays.
func started(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	add(t, store, reconciler.Item{Key: "outlook:later", Due: clock.now().Add(time.Hour)})
	batches := make(chan reconciler.Batch, 1)
	go func() {
		ctx, cancel := context.WithTimeout(t.Context(), patient)
		defer cancel()
		batch, err := store.Take(ctx, 2)
		if err != nil {
			t.Errorf("Take: got %v, want a batch", err)
		}
		batches <- batch
	}()
	o.settle()
	add(t, store,
		reconciler.Item{Key: "outlook:c", Priority: reconciler.PriorityBackfill}, reconciler.Item{Key: "outlook:a", Version: "v"},
		reconciler.Item{Key: "outlook:b", Due: clock.now().Add(-time.Hour)})
	batch := <-batches
	same(t, "keys", names(batch), []string{"outlook:b", "outlook:a"})
	same(t, "version", batch.Items[1].Version, "v")
	if err := store.Extend(t.Context(), batch.Lease); err != nil {
		t.Fatalf("Extend: got %v, want no error", err)
	}
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "again"})
	nothing(t, store)
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a"}, reconciler.Outcome{Key: "outlook:b"})
	batch = take(t, store)
	same(t, "keys", slices.Sorted(slices.Values(names(batch))), []string{"outlook:a", "outlook:c"})
}

// left: workers stop waiting at any moment, also while something is added for
// them, and what was added is there for the next one at once.
func left(t *testing.T, o opener) {
	store := o.store(o.clock())
	for round := range 100 {
		ctx, cancel := context.WithCancel(t.Context())
		batches := make(chan reconciler.Batch, 1)
		go func() {
			batch, err := store.Take(ctx, 1)
			if err != nil && !errors.Is(err, context.Canceled) {
				t.Errorf("Take: got %v", err)
			}
			batches <- batch
		}()
		o.settle()
		go cancel()
		add(t, store, reconciler.Item{Key: "outlook:a", Version: fmt.Sprint(round)})
		batch := <-batches
		if len(batch.Items) == 0 {
			batch = take(t, store)
		}
		same(t, "version", batch.Items[0].Version, fmt.Sprint(round))
		finish(t, store, batch, reconciler.Outcome{Key: "outlook:a"})
		cancel()
	}
	nothing(t, store)
}

func versions(t *testing.T, o opener) {
	store := o.store(o.clock())
	for _, one := range []struct {
		told []string
		want string
	}{
		{[]string{"ours", "ours"}, "ours"},
		{[]string{"theirs", "ours"}, ""},
		{[]string{"theirs", "ours", "ours"}, ""},
		{[]string{reconciler.VersionDeleted, "ours"}, reconciler.VersionDeleted},
		{[]string{"ours", reconciler.VersionDeleted}, reconciler.VersionDeleted},
	} {
		for _, version := range one.told {
			item := reconciler.Item{Key: reconciler.OutlookKey("e"), Version: version}
			if _, err := store.AddHints(t.Context(), []reconciler.Hint{{Lane: lane, GraphID: "e", Item: item}}); err != nil {
				t.Fatalf("AddHints: %v", err)
			}
		}
		batch := take(t, store)
		same(t, fmt.Sprint("version after ", one.told), batch.Items[0].Version, one.want)
		finish(t, store, batch, reconciler.Outcome{Key: batch.Items[0].Key})
	}
}

func echo(t *testing.T, o opener) {
	store := o.store(o.clock())
	add(t, store, reconciler.Item{Key: "sweep"})
	batch := take(t, store)
	link := reconciler.Link{RecordID: 3, GraphID: "AAkA_1=", ChangeKey: "CQAAABYAAAC|x"}
	if err := store.Commit(t.Context(), batch.Lease, reconciler.Commit{Links: []reconciler.Link{link}}); err != nil {
		t.Fatalf("Commit: got %v, want no error", err)
	}
	finish(t, store, batch, reconciler.Outcome{Key: "sweep"})
	hint := func(lane, version string) reconciler.Hint {
		return reconciler.Hint{Lane: lane, GraphID: link.GraphID, Item: reconciler.Item{Key: reconciler.OutlookKey(link.GraphID), Version: version}}
	}
	echoes, err := store.AddHints(t.Context(), []reconciler.Hint{hint(lane, link.ChangeKey), hint("8", link.ChangeKey)})
	if err != nil || echoes != 1 {
		t.Fatalf("AddHints: got %d echoes, %v, want 1", echoes, err)
	}
	batch = take(t, store)
	same(t, "lane", batch.Lane, "8")
	finish(t, store, batch, reconciler.Outcome{Key: batch.Items[0].Key})
	nothing(t, store)
	if echoes, err = store.AddHints(t.Context(), []reconciler.Hint{hint(lane, "other")}); err != nil || echoes != 0 {
		t.Fatalf("AddHints of a real change: got %d echoes, %v, want 0", echoes, err)
	}
	same(t, "lane", take(t, store).Lane, lane)
}
