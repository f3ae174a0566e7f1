package conformance

import (
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// What notifications told is kept for a few minutes, the last of each copy.
func contents(t *testing.T, o opener) {
	store := o.store(o.clock())
	keep := func(contents ...reconciler.Content) {
		t.Helper()
		if err := store.KeepContents(t.Context(), contents); err != nil {
			t.Fatalf("KeepContents: got %v, want no error", err)
		}
	}
	want := func(lane string, want map[string][]byte, ids ...string) {
		t.Helper()
		found, err := store.Contents(t.Context(), lane, ids)
		if err != nil {
			t.Fatalf("Contents: got %v, want no error", err)
		}
		same(t, "contents", found, want)
	}
	keep()
	keep(
		reconciler.Content{Lane: lane, GraphID: "e1", Sealed: []byte("first")}, reconciler.Content{Lane: lane, GraphID: "e2", Sealed: []byte{0, 255}},
		reconciler.Content{Lane: "other", GraphID: "e1", Sealed: []byte("another's")},
	)
	keep(reconciler.Content{Lane: lane, GraphID: "e1", Sealed: []byte("second")})
	want(lane, map[string][]byte{"e1": []byte("second"), "e2": {0, 255}}, "e1", "e2", "e3")
	want("other", map[string][]byte{"e1": []byte("another's")}, "e1", "e2")
	want(lane, nil)
	if o.virtual {
		time.Sleep(11 * time.Minute)
		want(lane, map[string][]byte{}, "e1", "e2")
	}
}

// Of several who change a setting each sees what the one before made of it.
func changedSetting(t *testing.T, o opener) {
	replicas := []*redis.Store{o.store(o.clock()), o.store(o.clock())}
	var group sync.WaitGroup
	for _, store := range replicas {
		group.Go(func() {
			for range 3 {
				err := store.ChangeSetting(t.Context(), "counter", func(text []byte) ([]byte, error) {
					number, err := strconv.Atoi("0" + string(text))
					return []byte(strconv.Itoa(number + 1)), err
				})
				if err != nil {
					t.Errorf("ChangeSetting: got %v, want no error", err)
				}
			}
		})
	}
	group.Wait()
	if text, err := replicas[0].Setting(t.Context(), "counter"); err != nil || string(text) != "6" {
		t.Fatalf("Setting after six changes: got %q, %v", text, err)
	}
	if err := replicas[0].ChangeSetting(t.Context(), "counter", func([]byte) ([]byte, error) { return nil, nil }); err != nil {
		t.Fatalf("ChangeSetting that leaves it: got %v, want no error", err)
	}
	failed := errors.New("no")
	if err := replicas[0].ChangeSetting(t.Context(), "counter", func([]byte) ([]byte, error) { return []byte("x"), failed }); !errors.Is(err, failed) {
		t.Fatalf("ChangeSetting that fails: got %v, want its error", err)
	}
	if text, err := replicas[1].Setting(t.Context(), "counter"); err != nil || string(text) != "6" {
		t.Fatalf("Setting in the end: got %q, %v, want it as it was", text, err)
	}
}
