package reconciler

import (
	"context"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"time"
)

// An invitation to a single event may be one to an occurrence of a series that
// NightPOS shows: somebody is invited to that occurrence alone, has declined all
// others, or the organizer's calendar could only bring it as an event of its own.

// globalID is how the bytes of every iCalUId of Outlook begin: a GlobalObjectId
// ([MS-OXOCAL] 2.2.1.27).
const globalID = "\x04\x00\x00\x00\x82\x00\xe0\x00\x74\xc5\xb7\x10\x1a\x82\xe0\x08"

// occurrenceOf reads the iCalUId of one occurrence of a series: that of the series,
// which is the same without the date, and the date of the slot. It is false of all
// others.
func occurrenceOf(iCalUID string) (series string, slot Date, is bool) {
	id, err := hex.DecodeString(iCalUID)
	const date = len(globalID)
	if err != nil || len(id) < date+4 || string(id[:date]) != globalID {
		return "", Date{}, false
	}
	slot = Date{Year: int(id[date])<<8 | int(id[date+1]), Month: time.Month(id[date+2]), Day: int(id[date+3])}
	if !slot.valid() {
		return "", Date{}, false
	}
	// As it was written, in capitals or not.
	return iCalUID[:2*date] + "00000000" + iCalUID[2*(date+4):], slot, true
}

// recordOfOccurrence is the record of the occurrence that an invitation is to, as the
// organizer's calendar knows it; zero if that does not, or if it is not to one.
// meetings are the records of series, by iCalUId.
func (r *round) recordOfOccurrence(ctx context.Context, copied Copy, meetings map[string]int64) (int64, error) {
	uid, slot, is := occurrenceOf(copied.ICalUID)
	if !is || copied.IsOrganizer || copied.Recurring || meetings[uid] == 0 {
		return 0, nil
	}
	links, err := r.linksOfOrganizer(ctx, copied, meetings[uid])
	for _, link := range links {
		if link.Series != nil && link.Series.Occurrences[slot] != 0 {
			return link.Series.Occurrences[slot], err
		}
	}
	return 0, err
}

// linksOfOrganizer are the links to a record in the organizer's calendar.
func (r *round) linksOfOrganizer(ctx context.Context, copied Copy, recordID int64) ([]Link, error) {
	organizer, connected := r.directory.byAddress[copied.Event.Organizer.Key()]
	if !connected {
		return nil, nil
	}
	links, err := r.engine.Store.Links(ctx, organizer.ID, nil, []int64{recordID})
	if err != nil {
		return nil, fmt.Errorf("reading the organizer's links: %w", err)
	}
	return links, nil
}

// standsApart says that an invitation to a single event is one to an occurrence of a
// series in NightPOS, of which this mailbox has nothing else, or only the rest.
// known are the links of this mailbox to that record.
func (r *round) standsApart(ctx context.Context, subject *subject, record Record, known []*Link) (bool, error) {
	copied := *subject.state.Copy
	if copied.IsOrganizer || copied.Recurring || record.RecurrenceID == 0 {
		return false, nil
	}
	_, _, dated := occurrenceOf(copied.ICalUID)
	for _, link := range known {
		switch {
		case link.Series == nil && !link.Ended, link.Role != RoleAttendee:
			// It has a link of its own, which is to end first; or the member's event is not
			// the organizer's.
			return false, nil
		case link.Series != nil && !link.Ended && dated:
			// The series is here, or was a moment ago: its own hint is on its way.
			r.also = append(r.also, Item{Key: NightPOSKey(link.RecordID), First: r.engine.Now()})
			return false, nil
		}
	}
	if dated {
		return true, nil
	}
	links, err := r.linksOfOrganizer(ctx, copied, record.ID)
	return slices.ContainsFunc(links, func(link Link) bool { return link.Apart && link.RecordID == record.ID }), err
}

// setApart gives a record of a series a link of its own, to the invitation that is to
// it alone: it may be a while until the organizer's lane lists who is invited, and
// what happens to the invitation meanwhile is news then. A series that was known by
// this record is known by another one from then on, and forgotten if it has ended and
// there is none. Both are recorded before anything is done about either, and before
// them which record stands for the invitation, for all who are invited to it as well.
func (r *round) setApart(ctx context.Context, recordID int64, copied Copy, known []*Link) (*Link, error) {
	apart := &Link{
		RecordID: recordID, GraphID: copied.ID, ICalUID: copied.ICalUID, Role: RoleAttendee, Generation: 1, Apart: true, Updated: r.engine.Now(),
	}
	commit := Commit{Links: []Link{*apart}, Occurrences: map[int64]int64{recordID: 0}}
	for _, series := range known {
		if series.Series == nil {
			continue
		}
		rest := *series
		rest.Series = series.Series.without(recordID)
		if series.RecordID == recordID {
			others := slices.DeleteFunc(unique(slices.Collect(maps.Values(rest.Series.Occurrences))), func(id int64) bool { return id == 0 })
			if len(others) == 0 {
				continue
			}
			rest.RecordID = others[0]
			maps.Copy(commit.Occurrences, moved(series, &rest))
		}
		commit.Links = append(commit.Links, rest)
		r.relink(series.RecordID, &rest)
	}
	if _, _, dated := occurrenceOf(copied.ICalUID); dated {
		if err := r.engine.Store.SetMeetings(ctx, map[string]int64{copied.ICalUID: recordID}); err != nil {
			return nil, fmt.Errorf("recording which occurrence an invitation is to: %w", err)
		}
	}
	if err := r.engine.Store.Commit(ctx, r.lease, commit); err != nil {
		return nil, fmt.Errorf("recording that an occurrence has an event of its own: %w", err)
	}
	return apart, nil
}

// invitedAgain takes the next invitation to an occurrence for the one that is linked,
// as long as the sides have not agreed on anything: NightPOS, which does not list the
// person yet, was never told that the former one is gone.
func (r *round) invitedAgain(ctx context.Context, copied Copy, link *Link) (*Link, error) {
	if link == nil || !link.Apart || link.Ended || link.agreed() || link.GraphID == copied.ID || link.ICalUID == "" || link.ICalUID != copied.ICalUID {
		return link, nil
	}
	again := *link
	again.GraphID, again.ChangeKey, again.Saved, again.Preview = copied.ID, "", time.Time{}, ""
	again.Updated = r.engine.Now()
	if err := r.engine.Store.Commit(ctx, r.lease, Commit{Links: []Link{again}}); err != nil {
		return nil, fmt.Errorf("recording that somebody is invited to an occurrence again: %w", err)
	}
	return &again, nil
}

// relink has all that this round knows of a series know it by its new link.
func (r *round) relink(recordID int64, link *Link) {
	for _, subject := range r.subjects {
		if subject.link != nil && subject.link.RecordID == recordID && subject.link.Series != nil {
			subject.link, subject.recordID = link, link.RecordID
		}
	}
	for _, subject := range r.series {
		if subject.link != nil && subject.link.RecordID == recordID && subject.link.Series != nil {
			subject.link = link
		}
	}
}

// without is a linked series whose slot of a record has none: an occurrence that both
// sides do without.
func (s *LinkedSeries) without(recordID int64) *LinkedSeries {
	rest := *s
	rest.Occurrences, rest.Exceptions = maps.Clone(s.Occurrences), maps.Clone(s.Exceptions)
	if rest.Exceptions == nil {
		rest.Exceptions = map[Date]LinkedException{}
	}
	for slot, record := range s.Occurrences {
		if record == recordID {
			rest.Occurrences[slot] = 0
			rest.Exceptions[slot] = LinkedException{Cancelled: true}
		}
	}
	return &rest
}

// replacedTime is how long an invitation to an occurrence may be gone before that is
// a refusal: the invitation to the whole series, which takes its place, may be on its
// way.
const replacedTime = 5 * time.Second

// replaced finds invitations to an occurrence that are gone since the series itself
// has come: that is no refusal.
func (r *round) replaced(ctx context.Context) error {
	series := map[string][]*subject{}
	for _, subject := range r.subjects {
		link := subject.link
		if subject.skip || link == nil || !link.Apart || link.Ended || link.Role != RoleAttendee || subject.state.Copy != nil {
			continue
		}
		if uid, _, is := occurrenceOf(link.ICalUID); is {
			series[uid] = append(series[uid], subject)
		}
	}
	if len(series) == 0 {
		return nil
	}
	meetings, err := r.engine.Store.Meetings(ctx, slices.Collect(maps.Keys(series)))
	if err != nil {
		return fmt.Errorf("reading which meetings are known: %w", err)
	}
	links, err := r.engine.Store.Links(ctx, r.lease.Lane, nil, slices.Collect(maps.Values(meetings)))
	if err != nil {
		return fmt.Errorf("reading links: %w", err)
	}
	for _, link := range links {
		if link.Series == nil || link.Ended {
			continue
		}
		for _, subject := range series[link.ICalUID] {
			subject.replaced = true
			r.also = append(r.also, Item{Key: NightPOSKey(link.RecordID), First: r.engine.Now()})
		}
	}
	for _, subjects := range series {
		for _, subject := range subjects {
			r.putOff(subject)
		}
	}
	return nil
}

// putOff has what is not known to be replaced looked at again a moment later.
func (r *round) putOff(subject *subject) {
	now := r.engine.Now()
	if subject.replaced || !slices.ContainsFunc(subject.items, func(item Item) bool { return now.Sub(item.First) < replacedTime }) {
		return
	}
	subject.skip = true
	for _, item := range subject.items {
		r.retry(item, replacedTime, "")
	}
}
