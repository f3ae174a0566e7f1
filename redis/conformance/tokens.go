package conformance

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

func parked(t *testing.T, o opener) {
	clock := o.clock()
	store := o.store(clock)
	first := clock.now().Add(-time.Minute).Truncate(time.Millisecond).UTC()
	add(t, store, reconciler.Item{Key: "outlook:a", Version: "v1", First: first})
	batch := take(t, store)
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a", Retry: true, Reason: "once"})
	batch = take(t, store)
	finish(t, store, batch, reconciler.Outcome{Key: "outlook:a", Park: true, After: time.Hour, Reason: "away"})
	nothing(t, store)
	clock.forward(time.Hour)
	item := take(t, store).Items[0]
	same(t, "attempts, version, first, reason", []any{item.Attempts, item.Version, item.First, item.Reason}, []any{1, "v1", first, "away"})
}

func hurried(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	add(t, one, reconciler.Item{Key: "outlook:a"}, reconciler.Item{Key: "sweep", Priority: reconciler.PriorityBackfill})
	batch := take(t, one)
	finish(t, one, batch, reconciler.Outcome{Key: "outlook:a", Park: true, After: time.Hour}, reconciler.Outcome{Key: "sweep", Repeat: true, After: 6 * time.Hour})
	nothing(t, one)
	if err := two.Hurry(t.Context(), lane); err != nil {
		t.Fatalf("Hurry: got %v, want no error", err)
	}
	same(t, "keys", names(take(t, one)), []string{"outlook:a", "sweep"})
	if err := two.Hurry(t.Context(), "nobody"); err != nil {
		t.Fatalf("Hurry of an empty lane: got %v, want no error", err)
	}
}

func replaced(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	if err := one.SaveToken(t.Context(), lane, []byte("first")); err != nil {
		t.Fatalf("SaveToken: got %v, want no error", err)
	}
	_, version, err := two.Token(t.Context(), lane)
	if err != nil {
		t.Fatalf("Token: got %v, want one", err)
	}
	if err := one.SaveToken(t.Context(), lane, []byte("first")); err != nil {
		t.Fatalf("SaveToken: got %v, want no error", err)
	}
	if done, err := two.ReplaceToken(t.Context(), lane, version, []byte("late")); err != nil || done {
		t.Fatalf("ReplaceToken of a version that is gone: got %t, %v, want false", done, err)
	}
	_, version, err = two.Token(t.Context(), lane)
	if err != nil {
		t.Fatalf("Token: got %v, want one", err)
	}
	var group sync.WaitGroup
	var winners atomic.Int32
	for range 8 {
		group.Go(func() {
			if done, err := two.ReplaceToken(t.Context(), lane, version, []byte("second")); err != nil {
				t.Errorf("ReplaceToken: got %v, want no error", err)
			} else if done {
				winners.Add(1)
			}
		})
	}
	group.Wait()
	token, _, err := one.Token(t.Context(), lane)
	if winners.Load() != 1 || string(token) != "second" || err != nil {
		t.Fatalf("ReplaceToken: got %d winners and %q, %v, want one and %q", winners.Load(), token, err, "second")
	}
	if done, err := one.ReplaceToken(t.Context(), "nobody", version, []byte("x")); err != nil || done {
		t.Fatalf("ReplaceToken of none: got %t, %v, want false", done, err)
	}
}

func locked(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	lock := func(store *redis.Store, lane, holder string, want bool) {
		t.Helper()
		if got, err := store.LockToken(t.Context(), lane, holder, 30*time.Second); err != nil || got != want {
			t.Fatalf("LockToken by %s: got %t, %v, want %t", holder, got, err, want)
		}
	}
	unlock := func(store *redis.Store, holder string) {
		t.Helper()
		if err := store.UnlockToken(t.Context(), lane, holder); err != nil {
			t.Fatalf("UnlockToken by %s: got %v, want no error", holder, err)
		}
	}
	lock(one, lane, "a", true)
	lock(two, lane, "b", false)
	lock(two, "8", "b", true) // another lane
	unlock(two, "b")          // not its own
	lock(two, lane, "b", false)
	unlock(one, "a")
	lock(two, lane, "b", true)
	clock.forward(31 * time.Second)
	lock(one, lane, "c", true) // its holder died
	unlock(two, "b")
	lock(two, lane, "d", false)
}

func changed(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	member := redis.MemberState{Member: reconciler.Member{ID: lane, UserID: 7, Login: "bob", Name: "Bob"}}
	if err := one.SaveMember(t.Context(), member); err != nil {
		t.Fatalf("SaveMember: got %v, want no error", err)
	}
	tries := 0
	err := one.UpdateMember(t.Context(), lane, func(found *redis.MemberState) (bool, error) {
		if tries++; tries == 1 {
			other := *found
			other.Name = "Robert"
			if err := two.SaveMember(t.Context(), other); err != nil {
				t.Fatalf("SaveMember: got %v, want no error", err)
			}
		}
		found.Paused = true
		return true, nil
	})
	if err != nil || tries != 2 {
		t.Fatalf("UpdateMember: got %v after %d tries, want no error after 2", err, tries)
	}
	states, err := two.MemberStates(t.Context())
	if err != nil || len(states) != 1 || states[0].Name != "Robert" || !states[0].Paused {
		t.Fatalf("MemberStates: got %+v, %v, want both changes", states, err)
	}
	stop := errors.New("stop")
	for _, c := range []struct {
		lane   string
		change func(*redis.MemberState) (bool, error)
		want   error
	}{
		{lane, func(*redis.MemberState) (bool, error) { return true, stop }, stop},
		{lane, func(*redis.MemberState) (bool, error) { return false, nil }, nil},
		{"nobody", func(*redis.MemberState) (bool, error) { return true, nil }, redis.ErrNotFound},
	} {
		if err := one.UpdateMember(t.Context(), c.lane, c.change); !errors.Is(err, c.want) {
			t.Fatalf("UpdateMember of %s: got %v, want %v", c.lane, err, c.want)
		}
	}
}

func parkedMember(t *testing.T, o opener) {
	store := o.store(o.clock())
	for _, c := range []struct {
		standing reconciler.Standing
		want     string
	}{
		{reconciler.Standing{Synced: true}, ""},
		{reconciler.Standing{}, ""},
		{reconciler.Standing{Paused: true}, "paused"},
		{reconciler.Standing{Refused: "the password was changed"}, "needs_reconnect: the password was changed"},
	} {
		state := redis.MemberState{Member: reconciler.Member{ID: lane, Parked: "never kept"}, Standing: c.standing}
		if err := store.SaveMember(t.Context(), state); err != nil {
			t.Fatalf("SaveMember: got %v, want no error", err)
		}
		listed, err := store.MembersNow(t.Context())
		if err != nil || len(listed) != 1 || listed[0].Parked != c.want {
			t.Fatalf("MembersNow as %+v: got %+v, %v, want parked %q", c.standing, listed, err, c.want)
		}
		if member, there, err := store.MemberNow(t.Context(), lane); err != nil || !there || !reflect.DeepEqual(member, listed[0]) {
			t.Fatalf("MemberNow as %+v: got %+v, %t, %v, want %+v", c.standing, member, there, err, listed[0])
		}
	}
	if member, there, err := store.MemberNow(t.Context(), "nobody"); err != nil || there {
		t.Fatalf("MemberNow: got %+v, %t, %v, want nobody", member, there, err)
	}
}

// sixteen a second, as many at once as in two seconds.
var sixteen = redis.Rate{Every: time.Second / 16, Burst: 32}

func spend(t *testing.T, store *redis.Store, lane string, calls int, longest time.Duration) (time.Duration, bool) {
	t.Helper()
	wait, spent, err := store.Spend(t.Context(), lane, sixteen, calls, longest)
	if err != nil {
		t.Fatalf("Spend: got %v, want no error", err)
	}
	return wait, spent
}

func spent(t *testing.T, o opener) {
	clock := &clock{frozen: time.Now()}
	stores := []*redis.Store{o.store(clock), o.store(clock)}
	for index := range 32 {
		if wait, ok := spend(t, stores[index%2], lane, 1, 0); wait != 0 || !ok {
			t.Fatalf("call %d: got %s, %t, want at once", index, wait, ok)
		}
	}
	if wait, ok := spend(t, stores[0], "8", 20, 0); wait != 0 || !ok {
		t.Fatalf("another mailbox: got %s, %t, want at once", wait, ok)
	}
	if wait, ok := spend(t, stores[1], lane, 8, 400*time.Millisecond); wait != 500*time.Millisecond || ok {
		t.Fatalf("eight more: got %s, %t, want none and half a second", wait, ok)
	}
	if wait, ok := spend(t, stores[0], lane, 8, 500*time.Millisecond); wait != 500*time.Millisecond || !ok {
		t.Fatalf("eight more: got %s, %t, want them after half a second", wait, ok)
	}
	if wait, ok := spend(t, stores[1], lane, 8, time.Minute); wait != time.Second || !ok {
		t.Fatalf("another eight: got %s, %t, want them behind those", wait, ok)
	}
	clock.thaw(3 * time.Second)
	if wait, ok := spend(t, stores[0], lane, 32, 0); wait != 0 || !ok {
		t.Fatalf("after a rest: got %s, %t, want all at once", wait, ok)
	}
}

func leftAlone(t *testing.T, o opener) {
	clock := &clock{frozen: time.Now()}
	one, two := o.store(clock), o.store(clock)
	for _, pause := range []time.Duration{30 * time.Second, 10 * time.Second} { // a shorter one changes nothing
		if err := one.LeaveAlone(t.Context(), lane, pause); err != nil {
			t.Fatalf("LeaveAlone: got %v, want no error", err)
		}
	}
	if wait, ok := spend(t, two, lane, 1, time.Hour); wait != 30*time.Second || ok {
		t.Fatalf("while left alone: got %s, %t, want half a minute", wait, ok)
	}
	if wait, ok := spend(t, two, "8", 1, 0); wait != 0 || !ok {
		t.Fatalf("another mailbox: got %s, %t, want at once", wait, ok)
	}
	clock.thaw(30 * time.Second)
	if wait, ok := spend(t, two, lane, 1, 0); wait != 0 || !ok {
		t.Fatalf("afterwards: got %s, %t, want at once", wait, ok)
	}
}
