package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"
)

// seriesCall is a write to a series as operations of the door.
type seriesCall struct {
	operations []operation
	// checks are the places of what must hold before anything is written, and
	// recurrence that of the check of the recurrence itself; -1 for none.
	checks     []int
	recurrence int
	// create is where the recurrence is made, and reading where the series is
	// read back.
	create, reading int
}

// add adds an operation that is carried out only if all checks before it hold.
func (s *seriesCall) add(one operation) int {
	if len(s.checks) > 0 {
		one.After = &s.checks[len(s.checks)-1]
	}
	s.operations = append(s.operations, one)
	return len(s.operations) - 1
}

func (s *seriesCall) check(one operation) int {
	one.Do = "check"
	place := s.add(one)
	s.checks = append(slices.Clone(s.checks), place)
	return place
}

// write adds a write to events, if there are any.
func (s *seriesCall) write(ids []int64, vals values) {
	if len(ids) > 0 {
		s.add(operation{Do: "write", Model: "calendar.event", IDs: ids, Vals: vals})
	}
}

// operations are the checks, the writes to single records, those to the
// recurrence, and the reading.
func (p *preparedSeries) operations() *seriesCall {
	call := &seriesCall{recurrence: -1}
	write := p.write
	switch {
	case write.ID != 0:
		call.recurrence = call.check(operation{Model: "calendar.recurrence", IDs: []int64{write.ID}})
	case write.Key != "":
		call.recurrence = call.check(operation{Model: "calendar.recurrence", Keys: []string{write.Key}})
	}
	if len(write.Delete) > 0 {
		call.add(operation{Do: "unlink", Model: "calendar.event", IDs: write.Delete})
		if write.ID != 0 {
			call.add(operation{Do: "unlink", Model: "calendar.recurrence", IDs: []int64{write.ID}})
		}
		return call
	}
	p.checkRecords(call)
	p.updateRecords(call)
	call.write(write.Leave, values{"active": false, "recurrence_id": false, "recurrency": false})
	switch {
	case p.dissolves():
		p.dissolve(call)
		return call
	case p.single():
		var ids []int64
		for _, record := range write.Current.Occurrences {
			ids = append(ids, record.ID)
		}
		call.reading = len(call.operations)
		for _, one := range readOperations(ids, nil) {
			call.add(one)
		}
		return call
	}
	common, lines := shared(p.creates)
	if write.ID == 0 {
		vals := maps.Clone(p.rule)
		if p.base != 0 {
			vals["base_event_id"] = p.base
		}
		if len(write.Join) > 0 {
			var links []any
			for _, id := range write.Join {
				links = append(links, []any{4, id})
			}
			vals["calendar_event_ids"] = links
		}
		create := operation{Do: "create", Model: "calendar.recurrence", Vals: []values{vals}, Common: common, Lines: lines}
		if write.Key != "" {
			create.Keys = []string{write.Key}
		}
		call.create = call.add(create)
		call.write(write.Join, joined())
		call.read(nil, []int{call.create})
		return call
	}
	call.write(write.Join, values{"recurrence_id": write.ID})
	call.write(write.Join, joined())
	vals := values{}
	if p.base != 0 {
		vals["base_event_id"] = p.base
	}
	if len(vals)+len(lines) > 0 {
		call.add(operation{Do: "write", Model: "calendar.recurrence", IDs: []int64{write.ID}, Vals: vals, Common: common, Lines: lines})
	}
	if p.rule != nil {
		// Last, since NightPOS notes down the first record's start with the rule.
		call.add(operation{Do: "write", Model: "calendar.recurrence", IDs: []int64{write.ID}, Vals: p.rule})
	}
	call.read([]int64{write.ID}, nil)
	return call
}

// joined is what a single record becomes once it belongs to a recurrence. Said
// before, the built-in Outlook sync would delete its copy of the record.
func joined() values { return values{"recurrency": true, "follow_recurrence": true} }

// read reads the series back.
func (s *seriesCall) read(ids []int64, of []int) {
	s.reading = len(s.operations)
	for _, one := range seriesOperations(ids, of, s.reading) {
		s.add(one)
	}
}

// checkRecords has the records be those of the series as it was read, and all
// that are written, or join, as they were.
func (p *preparedSeries) checkRecords(call *seriesCall) {
	write := p.write
	stamps := map[int64]string{}
	touched := slices.Concat(write.Join, write.Leave)
	for _, update := range write.Writes {
		touched = append(touched, update.ID)
		if update.Stamp != "" {
			stamps[update.ID] = update.Stamp
		}
	}
	check := func(ids []int64, domain []any) {
		guards := map[string]string{}
		for _, id := range ids {
			if stamp, guarded := stamps[id]; guarded {
				guards[strconv.FormatInt(id, 10)] = stamp
			}
		}
		call.check(operation{Model: "calendar.event", IDs: ids, Domain: domain, Stamps: guards})
	}
	var members []int64
	if write.Current != nil && write.ID != 0 {
		for _, record := range write.Current.Occurrences {
			members = append(members, record.ID)
		}
		check(members, []any{[]any{"recurrence_id", "=", write.ID}})
	}
	slices.Sort(touched)
	touched = slices.DeleteFunc(slices.Compact(touched), func(id int64) bool { return slices.Contains(members, id) })
	if len(touched) > 0 {
		check(touched, nil)
	}
}

// updateRecords writes to records: in one operation to all those that are
// written the same, and those of the same answer.
func (p *preparedSeries) updateRecords(call *seriesCall) {
	group := newGroups[values]()
	answers := newGroups[string]()
	for _, one := range p.updates {
		if len(one.vals) > 0 {
			group.add(encoded(one.vals), one.vals, one.write.ID)
		}
		for _, state := range one.states {
			answers.add(state.state, state.state, state.id)
		}
	}
	for _, key := range group.order {
		call.write(group.ids[key], group.content[key])
	}
	for _, state := range answers.order {
		call.add(operation{Do: "write", Model: "calendar.attendee", IDs: answers.ids[state], Vals: values{"state": state}})
	}
}

// groups are ids by what is written to them, in the order of their first.
type groups[Content any] struct {
	order   []string
	content map[string]Content
	ids     map[string][]int64
}

func newGroups[Content any]() *groups[Content] {
	return &groups[Content]{content: map[string]Content{}, ids: map[string][]int64{}}
}

func (g *groups[Content]) add(key string, content Content, id int64) {
	if _, known := g.content[key]; !known {
		g.order = append(g.order, key)
		g.content[key] = content
	}
	g.ids[key] = append(g.ids[key], id)
}

// dissolve lets all records go, and removes the recurrence.
func (p *preparedSeries) dissolve(call *seriesCall) {
	ids := []int64{p.write.ID}
	members := call.add(operation{Do: "search_read", Model: "calendar.event", By: "recurrence_id", IDs: ids, Fields: []string{"id"}})
	call.add(operation{
		Do: "write", Model: "calendar.event", Of: []int{members}, Vals: values{"recurrence_id": false, "recurrency": false},
	})
	call.add(operation{Do: "unlink", Model: "calendar.recurrence", IDs: ids})
	call.reading = len(call.operations)
	for _, one := range readOperations(nil, []int{members}) {
		call.add(one)
	}
}

// encoded is the JSON of values, for comparing.
func encoded(content any) string {
	text, err := json.Marshal(content)
	if err != nil {
		return fmt.Sprintf("%#v", content)
	}
	return string(text)
}

// shared parts what all of some values have in common from what differs: the
// occurrences of a series differ in their times and little else, and one body
// is as long as hundreds of times.
func shared(list []values) (common values, each []values) {
	if len(list) == 0 {
		return nil, nil
	}
	common = values{}
	for name, value := range list[0] {
		text := encoded(value)
		alike := !slices.ContainsFunc(list, func(one values) bool {
			other, there := one[name]
			return !there || encoded(other) != text
		})
		if alike {
			common[name] = value
		}
	}
	for _, one := range list {
		rest := values{}
		for name, value := range one {
			if _, alike := common[name]; !alike {
				rest[name] = value
			}
		}
		each = append(each, rest)
	}
	return common, each
}

// weekStart is the first day of the week in the language of the gateway's
// account, by which NightPOS counts the weeks of what it writes.
func (c *Client) weekStart(ctx context.Context) (time.Weekday, error) {
	results, err := c.run(ctx, "week_start", true, []operation{{Do: "week_start"}})
	if err != nil {
		return 0, err
	}
	var told text
	if err := json.Unmarshal(results[0], &told); err != nil {
		return 0, fmt.Errorf("reading the first day of the week: %w", err)
	}
	day, err := strconv.Atoi(string(told))
	if err != nil || day < 1 || day > 7 {
		return 0, fmt.Errorf("NightPOS told no first day of the week: %w", errors.Join(err, ErrInvalid))
	}
	return time.Weekday(day % 7), nil
}
