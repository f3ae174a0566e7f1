package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// WriteSeries carries out a write to a series in one call and one transaction,
// and reads the series back in the same call. Occurrences that are alike travel
// once. A series whose records are no longer those of Current, or one of whose
// records has moved on, is ErrStale and nothing is written; one that is gone is
// ErrGone.
//
// A write may arrive twice: a create finds what its key made, others find their
// own trace and answer ErrStale, or change nothing. After a dissolution Record
// holds the records that stay, without a recurrence.
func (c *Client) WriteSeries(ctx context.Context, write reconciler.SeriesRecordWrite) reconciler.SeriesRecordResult {
	one, err := c.prepareSeries(ctx, write)
	if err != nil {
		return reconciler.SeriesRecordResult{Err: refusal(err)}
	}
	result, err := c.writeSeries(ctx, one)
	if definite(err) {
		// See refused: it may have named a contact, an alarm or a tag that is gone.
		c.contacts.forgetPartners(one.people())
		c.catalogue.expire()
		if again, failed := c.prepareSeries(ctx, write); failed == nil && !reflect.DeepEqual(again.operations(), one.operations()) {
			result, err = c.writeSeries(ctx, again)
		}
	}
	if err != nil {
		return reconciler.SeriesRecordResult{Err: refusal(err)}
	}
	return result
}

// preparedSeries is a write whose contacts, alarms and tags are known.
type preparedSeries struct {
	write   reconciler.SeriesRecordWrite
	updates []*prepared
	creates []values
	// rule is what is written to the recurrence; nil for nothing.
	rule values
	// base is the record that becomes its base; zero for whatever is.
	base int64
}

func (p *preparedSeries) people() []reconciler.Person {
	var people []reconciler.Person
	add := func(event reconciler.Event) { people = append(append(people, event.Organizer), event.People...) }
	for _, event := range p.write.Create {
		add(event)
	}
	for _, one := range p.updates {
		add(one.write.Event)
	}
	return people
}

// dissolves says that the records are to be single ones.
func (p *preparedSeries) dissolves() bool {
	return p.write.ID != 0 && p.write.Rule != nil && p.write.Rule.Equal(reconciler.Rule{})
}

// single says that the write is to a record that is a single one, and stays that: of
// what was a series, somebody left no more.
func (p *preparedSeries) single() bool {
	return p.write.ID == 0 && p.write.Current != nil && p.write.Current.ID == 0 && len(p.write.Join) == 0 &&
		(p.write.Rule == nil || p.write.Rule.Equal(reconciler.Rule{}))
}

var (
	errNoRule    = errors.New("a series cannot be made without a rule")
	errDissolved = errors.New("a series that is dissolved, or was, takes in no occurrences")
)

func (c *Client) prepareSeries(ctx context.Context, write reconciler.SeriesRecordWrite) (*preparedSeries, error) {
	one := &preparedSeries{write: write}
	switch {
	case len(write.Delete) > 0:
		return one, nil
	case write.ID == 0 && write.Rule == nil && !one.single():
		return nil, errNoRule
	case (one.dissolves() || one.single()) && len(write.Create)+len(write.Join) > 0:
		return nil, errDissolved
	}
	for index, update := range write.Writes {
		if update.Current == nil {
			update.Current = recordOf(write.Current, update.ID)
		}
		ready, err := c.prepare(ctx, update)
		if err != nil {
			return nil, err
		}
		ready.index = index
		one.updates = append(one.updates, ready)
	}
	follow := newFollowing(write)
	for _, ready := range one.updates {
		if _, moved := ready.vals["start"]; moved {
			// Left unsaid, NightPOS takes every move for an exception.
			ready.vals["follow_recurrence"] = follow.has(ready.write)
		}
	}
	for _, event := range write.Create {
		vals, err := c.createValues(ctx, reconciler.RecordWrite{
			Action: reconciler.ActionCreate, Event: event, OrganizerUserID: write.OrganizerUserID,
		})
		if err != nil {
			return nil, err
		}
		if unsaidAs(write.Current, event.Privacy) {
			delete(vals, "privacy")
		}
		vals["recurrency"], vals["follow_recurrence"] = true, true
		one.creates = append(one.creates, vals)
	}
	if write.Rule != nil && !one.dissolves() && !one.single() {
		rule, err := c.ruleValues(ctx, write)
		if err != nil {
			return nil, err
		}
		one.rule = rule
	}
	one.base = baseOf(write)
	return one, nil
}

// unsaidAs says that every record of a series leaves it to its owner's default who may
// see it, and that this is the privacy given: another occurrence then does as the others.
func unsaidAs(series *reconciler.SeriesRecord, privacy reconciler.Privacy) bool {
	if series == nil || len(series.Occurrences) == 0 {
		return false
	}
	return !slices.ContainsFunc(series.Occurrences, func(record reconciler.Record) bool {
		rows, known := record.Raw.(rowsOfRecord)
		return !known || rows.event.Privacy != "" || projectPrivacy(privacyOf(rows.event)) != projectPrivacy(privacy)
	})
}

func recordOf(series *reconciler.SeriesRecord, id int64) *reconciler.Record {
	if series == nil {
		return nil
	}
	for index := range series.Occurrences {
		if series.Occurrences[index].ID == id {
			return &series.Occurrences[index]
		}
	}
	return nil
}

// ruleValues says a rule in the fields of a recurrence.
func (c *Client) ruleValues(ctx context.Context, write reconciler.SeriesRecordWrite) (values, error) {
	signed, err := c.signIn(ctx)
	if err != nil {
		return nil, err
	}
	rule, zone := *write.Rule, zoneOfWrite(write)
	dialect := Dialect{Years: signed.major >= 18}
	if rule.Frequency == reconciler.Weekly && rule.Interval > 1 && len(rule.Weekdays) > 1 {
		if dialect.WeekStart, err = c.weekStart(ctx); err != nil {
			return nil, err
		}
	}
	if last, ends := rule.Last(); ends && rule.Count > 0 && !beginsWithRule(write, zone) {
		// NightPOS counts from the first record that there is.
		rule.Count, rule.Until = 0, last
	}
	if write.First.AllDay {
		zone = ""
	}
	vals, err := RecurrenceValues(rule, zone, dialect)
	if err != nil {
		return nil, &reconciler.RefusedError{Reason: err.Error(), Err: err}
	}
	// Events say so of themselves.
	delete(vals, "recurrency")
	return vals, nil
}

func zoneOfWrite(write reconciler.SeriesRecordWrite) string {
	switch {
	case write.Zone != "":
		return write.Zone
	case write.First.Zone != "" || write.Current == nil:
		return write.First.Zone
	}
	return write.Current.Zone
}

// writeSeries makes the call.
func (c *Client) writeSeries(ctx context.Context, one *preparedSeries) (reconciler.SeriesRecordResult, error) {
	call := one.operations()
	// What has neither a key nor the records as they were would be done twice.
	repeatable := one.write.Current != nil || len(one.write.Delete) > 0 || one.write.ID == 0 && one.write.Key != ""
	results, err := c.run(ctx, "write_series", repeatable, call.operations)
	if err != nil {
		return reconciler.SeriesRecordResult{}, err
	}
	for _, place := range call.checks {
		switch string(results[place]) {
		case "true":
		case `"made"`:
			return c.existing(ctx, one.write.Key)
		case `"missing"`:
			if place == call.recurrence {
				return reconciler.SeriesRecordResult{}, reconciler.ErrGone
			}
			return reconciler.SeriesRecordResult{}, reconciler.ErrStale
		default:
			return reconciler.SeriesRecordResult{}, reconciler.ErrStale
		}
	}
	if len(one.write.Delete) > 0 {
		return reconciler.SeriesRecordResult{}, nil
	}
	if one.dissolves() || one.single() {
		records, err := c.records(ctx, results[call.reading:])
		if err != nil {
			return reconciler.SeriesRecordResult{}, err
		}
		slices.SortStableFunc(records, func(a, b reconciler.Record) int { return a.Event.When.Start.Compare(b.Event.When.Start) })
		return c.answered(ctx, one, reconciler.SeriesRecord{Occurrences: records})
	}
	id := one.write.ID
	if id == 0 {
		var made []int64
		if err := json.Unmarshal(results[call.create], &made); err != nil || len(made) != 1 {
			return reconciler.SeriesRecordResult{}, fmt.Errorf("the door answered a create with something else: %w", errors.Join(err, ErrInvalid))
		}
		id = made[0]
	}
	found, err := c.series(ctx, results[call.reading:])
	if err != nil {
		return reconciler.SeriesRecordResult{}, err
	}
	series, there := found[id]
	if !there {
		// All its records have left it.
		series.ID = id
	}
	return c.answered(ctx, one, series)
}

// existing is the series that an earlier create with the same key made.
func (c *Client) existing(ctx context.Context, key string) (reconciler.SeriesRecordResult, error) {
	results, err := c.run(ctx, "read_series", true, []operation{{Do: "keys_of", Model: "calendar.recurrence", Keys: []string{key}}})
	if err != nil {
		return reconciler.SeriesRecordResult{}, err
	}
	var pairs []keyPair
	if err := json.Unmarshal(results[0], &pairs); err != nil || len(pairs) == 0 {
		return reconciler.SeriesRecordResult{}, fmt.Errorf("looking for a series that was made before: %w", errors.Join(err, reconciler.ErrStale))
	}
	found, err := c.ReadSeries(ctx, []int64{pairs[0].ID})
	if err != nil {
		return reconciler.SeriesRecordResult{}, err
	}
	series, there := found[pairs[0].ID]
	if !there {
		series.ID = pairs[0].ID
	}
	return reconciler.SeriesRecordResult{Record: &series, Existed: true}, nil
}

// answered gives people who were just added the answers they came with; see
// answerForAdded.
func (c *Client) answered(ctx context.Context, one *preparedSeries, series reconciler.SeriesRecord) (reconciler.SeriesRecordResult, error) {
	results := make([]reconciler.RecordResult, len(one.updates))
	for index, ready := range one.updates {
		results[index].Record = recordOf(&series, ready.write.ID)
	}
	c.answerForAdded(ctx, one.updates, results)
	for index, result := range results {
		if result.Err != nil {
			return reconciler.SeriesRecordResult{}, result.Err
		}
		if known := recordOf(&series, one.updates[index].write.ID); known != nil && result.Record != nil {
			*known = *result.Record
		}
	}
	return reconciler.SeriesRecordResult{Record: &series}, nil
}
