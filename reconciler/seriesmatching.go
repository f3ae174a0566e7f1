package reconciler

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// MatchRule is why two halves of a series are taken for one when nothing else
// tells.
const MatchRule Match = "equal rule, time, title and organizer"

// seriesStep is how many series are read at once.
const seriesStep = 20

// seriesHalves are what both sides show of a series that is not linked.
type seriesHalves struct {
	copied *SeriesCopy
	record *SeriesRecord
	match  Match
	// ambiguous says that there are several that look the same.
	ambiguous bool
}

// unlinked reads and pairs the series that no link is about. Masters that cannot be
// read are left out, and so is what looks like them in NightPOS: they are in
// failed, to be tried again one by one.
func (w *seriesWork) unlinked(ctx context.Context, listed *listedSeries) (found []seriesHalves, failed []string, err error) {
	m := &seriesMatcher{
		seriesWork: w, copies: map[string]*SeriesCopy{}, records: map[int64]*SeriesRecord{},
		recurrenceOf: map[int64]int64{}, byKey: map[string]int64{}, byBuiltIn: map[string]int64{}, taken: map[int64]bool{}, paired: map[string]bool{},
	}
	for part := range slices.Chunk(slices.Sorted(maps.Keys(listed.copies)), seriesStep) {
		copies, wrong, err := w.outlook.ReadSeries(ctx, w.member, part)
		if err != nil {
			return nil, nil, fmt.Errorf("reading what is not linked: %w", err)
		}
		for id, copied := range copies {
			m.copies[id] = &copied
		}
		failed = append(failed, slices.Sorted(maps.Keys(wrong))...)
	}
	doubtful := map[string]bool{}
	for _, master := range failed {
		for _, copied := range listed.copies[master] {
			doubtful[lookOf(w.unify(copied.Event.Organizer), copied.Event, w.member)] = true
		}
	}
	recurrences := slices.DeleteFunc(slices.Sorted(maps.Keys(listed.records)), func(id int64) bool {
		return slices.ContainsFunc(listed.records[id], func(record *Record) bool {
			return doubtful[lookOf(record.Event.Organizer, record.Event, w.member)]
		})
	})
	for part := range slices.Chunk(recurrences, seriesStep) {
		records, err := w.nightpos.ReadSeries(ctx, part)
		if err != nil {
			return nil, nil, fmt.Errorf("reading what is not linked: %w", err)
		}
		for id, record := range records {
			m.learn(listed, &record)
			m.records[id] = &record
		}
	}
	found, err = m.match(ctx)
	return found, failed, err
}

type seriesMatcher struct {
	*seriesWork
	copies  map[string]*SeriesCopy
	records map[int64]*SeriesRecord
	// recurrenceOf is by occurrence, the others by what is left of either side in
	// the other.
	recurrenceOf     map[int64]int64
	byKey, byBuiltIn map[string]int64
	meetings         map[string]int64
	taken            map[int64]bool
	paired           map[string]bool
	found            []seriesHalves
}

// learn takes in by what a recurrence may be known.
func (m *seriesMatcher) learn(listed *listedSeries, series *SeriesRecord) {
	left := []string{series.GraphID, seriesUID(series.ICalUID)}
	for _, record := range series.Occurrences {
		m.recurrenceOf[record.ID] = series.ID
	}
	for _, record := range listed.records[series.ID] {
		left = append(left, record.MasterID, seriesUID(record.ICalUID))
	}
	for _, id := range left {
		if id != "" {
			m.byBuiltIn[id] = series.ID
		}
	}
	for _, key := range append([]string{series.ExternalKey}, keysOf(series.Occurrences)...) {
		if key != "" {
			m.byKey[key] = series.ID
		}
	}
}

func keysOf(records []Record) []string {
	keys := make([]string, 0, len(records))
	for _, record := range records {
		keys = append(keys, record.ExternalKey)
	}
	return keys
}

// seriesUID is the iCalUId of the series that an occurrence's belongs to: it differs
// in four bytes, which hold the occurrence's date.
func seriesUID(uid string) string {
	const from, to, length = 32, 40, 112
	if len(uid) != length {
		return uid
	}
	return uid[:from] + strings.Repeat("0", to-from) + uid[to:]
}

// match pairs what it can in the order of the Matches; what is left stands alone.
// Recurrences of which only archived records are left come last: NightPOS leaves
// such behind when a rule is changed.
func (m *seriesMatcher) match(ctx context.Context) ([]seriesHalves, error) {
	uids := make([]string, 0, len(m.copies))
	for _, copied := range m.copies {
		if copied.ICalUID != "" {
			uids = append(uids, copied.ICalUID)
		}
	}
	var err error
	if m.meetings, err = m.engine.Store.Meetings(ctx, uids); err != nil {
		return nil, fmt.Errorf("reading which meetings are known: %w", err)
	}
	for _, left := range []bool{false, true} {
		for _, by := range []struct {
			match Match
			of    func(*SeriesCopy) int64
		}{
			{MatchMark, func(c *SeriesCopy) int64 { return m.recurrenceOf[c.RecordID] }},
			{MatchKey, func(c *SeriesCopy) int64 { return m.byKey[RecordKey(m.member, c.Copy)] }},
			{MatchBuiltIn, func(c *SeriesCopy) int64 {
				if id := m.byBuiltIn[c.ID]; id != 0 {
					return id
				}
				return m.byBuiltIn[seriesUID(c.ICalUID)]
			}},
			{MatchICalUID, func(c *SeriesCopy) int64 { return m.recurrenceOf[m.meetings[c.ICalUID]] }},
		} {
			m.pair(by.match, left, by.of)
		}
		if !left {
			m.looks()
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.copies)) {
		if !m.paired[id] {
			m.found = append(m.found, seriesHalves{copied: m.copies[id]})
		}
	}
	for _, id := range slices.Sorted(maps.Keys(m.records)) {
		if !m.taken[id] && m.records[id].live() {
			m.found = append(m.found, seriesHalves{record: m.records[id]})
		}
	}
	return m.found, nil
}

// live says that not all occurrences are archived.
func (s *SeriesRecord) live() bool {
	return slices.ContainsFunc(s.Occurrences, func(record Record) bool { return !record.Archived })
}

// pair pairs what one kind of id tells. Of several copies that name one recurrence
// the oldest is it.
func (m *seriesMatcher) pair(match Match, left bool, of func(*SeriesCopy) int64) {
	best := map[int64]*SeriesCopy{}
	for id, copied := range m.copies {
		series := of(copied)
		if series == 0 || m.paired[id] || m.taken[series] || m.records[series] == nil || !left && !m.records[series].live() {
			continue
		}
		if other := best[series]; other == nil || copied.born().Before(other.born()) || copied.born().Equal(other.born()) && copied.ID < other.ID {
			best[series] = copied
		}
	}
	for id, copied := range best {
		m.take(copied, m.records[id], match)
	}
}

func (m *seriesMatcher) take(copied *SeriesCopy, record *SeriesRecord, match Match) {
	m.taken[record.ID], m.paired[copied.ID] = true, true
	m.found = append(m.found, seriesHalves{copied: copied, record: record, match: match})
}

// looks pairs by what a person would go by, as for single events.
func (m *seriesMatcher) looks() {
	if m.member.First.Began.IsZero() {
		return
	}
	copies := map[int64][]*SeriesCopy{}
	records := map[string][]*SeriesRecord{}
	for _, id := range slices.Sorted(maps.Keys(m.copies)) {
		copied := m.copies[id]
		if m.paired[id] || copied.Copy.Cancelled || copied.Refused != "" || !m.member.First.older(copied.born()) {
			continue
		}
		for _, record := range m.records {
			if !m.taken[record.ID] && record.ExternalKey == "" && m.alike(copied, record) {
				copies[record.ID] = append(copies[record.ID], copied)
				records[id] = append(records[id], record)
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(records)) {
		copied := m.copies[id]
		if len(records[id]) == 1 && len(copies[records[id][0].ID]) == 1 {
			m.take(copied, records[id][0], MatchRule)
			continue
		}
		m.paired[id] = true
		m.found = append(m.found, seriesHalves{copied: copied, ambiguous: true})
		for _, record := range records[id] {
			if !m.taken[record.ID] {
				m.taken[record.ID] = true
				m.found = append(m.found, seriesHalves{record: record, ambiguous: true})
			}
		}
	}
}

// alike says that a series in Outlook and one in NightPOS have the same title and
// organizer, and take place at the same times by the same rule.
func (m *seriesMatcher) alike(copied *SeriesCopy, record *SeriesRecord) bool {
	state := SeriesState{State: m.frame(nil), Series: m.unifySeries(*copied), Recurrence: record}
	state.prepare()
	if state.Record == nil || state.Record.Archived || state.Record.Masked || !m.member.First.older(state.Record.Created) || !state.nightpos.kept {
		return false
	}
	ours, theirs := copied.Rule, record.Rule
	same := ours.Same(theirs)
	if ours.Endless() {
		// NightPOS holds so many of a series without end, and says so.
		theirs.Count, theirs.Until = 0, Date{}
		same = ours.Same(theirs) && (record.Rule.Endless() || record.Rule.Count >= seriesLimit)
	}
	left, right := state.Series.Event, state.Record.Event
	left.When, right.When = When{}, When{}
	return same && lookOf(left.Organizer, left, m.member) == lookOf(right.Organizer, right, m.member)
}
