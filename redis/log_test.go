package redis_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// TestWhatAConflictReplacedExpires: after 30 days it is gone, also when it has been
// turned round meanwhile, and none of it can be read in Redis before.
func TestWhatAConflictReplacedExpires(t *testing.T) {
	t.Parallel()
	server := miniredis.RunT(t)
	store := open(t, redis.Config{URL: "redis://" + server.Addr()})
	if err := store.Add(t.Context(), "6", reconciler.Item{Key: "sweep"}); err != nil {
		t.Fatal(err)
	}
	batch, err := store.Take(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	commit := reconciler.Commit{Activities: []reconciler.Activity{{
		Time: time.Now(), Lane: "6", RecordID: 1, Action: reconciler.ActionUpdate,
		Conflicts: []reconciler.Conflict{{Field: reconciler.FieldTitle, Loser: reconciler.SideOutlook, Lost: "secret", Value: &reconciler.Event{Title: "secret"}}},
	}}}
	// One whose answer was lost comes again, and is one line all the same.
	for range 2 {
		if err := store.Commit(t.Context(), batch.Lease, commit); err != nil {
			t.Fatal(err)
		}
	}
	conflict := func() reconciler.Conflict {
		t.Helper()
		lines, err := store.Activities(t.Context(), "6", time.Time{}, 10)
		if err != nil || len(lines) != 1 {
			t.Fatalf("Activities: got %v, %v, want a line", lines, err)
		}
		return lines[0].Conflicts[0]
	}
	if dump := server.Dump(); strings.Contains(dump, "secret") {
		t.Errorf("Redis holds the value as it is:\n%s", dump)
	}
	server.FastForward(20 * 24 * time.Hour)
	id := conflict().ID
	if err := store.SaveLost(t.Context(), "6", id, redis.LostValue{Text: "winner", Value: &reconciler.Event{Title: "winner"}, Restored: true}); err != nil {
		t.Fatal(err)
	}
	server.FastForward(9 * 24 * time.Hour)
	if got := conflict(); got.Lost != "winner" || got.ID != id || !got.Restored {
		t.Errorf("after 29 days the conflict is %+v", got)
	}
	server.FastForward(25 * time.Hour)
	if got := conflict(); got.Lost != "" || got.ID != "" || got.Value != nil || got.Loser != reconciler.SideOutlook {
		t.Errorf("after 30 days the conflict is %+v, want nothing but which side lost", got)
	}
	if err := store.SaveLost(t.Context(), "6", id, redis.LostValue{Text: "late"}); !errors.Is(err, redis.ErrNotFound) {
		t.Errorf("SaveLost: got %v, want %v", err, redis.ErrNotFound)
	}
	if keys := server.Keys(); slices.ContainsFunc(keys, func(key string) bool { return strings.Contains(key, id) }) {
		t.Errorf("a late change brought the value back: %v", keys)
	}
}
