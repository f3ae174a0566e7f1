package conformance

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

func jobs(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	if _, err := two.Job(t.Context(), "j"); !errors.Is(err, redis.ErrNotFound) {
		t.Fatalf("Job: got %v, want %v", err, redis.ErrNotFound)
	}
	for _, text := range []string{"begun", "done"} {
		if err := one.SaveJob(t.Context(), "j", []byte(text)); err != nil {
			t.Fatalf("SaveJob: got %v, want no error", err)
		}
		if got, err := two.Job(t.Context(), "j"); err != nil || string(got) != text {
			t.Fatalf("Job: got %q, %v, want %q", got, err, text)
		}
	}
	kept := func(want map[string]string) {
		t.Helper()
		found, err := two.Undo(t.Context(), "j")
		count, failed := two.CountUndo(t.Context(), "j")
		if err != nil || failed != nil || len(found) != len(want) || count != len(want) {
			t.Fatalf("Undo: got %q, %v, and %d, %v, want %q", found, err, count, failed, want)
		}
		for name, text := range want {
			if string(found[name]) != text {
				t.Fatalf("Undo: got %q, want %q", found, want)
			}
		}
	}
	kept(nil)
	for _, entries := range []map[string][]byte{{"a": []byte("1"), "b": []byte("2")}, {"b": []byte("3")}, nil} {
		if err := one.KeepUndo(t.Context(), "j", entries); err != nil {
			t.Fatalf("KeepUndo: got %v, want no error", err)
		}
	}
	kept(map[string]string{"a": "1", "b": "3"})
	if err := one.DropUndo(t.Context(), "j", "a"); err != nil {
		t.Fatalf("DropUndo: got %v, want no error", err)
	}
	kept(map[string]string{"b": "3"})
	for _, deed := range []string{"first", "second"} {
		if err := one.Audit(t.Context(), []byte(deed)); err != nil {
			t.Fatalf("Audit: got %v, want no error", err)
		}
	}
	deeds, err := two.Audits(t.Context())
	if err != nil || len(deeds) != 2 || string(deeds[0]) != "second" || string(deeds[1]) != "first" {
		t.Fatalf("Audits: got %q, %v, want both, newest first", deeds, err)
	}
}

// forgotten links are gone for good: who is at it records nothing any more.
func forgotten(t *testing.T, o opener) {
	store := o.store(o.clock())
	link := exampleLink(1)
	link.Held, link.Alone = true, true
	commit(t, store, reconciler.Commit{Links: []reconciler.Link{link}})
	found, err := store.Links(t.Context(), lane, nil, []int64{1})
	if err != nil {
		t.Fatalf("Links: got %v, want no error", err)
	}
	same(t, "link", found, []reconciler.Link{link})
	count := func(want int) {
		t.Helper()
		if got, err := store.CountLinks(t.Context(), lane); err != nil || got != want {
			t.Fatalf("CountLinks: got %d, %v, want %d", got, err, want)
		}
	}
	count(1)
	add(t, store, reconciler.Item{Key: "nightpos:3"})
	batch := take(t, store)
	if err := store.EmptyLinks(t.Context(), lane); err != nil {
		t.Fatalf("EmptyLinks: got %v, want no error", err)
	}
	count(0)
	if err := store.Commit(t.Context(), batch.Lease, reconciler.Commit{Links: []reconciler.Link{link}}); err != nil {
		t.Fatalf("Commit after EmptyLinks: got %v, want no error", err)
	}
	if err := store.ForgetLinks(t.Context(), lane); err != nil {
		t.Fatalf("ForgetLinks: got %v, want no error", err)
	}
	if err := store.Commit(t.Context(), batch.Lease, reconciler.Commit{Links: []reconciler.Link{link}}); !errors.Is(err, reconciler.ErrLeaseLost) {
		t.Fatalf("Commit after ForgetLinks: got %v, want %v", err, reconciler.ErrLeaseLost)
	}
	count(0)
}

func backlog(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	later := clock.now().Add(time.Hour)
	add(t, store,
		reconciler.Item{Key: "nightpos:3", Priority: reconciler.PriorityBackfill},
		reconciler.Item{Key: "nightpos:4", Priority: reconciler.PriorityBackfill, Due: later},
		reconciler.Item{Key: "nightpos:5"},
		reconciler.Item{Key: reconciler.KeySweep, Priority: reconciler.PriorityBackfill},
		reconciler.Item{Key: reconciler.KeyChanges, Priority: reconciler.PriorityBackfill, Due: later})
	counts := func(when string, wantBacklog, wantUntried int) {
		t.Helper()
		waiting, err := store.Backlog(t.Context(), lane)
		untried, failed := store.Untried(t.Context(), lane)
		if err != nil || failed != nil || waiting != wantBacklog || untried != wantUntried {
			t.Fatalf("%s: got %d, %v waiting and %d, %v untried, want %d and %d", when, waiting, err, untried, failed, wantBacklog, wantUntried)
		}
	}
	counts("at first", 2, 1)
	batch := take(t, store)
	counts("taken", 1, 2)
	if got := names(batch); !slices.Contains(got, "nightpos:5") || !slices.Contains(got, reconciler.KeySweep) {
		t.Fatalf("Take: got %v", got)
	}
	finish(t, store, batch, reconciler.Outcome{Key: "nightpos:3", Retry: true, After: time.Hour, Reason: "an event's own trouble"},
		reconciler.Outcome{Key: "nightpos:5"}, reconciler.Outcome{Key: reconciler.KeySweep, Retry: true, After: time.Hour, Reason: "nobody answers"})
	counts("put off", 2, 0)
	if got, err := store.Trouble(t.Context(), lane); err != nil || got != "nobody answers" {
		t.Fatalf("Trouble: got %q, %v, want the sweep's", got, err)
	}
	if at, err := store.Crossed(t.Context(), lane); err != nil || !at.IsZero() {
		t.Fatalf("Crossed: got %s, %v, want never", at, err)
	}
	now := time.UnixMilli(clock.now().UnixMilli()).UTC()
	commit(t, store, reconciler.Commit{Activities: []reconciler.Activity{
		{Time: now, Action: reconciler.ActionCreate}, {Time: now.Add(time.Minute), Reason: "nothing was done"},
	}})
	if at, err := store.Crossed(t.Context(), lane); err != nil || !at.Equal(now) {
		t.Fatalf("Crossed: got %s, %v, want %s", at, err, now)
	}
}
