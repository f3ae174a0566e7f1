package reconciler

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Match is why two halves that are not linked are taken for one meeting, in the
// order in which it is looked for.
type Match string

// The matches.
const (
	MatchNone Match = ""
	// MatchMark: the copy carries the gateway's own mark.
	MatchMark Match = "the gateway's mark in Outlook"
	// MatchKey: the record carries the gateway's own key.
	MatchKey Match = "the gateway's mark in NightPOS"
	// MatchBuiltIn: NightPOS's built-in sync left an id.
	MatchBuiltIn Match = "an id that NightPOS's built-in sync left"
	// MatchICalUID: another person's copy of the meeting is linked.
	MatchICalUID Match = "the iCalUId of another person's copy"
	// MatchLooks: time, title and organizer are equal, and nothing else looks
	// like them.
	MatchLooks Match = "equal time, title and organizer"
)

// halves are what one of the two listings showed, or both, of a meeting that is
// not linked.
type halves struct {
	copied *Copy
	record *Record
	match  Match
	// ambiguous says that there are several that look the same.
	ambiguous bool
}

// match pairs the copies and records that no link is about; what it cannot pair
// stands alone in the answer.
func (r *round) match(ctx context.Context, copies map[string]*Copy, records map[int64]*Record) ([]halves, error) {
	m := &matcher{round: r, copies: copies, records: records, taken: map[int64]bool{}, paired: map[string]bool{}}
	if err := m.learn(ctx); err != nil {
		return nil, err
	}
	for _, by := range []struct {
		match Match
		of    func(*Copy) int64
	}{
		{MatchMark, func(c *Copy) int64 { return c.RecordID }},
		{MatchKey, func(c *Copy) int64 { return m.byKey[RecordKey(r.member, *c)] }},
		{MatchBuiltIn, func(c *Copy) int64 {
			if id := m.byBuiltIn[c.ID]; id != 0 {
				return id
			}
			return m.byBuiltIn[c.ICalUID]
		}},
		{MatchICalUID, func(c *Copy) int64 { return m.meetings[c.ICalUID] }},
	} {
		m.pair(by.match, by.of)
	}
	m.looks()
	for id, copied := range copies {
		if !m.paired[id] {
			m.found = append(m.found, halves{copied: copied})
		}
	}
	for id, record := range records {
		if !m.taken[id] {
			m.found = append(m.found, halves{record: record})
		}
	}
	return m.found, nil
}

type matcher struct {
	round    *round
	copies   map[string]*Copy
	records  map[int64]*Record
	byKey    map[string]int64
	meetings map[string]int64
	// byBuiltIn is by either id that the built-in sync left.
	byBuiltIn map[string]int64
	taken     map[int64]bool
	paired    map[string]bool
	found     []halves
}

func (m *matcher) learn(ctx context.Context) error {
	m.byKey, m.byBuiltIn = map[string]int64{}, map[string]int64{}
	for id, record := range m.records {
		if record.ExternalKey != "" {
			m.byKey[record.ExternalKey] = id
		}
		for _, left := range []string{record.GraphID, record.ICalUID} {
			if left != "" {
				m.byBuiltIn[left] = id
			}
		}
	}
	var uids []string
	for _, copied := range m.copies {
		if copied.ICalUID != "" {
			uids = append(uids, copied.ICalUID)
		}
	}
	var err error
	if m.meetings, err = m.round.engine.Store.Meetings(ctx, uids); err != nil {
		return fmt.Errorf("reading which meetings are known: %w", err)
	}
	return nil
}

// pair pairs what one kind of id tells. Of several copies that name one record,
// as when a person duplicated an event together with its mark, the oldest is it.
func (m *matcher) pair(match Match, of func(*Copy) int64) {
	best := map[int64]*Copy{}
	for id, copied := range m.copies {
		record := of(copied)
		if record == 0 || m.paired[id] || m.taken[record] || m.records[record] == nil || copied.Recurring != m.records[record].Recurring {
			continue
		}
		if other := best[record]; other == nil || copied.born().Before(other.born()) || copied.born().Equal(other.born()) && copied.ID < other.ID {
			best[record] = copied
		}
	}
	for id, copied := range best {
		m.take(copied, m.records[id], match)
	}
}

func (m *matcher) take(copied *Copy, record *Record, match Match) {
	m.taken[record.ID], m.paired[copied.ID] = true, true
	m.found = append(m.found, halves{copied: copied, record: record, match: match})
}

// looks pairs by what a person would go by. Only what was there on both sides
// before the calendars were connected can be one meeting that nobody knows of.
func (m *matcher) looks() {
	first := m.round.member.First
	if first.Began.IsZero() {
		return
	}
	copies, records := map[string][]*Copy{}, map[string][]*Record{}
	for id, copied := range m.copies {
		if !m.paired[id] && !copied.Cancelled && !copied.Recurring && copied.RecordID == 0 && first.older(copied.born()) {
			looks := lookOf(m.round.unify(copied.Event.Organizer), copied.Event, m.round.member)
			copies[looks] = append(copies[looks], copied)
		}
	}
	for id, record := range m.records {
		if !m.taken[id] && !record.Archived && !record.Masked && !record.Recurring && record.ExternalKey == "" && first.older(record.Created) {
			looks := lookOf(record.Event.Organizer, record.Event, m.round.member)
			records[looks] = append(records[looks], record)
		}
	}
	for looks, like := range copies {
		alike := records[looks]
		switch {
		case len(alike) == 0:
		case len(like) == 1 && len(alike) == 1:
			m.take(like[0], alike[0], MatchLooks)
		default:
			for _, copied := range like {
				m.paired[copied.ID] = true
				m.found = append(m.found, halves{copied: copied, ambiguous: true})
			}
			for _, record := range alike {
				m.taken[record.ID] = true
				m.found = append(m.found, halves{record: record, ambiguous: true})
			}
		}
	}
}

// lookOf is time, title and organizer; an organizer that nobody names is the
// person whose calendar it is.
func lookOf(organizer Person, event Event, member Member) string {
	who := organizer.Key()
	if who == "" || member.Is(organizer) {
		who = "own"
	}
	return strings.Join([]string{
		strconv.FormatBool(event.When.AllDay), event.When.Start.UTC().Format(time.RFC3339), event.When.End.UTC().Format(time.RFC3339),
		strings.ToLower(strings.Join(strings.Fields(event.Title), " ")), who,
	}, "\x00")
}
