package redis_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/util/workqueue"
	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// TestLanesAgreeWithWorkqueue runs random histories through the lanes and
// through Kubernetes' work queue, one for each lane, and compares what comes
// out. They differ in two ways, which the contract names and the test allows
// for, and in nothing else:
//
//   - A lane folds everything about one key into one item, due at the earliest
//     of the times asked for. The work queue keeps a delayed addition apart, so
//     that it comes out a second time when its time comes.
//   - Whatever is added while it is worked on is due at once afterwards, even
//     when it was added with a delay or failed with one.
func TestLanesAgreeWithWorkqueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// Wrapped, since a bubble's test must not be asked for its deadline.
		rapid.Check(struct{ rapid.TB }{t}, func(rt *rapid.T) {
			h := newHistory(t, rt)
			defer h.close()
			rt.Repeat(map[string]func(*rapid.T){
				"add":    h.add,
				"take":   h.take,
				"finish": h.finish,
				"sleep":  h.sleep,
			})
			h.drain(rt)
		})
	})
}

const (
	oracleLanes = 3
	oracleKeys  = 4
	step        = time.Millisecond
)

// history is one run of both queues.
type history struct {
	t      *testing.T
	engine *redis.InProcess
	store  *redis.Store
	lanes  map[string]*oracle
}

// oracle is a lane as the work queue has it.
type oracle struct {
	queue workqueue.TypedDelayingInterface[string]
	// delayed is when the work queue adds each key that was put off.
	delayed map[string]time.Time
	// extra is when the work queue lets a key out that the lane folded away.
	extra map[string]time.Time
	// versions are those of the hints added last.
	versions map[string]string
	// batch is out; readded are its keys that were added meanwhile.
	batch   *reconciler.Batch
	readded map[string]bool
}

func newHistory(t *testing.T, rt *rapid.T) *history {
	h := &history{t: t, lanes: map[string]*oracle{}}
	var err error
	if h.engine, err = redis.NewInProcess("", nil); err != nil {
		rt.Fatal(err)
	}
	if h.store, err = redis.Open(t.Context(), redis.Config{Engine: h.engine, Seal: seal(t), Lease: time.Hour}); err != nil {
		rt.Fatal(err)
	}
	for lane := range oracleLanes {
		h.lanes[fmt.Sprint(lane)] = &oracle{
			queue:   workqueue.NewTypedDelayingQueue[string](),
			delayed: map[string]time.Time{}, extra: map[string]time.Time{},
			versions: map[string]string{}, readded: map[string]bool{},
		}
	}
	return h
}

func (h *history) close() {
	if err := errors.Join(h.store.Close(), h.engine.Close()); err != nil {
		h.t.Errorf("Close: got %v, want no error", err)
	}
	for _, one := range h.lanes {
		one.queue.ShutDown()
	}
}

// later puts a key of the work queue off. It keeps only the earliest time of a
// key, so that one that it will let out in vain hides a later one.
func (o *oracle) later(key string, delay time.Duration) {
	o.queue.AddAfter(key, delay)
	if delay <= 0 {
		return
	}
	at := time.Now().Add(delay)
	if before, known := o.delayed[key]; !known || !before.After(time.Now()) || at.Before(before) {
		o.delayed[key] = at
	}
}

func (o *oracle) works(key string) bool {
	return o.batch != nil && slices.ContainsFunc(o.batch.Items, func(item reconciler.Item) bool { return item.Key == key })
}

// delay draws how long a key is put off, by nothing where a time that is hidden
// would make the queues differ.
func (o *oracle) delay(rt *rapid.T, key string) time.Duration {
	if _, hidden := o.extra[key]; hidden {
		return 0
	}
	return time.Duration(rapid.IntRange(0, 5).Draw(rt, "delay")) * step
}

func (h *history) add(rt *rapid.T) {
	var hints []reconciler.Hint
	for range rapid.IntRange(1, 6).Draw(rt, "hints") {
		lane, key := drawLane(rt), fmt.Sprintf("outlook:%d", rapid.IntRange(1, oracleKeys).Draw(rt, "key"))
		one := h.lanes[lane]
		hint := reconciler.Hint{Lane: lane, Item: reconciler.Item{Key: key, Version: fmt.Sprintf("v%d", rapid.IntRange(1, 99).Draw(rt, "version"))}}
		delay := one.delay(rt, key)
		if delay > 0 {
			hint.Item.Due = time.Now().Add(delay)
		}
		if one.works(key) {
			one.readded[key], delay = true, 0
		}
		one.later(key, delay)
		one.versions[key] = hint.Item.Version
		hints = append(hints, hint)
	}
	if rapid.Bool().Draw(rt, "one lane at a time") {
		for _, hint := range hints {
			if err := h.store.Add(h.t.Context(), hint.Lane, hint.Item); err != nil {
				rt.Fatalf("Add: got %v, want no error", err)
			}
		}
	} else if echoes, err := h.store.AddHints(h.t.Context(), hints); err != nil || echoes != 0 {
		rt.Fatalf("AddHints: got %d echoes, %v, want none", echoes, err)
	}
	synctest.Wait()
}

func drawLane(rt *rapid.T) string {
	return fmt.Sprint(rapid.IntRange(0, oracleLanes-1).Draw(rt, "lane"))
}

// waiting takes everything that is due out of the work queue, without what it
// lets out in vain.
func (o *oracle) waiting() map[string]bool {
	due := map[string]bool{}
	for range o.queue.Len() {
		key, _ := o.queue.Get()
		due[key] = true
	}
	return due
}

// give puts keys that nobody took back into the work queue.
func (o *oracle) give(key string) {
	o.queue.Add(key)
	o.queue.Done(key)
}

// inVain takes out what the lane folded away, and says whether that explains
// the key.
func (o *oracle) inVain(key string) bool {
	at, known := o.extra[key]
	if !known || at.After(time.Now()) {
		return false
	}
	delete(o.extra, key)
	return true
}

func (h *history) take(rt *rapid.T) {
	limit := rapid.SampledFrom([]int{1, 2, 100}).Draw(rt, "limit")
	h.takeOne(rt, limit)
}

// takeOne takes a batch and compares it; false when there was none, on either
// side.
func (h *history) takeOne(rt *rapid.T, limit int) bool {
	// The times are whole steps, so that nothing becomes due meanwhile.
	ctx, cancel := context.WithTimeout(h.t.Context(), step/2)
	defer cancel()
	batch, err := h.store.Take(ctx, limit)
	if errors.Is(err, context.DeadlineExceeded) {
		for lane, one := range h.lanes {
			if one.batch != nil {
				continue
			}
			for key := range one.waiting() {
				if !one.inVain(key) {
					rt.Fatalf("Take: got nothing, want %s of lane %s", key, lane)
				}
				one.queue.Done(key)
			}
		}
		time.Sleep(step / 2)
		synctest.Wait()
		return false
	}
	if err != nil {
		rt.Fatalf("Take: got %v, want a batch", err)
	}
	one := h.lanes[batch.Lane]
	if one == nil || one.batch != nil {
		rt.Fatalf("Take: got lane %s, want one that nobody holds", batch.Lane)
	}
	due := one.waiting()
	for _, item := range batch.Items {
		if !due[item.Key] {
			rt.Fatalf("Take: got %s, want one of %v", item.Key, slices.Sorted(maps.Keys(due)))
		}
		delete(due, item.Key)
		if item.Version != one.versions[item.Key] {
			rt.Fatalf("version of %s: got %q, want the last one, %q", item.Key, item.Version, one.versions[item.Key])
		}
		one.inVain(item.Key)
		if at := one.delayed[item.Key]; at.After(time.Now()) {
			one.extra[item.Key] = at
		}
		delete(one.delayed, item.Key)
	}
	for key := range due {
		switch {
		case len(batch.Items) == limit:
			one.give(key)
		case one.inVain(key):
			one.queue.Done(key)
		default:
			rt.Fatalf("Take: got %v, want %s as well", batch.Items, key)
		}
	}
	one.batch, one.readded = &batch, map[string]bool{}
	return true
}

func (h *history) finish(rt *rapid.T) {
	one := h.lanes[drawLane(rt)]
	if one.batch == nil {
		rt.Skip("nobody holds the lane")
	}
	var outcomes []reconciler.Outcome
	for _, item := range one.batch.Items {
		switch kind := rapid.SampledFrom([]string{"done", "retry", "repeat", "no outcome"}).Draw(rt, "outcome"); kind {
		case "done":
			outcomes = append(outcomes, reconciler.Outcome{Key: item.Key})
		case "no outcome":
			one.queue.Add(item.Key)
		default:
			outcome := reconciler.Outcome{Key: item.Key, Retry: kind == "retry", Repeat: kind == "repeat", After: one.delay(rt, item.Key)}
			outcomes = append(outcomes, outcome)
			if !one.readded[item.Key] {
				one.later(item.Key, outcome.After)
				if outcome.Repeat {
					one.versions[item.Key] = ""
				}
			}
		}
	}
	h.give(rt, one, outcomes)
}

// give finishes the batch on both sides.
func (h *history) give(rt *rapid.T, one *oracle, outcomes []reconciler.Outcome) {
	if err := h.store.Finish(h.t.Context(), one.batch.Lease, outcomes); err != nil {
		rt.Fatalf("Finish: got %v, want no error", err)
	}
	for _, item := range one.batch.Items {
		one.queue.Done(item.Key)
	}
	one.batch = nil
	synctest.Wait()
}

func (h *history) sleep(rt *rapid.T) {
	time.Sleep(time.Duration(rapid.IntRange(1, 4).Draw(rt, "steps")) * step)
	synctest.Wait()
}

// drain finishes everything: nothing is lost, and nothing comes twice.
func (h *history) drain(rt *rapid.T) {
	for range 2 {
		for {
			for _, one := range h.lanes {
				if one.batch == nil {
					continue
				}
				var outcomes []reconciler.Outcome
				for _, item := range one.batch.Items {
					outcomes = append(outcomes, reconciler.Outcome{Key: item.Key})
				}
				h.give(rt, one, outcomes)
			}
			if !h.takeOne(rt, 100) {
				break
			}
		}
		time.Sleep(10 * step)
		synctest.Wait()
	}
	left := map[string]int{}
	for lane, one := range h.lanes {
		if count, err := h.store.Pending(h.t.Context(), lane, time.Hour); err != nil || count != 0 || one.queue.Len() != 0 {
			left[lane] = count
		}
	}
	if difference := cmp.Diff(map[string]int{}, left); difference != "" {
		rt.Fatalf("left in the lanes (-want +got):\n%s", difference)
	}
}
