package nightpos_test

import (
	"slices"
	"time"
)

// drawnOrder is the order in which the recorded server made the occurrences of
// its series: that of a Python set, whose hashes were drawn when the server
// started, so that it follows no rule. The events' ids tell it.
type drawnOrder struct {
	// made are the recorded ids of events by where they were first seen to begin.
	made map[string][]int
	seen map[int]bool
}

// read takes from a recording what it tells of events that were not seen before.
func (d *drawnOrder) read(one recording) {
	d.made = map[string][]int{}
	if d.seen == nil {
		d.seen = map[int]bool{}
	}
	for _, exchange := range one.Exchanges {
		d.find(exchange.Response["result"])
		d.find(exchange.Answer)
	}
	for _, came := range one.Hits {
		d.find(came.Body)
	}
	for _, ids := range d.made {
		slices.Sort(ids)
	}
}

func (d *drawnOrder) find(value any) {
	switch given := value.(type) {
	case []any:
		for _, item := range given {
			d.find(item)
		}
	case map[string]any:
		start, _ := given["start"].(string)
		if id := number(given["id"]); id != 0 && start != "" && !d.seen[id] {
			d.seen[id] = true
			d.made[start] = append(d.made[start], id)
		}
		for _, item := range given {
			d.find(item)
		}
	}
}

// order puts occurrences in the order in which the recorded server made them, as
// far as the recording tells; what it does not tell of comes last.
func (d *drawnOrder) order(starts []time.Time) {
	place := func(start time.Time) int {
		if ids := d.made[start.UTC().Format(datetime)]; len(ids) > 0 {
			return ids[0]
		}
		return 1 << 30
	}
	slices.SortStableFunc(starts, func(a, b time.Time) int { return place(a) - place(b) })
	for _, start := range starts {
		if at := start.UTC().Format(datetime); len(d.made[at]) > 0 {
			d.made[at] = d.made[at][1:]
		}
	}
}
