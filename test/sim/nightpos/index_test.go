package nightpos_test

import (
	"math/rand/v2"
	"reflect"
	"testing"

	"github.com/nightpos/outlook-gateway/test/sim/nightpos"
)

// TestNarrowedSearchesFindEverything compares searches with the same ones under two
// negations, for which every record is looked at.
func TestNarrowedSearchesFindEverything(t *testing.T) {
	every(t, func(t *testing.T, version int) {
		o := newOffice(t, nightpos.Config{Version: version})
		random := rand.New(rand.NewPCG(1, uint64(version)))
		contacts, users := o.contacts(), []any{o.uid("alice"), o.uid("bob"), false}
		some := func() []any {
			var chosen []any
			for _, contact := range contacts {
				if random.IntN(2) == 0 {
					chosen = append(chosen, contact)
				}
			}
			return append([]any{}, chosen...)
		}
		var ids []any
		for range 30 {
			ids = append(ids, o.id("alice", "calendar.event", "create", meeting(map[string]any{
				"user_id": users[random.IntN(len(users))], "partner_ids": []any{[]any{6, 0, some()}},
			})))
		}
		for range 40 {
			changed := []any{ids[random.IntN(len(ids))]}
			switch random.IntN(4) {
			case 0:
				o.call("admin", "calendar.event", "write", changed, map[string]any{"user_id": users[random.IntN(2)]})
			case 1:
				o.call("admin", "calendar.event", "write", changed, map[string]any{"active": random.IntN(3) > 0})
			default:
				o.call("admin", "calendar.event", "write", changed, map[string]any{"partner_ids": []any{[]any{6, 0, some()}}})
			}
		}
		for range 5 {
			at := random.IntN(len(ids))
			o.call("admin", "calendar.event", "unlink", []any{ids[at]})
			ids = append(ids[:at], ids[at+1:]...)
		}
		term := func() []any {
			switch random.IntN(6) {
			case 0:
				return []any{"user_id", "=", users[random.IntN(len(users))]}
			case 1:
				return []any{"user_id", "in", users[:1+random.IntN(len(users))]}
			case 2:
				return []any{"partner_ids", "in", some()}
			case 3:
				return []any{"partner_ids", "=", contacts[random.IntN(len(contacts))]}
			case 4:
				return []any{"id", "in", ids[random.IntN(len(ids)):]}
			}
			return []any{"id", ">", ids[random.IntN(len(ids))]}
		}
		var draw func(depth int) []any
		draw = func(depth int) []any {
			if depth == 0 || random.IntN(3) == 0 {
				return []any{term()}
			}
			switch random.IntN(5) {
			case 0:
				return append([]any{"!"}, draw(depth-1)...)
			case 1, 2:
				return append(append([]any{"|"}, draw(depth-1)...), draw(depth-1)...)
			}
			return append(append([]any{"&"}, draw(depth-1)...), draw(depth-1)...)
		}
		found := 0
		for range 300 {
			one := draw(3)
			got := o.call("alice", "calendar.event", "search", one)
			want := o.call("alice", "calendar.event", "search", append([]any{"!", "!"}, one...))
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("%v: found %v, want %v", one, got, want)
			}
			if list, _ := got.([]any); len(list) > 0 && len(list) < len(ids)/2 {
				found++
			}
		}
		if found < 50 {
			t.Errorf("%d searches of 300 found some, want more of them to show anything", found)
		}
	})
}
