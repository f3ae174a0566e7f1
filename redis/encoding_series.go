package redis

import (
	"encoding/binary"
	"encoding/json"
	"slices"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// What a link of extendedVersion has.
const (
	hasApart = 1 << iota
	hasSeries
)

// What an exception has.
const (
	isCancelled = 1 << iota
	inOutlookOnly
	inNightPOSOnly
)

func exceptionFlags(exception reconciler.LinkedException) byte {
	flags := byte(0)
	if exception.Cancelled {
		flags |= isCancelled
	}
	switch exception.Lone {
	case reconciler.SideOutlook:
		flags |= inOutlookOnly
	case reconciler.SideNightPOS:
		flags |= inNightPOSOnly
	}
	return flags
}

// seriesHead is the part of a series' link that every series has once.
type seriesHead struct {
	RecurrenceID int64           `json:"id"`
	Rule         reconciler.Rule `json:"rule"`
	First        reconciler.When `json:"first"`
	From         reconciler.Date `json:"from"`
	To           reconciler.Date `json:"to"`
}

// appendSeries writes the head as JSON and then, compactly, since there may be
// 720, the occurrences and the exceptions, by ascending slot: each slot in days
// after the one before, each record as the difference to the one before.
func appendSeries(out []byte, link reconciler.Link) []byte {
	flags := byte(0)
	if link.Apart {
		flags |= hasApart
	}
	if link.Series == nil {
		return append(out, flags)
	}
	series := link.Series
	out = append(out, flags|hasSeries)
	head, err := json.Marshal(seriesHead{RecurrenceID: series.RecurrenceID, Rule: series.Rule, First: series.First, From: series.From, To: series.To})
	if err != nil {
		// A struct of numbers, dates and texts has a JSON form.
		panic(err)
	}
	out = appendText(out, head)
	out = binary.AppendUvarint(out, uint64(len(series.Occurrences)))
	day, record := int64(0), int64(0)
	for _, slot := range slots(series.Occurrences) {
		out = binary.AppendVarint(out, days(slot)-day)
		out = binary.AppendVarint(out, series.Occurrences[slot]-record)
		day, record = days(slot), series.Occurrences[slot]
	}
	out = binary.AppendUvarint(out, uint64(len(series.Exceptions)))
	day = 0
	for _, slot := range slots(series.Exceptions) {
		exception := series.Exceptions[slot]
		out = binary.AppendVarint(out, days(slot)-day)
		day = days(slot)
		out = append(out, exceptionFlags(exception))
		out = appendBase(appendBase(out, exception.Outlook), exception.NightPOS)
	}
	return out
}

func (r *reader) series(link *reconciler.Link) {
	flags := r.byte()
	link.Apart = flags&hasApart != 0
	if flags&hasSeries == 0 {
		return
	}
	var head seriesHead
	if err := json.Unmarshal(r.text(), &head); err != nil {
		r.err = errLink
		return
	}
	series := &reconciler.LinkedSeries{
		RecurrenceID: head.RecurrenceID, Rule: head.Rule, First: head.First, From: head.From, To: head.To,
		Occurrences: map[reconciler.Date]int64{}, Exceptions: map[reconciler.Date]reconciler.LinkedException{},
	}
	day, record := int64(0), int64(0)
	for count := r.uvarint(); count > 0 && r.err == nil; count-- {
		day, record = day+r.varint(), record+r.varint()
		series.Occurrences[dateOf(day)] = record
	}
	day = 0
	for count := r.uvarint(); count > 0 && r.err == nil; count-- {
		day += r.varint()
		flags := r.byte()
		exception := reconciler.LinkedException{Cancelled: flags&isCancelled != 0, Outlook: r.base(), NightPOS: r.base()}
		switch {
		case flags&inOutlookOnly != 0:
			exception.Lone = reconciler.SideOutlook
		case flags&inNightPOSOnly != 0:
			exception.Lone = reconciler.SideNightPOS
		}
		series.Exceptions[dateOf(day)] = exception
	}
	link.Series = series
}

func slots[Value any](of map[reconciler.Date]Value) []reconciler.Date {
	found := make([]reconciler.Date, 0, len(of))
	for slot := range of {
		found = append(found, slot)
	}
	slices.SortFunc(found, func(a, b reconciler.Date) int { return int(days(a) - days(b)) })
	return found
}

const secondsOfDay = 24 * 60 * 60

// days counts from 1970-01-01.
func days(date reconciler.Date) int64 { return date.Midnight().Unix() / secondsOfDay }

func dateOf(days int64) reconciler.Date {
	return reconciler.DateOf(time.Unix(days*secondsOfDay, 0).UTC())
}
