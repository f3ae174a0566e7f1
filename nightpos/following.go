package nightpos

import (
	"slices"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// following knows which times are those of a rule.
type following struct {
	slots map[reconciler.Date]bool
	first reconciler.When
}

// newFollowing is about the rule that holds after a write: the one written, or
// else the one that stands, from a record that follows it.
func newFollowing(write reconciler.SeriesRecordWrite) following {
	var rule reconciler.Rule
	var f following
	switch current := write.Current; {
	case write.Rule != nil:
		rule, f.first = *write.Rule, write.First
	case current != nil && current.Refused == "":
		rule = current.Rule
		for _, record := range current.Occurrences {
			if follows(record) && !record.Archived {
				f.first = record.Event.When
				break
			}
		}
	}
	f.first.Zone = zoneOfWrite(write)
	f.slots = map[reconciler.Date]bool{}
	for _, slot := range rule.Slots(reconciler.Date{}, reconciler.Date{}, mostUntil) {
		f.slots[slot] = true
	}
	return f
}

// follows says whether NightPOS counts a record as one that keeps to its rule.
func follows(record reconciler.Record) bool {
	rows, known := record.Raw.(rowsOfRecord)
	return known && rows.event.Follows
}

// has says whether the time of a write is that of a slot. Where nothing is known
// about the rule, a record stays what it was.
func (f following) has(write reconciler.RecordWrite) bool {
	if len(f.slots) == 0 || f.first.Start.IsZero() {
		return write.Current != nil && follows(*write.Current)
	}
	when := write.Event.When
	when.Zone = f.first.Zone
	slot := reconciler.SlotDate(when)
	regular := reconciler.SlotTime(slot, f.first)
	return f.slots[slot] && when.AllDay == regular.AllDay && when.Start.Equal(regular.Start) && when.End.Equal(regular.End)
}

// place is where a record stands after a write.
type place struct {
	id       int64
	when     reconciler.When
	archived bool
}

// placesAfter are the records of a series after a write, those that it makes or
// that join without a word about their time excepted.
func placesAfter(write reconciler.SeriesRecordWrite) []place {
	var places []place
	if write.Current != nil && write.ID != 0 {
		for _, record := range write.Current.Occurrences {
			if !slices.Contains(write.Leave, record.ID) {
				places = append(places, place{record.ID, record.Event.When, record.Archived})
			}
		}
	}
	for _, update := range write.Writes {
		index := slices.IndexFunc(places, func(one place) bool { return one.id == update.ID })
		if index < 0 {
			if !slices.Contains(write.Join, update.ID) || update.Current == nil {
				continue
			}
			index = len(places)
			places = append(places, place{update.ID, update.Current.Event.When, update.Current.Archived})
		}
		if update.Fields.Has(reconciler.FieldWhen) {
			places[index].when = update.Event.When
		}
		switch update.Action {
		case reconciler.ActionArchive:
			places[index].archived = true
		case reconciler.ActionUnarchive:
			places[index].archived = false
		}
	}
	places = slices.DeleteFunc(places, func(one place) bool { return one.archived })
	slices.SortStableFunc(places, func(a, b place) int { return a.when.Start.Compare(b.when.Start) })
	return places
}

// baseOf is the record that a write makes the base; zero where the base stays, or
// is the first of those created.
func baseOf(write reconciler.SeriesRecordWrite) int64 {
	if write.ID == 0 {
		if write.BaseID == 0 && len(write.Create) == 0 && len(write.Join) > 0 {
			return write.Join[0]
		}
		return write.BaseID
	}
	if write.Current == nil {
		return 0
	}
	places := placesAfter(write)
	stays := slices.ContainsFunc(places, func(one place) bool { return one.id == write.Current.BaseID })
	if stays || len(places) == 0 {
		return 0
	}
	return places[0].id
}

// beginsWithRule says whether the first record after a write stands on the rule's
// first slot.
func beginsWithRule(write reconciler.SeriesRecordWrite, zone string) bool {
	places := placesAfter(write)
	for _, event := range write.Create {
		places = append(places, place{when: event.When})
	}
	slices.SortStableFunc(places, func(a, b place) int { return a.when.Start.Compare(b.when.Start) })
	base := func(one place) bool { return one.id == write.BaseID }
	if len(places) == 0 || slices.Contains(write.Join, write.BaseID) && !slices.ContainsFunc(places, base) {
		// One that joins says nothing about its time; a base is the first.
		return true
	}
	when := places[0].when
	when.Zone = zone
	return reconciler.SlotDate(when) == write.Rule.Normal().Start
}
