package conformance

import (
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

func mailboxes(t *testing.T, o opener) {
	clock := o.clock()
	one, two := o.store(clock), o.store(clock)
	claim := func(store *redis.Store, lane, mailbox string) string {
		t.Helper()
		err := store.ClaimMailbox(t.Context(), lane, mailbox)
		var taken *redis.TakenError
		switch {
		case err == nil:
			return "claimed"
		case errors.As(err, &taken):
			return "taken by " + taken.Lane
		case errors.Is(err, redis.ErrOtherMailbox):
			return "other"
		}
		t.Fatalf("ClaimMailbox: got %v, want an answer", err)
		return ""
	}
	save := func(lane string) {
		t.Helper()
		if err := one.SaveMember(t.Context(), redis.MemberState{Member: reconciler.Member{ID: lane}, MailboxID: "box " + lane}); err != nil {
			t.Fatalf("SaveMember: got %v, want no error", err)
		}
	}
	// Two replicas at once: one of many gets it.
	results := make([]string, 6)
	var group sync.WaitGroup
	for index := range results {
		group.Go(func() {
			results[index] = "refused"
			if err := []*redis.Store{one, two}[index%2].ClaimMailbox(t.Context(), fmt.Sprint(index), "shared"); err == nil {
				results[index] = "claimed"
			}
		})
	}
	group.Wait()
	claims := 0
	for _, result := range results {
		if result == "claimed" {
			claims++
		}
	}
	same(t, "claims of one mailbox at once", claims, 1)

	same(t, "a free mailbox", claim(one, "7", "a|1"), "claimed")
	same(t, "the same again", claim(two, "7", "a|1"), "claimed")
	same(t, "somebody else", claim(two, "8", "a|1"), "taken by 7")
	same(t, "another mailbox while connecting", claim(two, "7", "b"), "other")
	// A process that died while connecting blocks nobody for long.
	clock.forward(2 * time.Minute)
	same(t, "an abandoned claim", claim(two, "8", "a|1"), "claimed")
	same(t, "what the first had", claim(two, "7", "b"), "claimed")
	save("8")
	clock.forward(24 * time.Hour)
	same(t, "a member's mailbox", claim(one, "7", "a|1"), "taken by 8")
	same(t, "a member's second mailbox", claim(one, "8", "c"), "other")
	same(t, "a member's own mailbox", claim(one, "8", "a|1"), "claimed")
	if err := one.ReleaseMailbox(t.Context(), "8"); err != nil {
		t.Fatalf("ReleaseMailbox: got %v, want no error", err)
	}
	same(t, "a member's mailbox after a release that is not its", claim(one, "7", "a|1"), "taken by 8")

	state, err := two.MemberState(t.Context(), "8")
	if err != nil || state.MailboxID != "box 8" {
		t.Fatalf("MemberState: got %+v, %v, want member 8", state, err)
	}
	if _, err := two.MemberState(t.Context(), "7"); !errors.Is(err, redis.ErrNotFound) {
		t.Fatalf("MemberState of nobody: got %v, want %v", err, redis.ErrNotFound)
	}
	if err := one.RemoveMember(t.Context(), "8"); err != nil {
		t.Fatalf("RemoveMember: got %v, want no error", err)
	}
	same(t, "the mailbox of one who left", claim(two, "9", "a|1"), "claimed")
	same(t, "another mailbox of one who left", claim(two, "8", "d"), "claimed")
	if err := one.ReleaseMailbox(t.Context(), "9"); err != nil {
		t.Fatalf("ReleaseMailbox: got %v, want no error", err)
	}
	same(t, "a mailbox given up", claim(two, "10", "a|1"), "claimed")
}
