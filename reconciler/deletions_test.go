package reconciler_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// stock is an inventory that answers as a test wants it to.
type stock struct {
	asked  [][]int64
	answer func(ids []int64) ([]int64, error)
}

// Linked are six single events, a series with an occurrence besides, and one event
// that has ended.
func (*stock) Linked(context.Context, string) ([]int64, error) {
	return []int64{71, 8, 7, 6, 5, 4, 3, 2, 1}, nil
}

func (s *stock) Existing(_ context.Context, ids []int64) ([]int64, error) {
	s.asked = append(s.asked, slices.Clone(ids))
	return s.answer(ids)
}

// occurrences finds the series of record 71 as well.
type occurrences struct{ *memory }

func (o occurrences) Links(ctx context.Context, lane string, graphIDs []string, recordIDs []int64) ([]reconciler.Link, error) {
	if slices.Contains(recordIDs, 71) {
		recordIDs = append(slices.Clone(recordIDs), 7)
	}
	return o.memory.Links(ctx, lane, graphIDs, recordIDs)
}

// TestOnlyACertainAnswerTellsOfDeletions: what is missing is looked for once more by
// a hint; an answer that is partial, empty or somebody else's deletes nothing.
func TestOnlyACertainAnswerTellsOfDeletions(t *testing.T) {
	now := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	all := func(ids []int64) ([]int64, error) { return ids, nil }
	for _, one := range []struct {
		name    string
		parked  string
		answer  func(ids []int64) ([]int64, error)
		want    []string
		missing int
		fails   bool
	}{
		{name: "all are there", answer: all},
		{name: "one is gone", answer: func(ids []int64) ([]int64, error) { return ids[1:], nil }, want: []string{"nightpos:1"}, missing: 1},
		{name: "one that had ended is gone", answer: func(ids []int64) ([]int64, error) {
			return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id == 8 }), nil
		}},
		{name: "an occurrence is gone", answer: func(ids []int64) ([]int64, error) {
			return slices.DeleteFunc(slices.Clone(ids), func(id int64) bool { return id == 71 }), nil
		}, want: []string{"nightpos:7"}, missing: 1},
		{name: "an empty answer", answer: func([]int64) ([]int64, error) { return nil, nil }, want: []string{reconciler.KeySweep}, missing: 7},
		{name: "a half answer", answer: func(ids []int64) ([]int64, error) { return ids[5:], nil }, want: []string{reconciler.KeySweep}, missing: 5},
		{name: "no answer", answer: func([]int64) ([]int64, error) { return nil, errors.New("out of order") }, fails: true},
		{name: "an answer to another question", answer: func(ids []int64) ([]int64, error) { return append([]int64{4711}, ids[1:]...), nil }, fails: true},
		{name: "an answer that repeats itself", answer: func(ids []int64) ([]int64, error) { return append([]int64{ids[1]}, ids[1:]...), nil }, fails: true},
		{name: "a parked member", parked: "paused", answer: func([]int64) ([]int64, error) { return nil, nil }},
	} {
		t.Run(one.name, func(t *testing.T) {
			member := alice
			member.Parked = one.parked
			memory := newMemory(func() time.Time { return now }, member)
			for id := int64(1); id <= 6; id++ {
				memory.links[id] = reconciler.Link{RecordID: id, GraphID: "copy"}
			}
			memory.links[7] = reconciler.Link{RecordID: 7, GraphID: "master", Series: &reconciler.LinkedSeries{}}
			memory.links[8] = reconciler.Link{RecordID: 8, GraphID: "copy", Ended: true}
			engine, err := reconciler.NewEngine(reconciler.Config{
				Outlook: &fakeOutlook{}, NightPOS: &fakeNightPOS{}, Store: occurrences{memory}, Queue: memory, Database: "night",
				Guard: reconciler.Guard{AtOnce: 20, Small: 5}, Now: func() time.Time { return now },
			})
			if err != nil {
				t.Fatal(err)
			}
			inventory := &stock{answer: one.answer}
			missing, err := engine.FindDeleted(t.Context(), inventory)
			if (err != nil) != one.fails || missing != one.missing {
				t.Errorf("got %d missing, %v, want %d and an error: %t", missing, err, one.missing, one.fails)
			}
			if got := slices.Sorted(maps.Keys(memory.items)); !slices.Equal(got, one.want) {
				t.Errorf("the lane has %v, want %v", got, one.want)
			}
			if one.parked == "" && len(inventory.asked) != 1 {
				t.Errorf("NightPOS was asked %d times, want once", len(inventory.asked))
			}
		})
	}
}
