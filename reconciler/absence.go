package reconciler

import (
	"errors"
	"slices"
	"strings"
	"time"
)

// Graph now and then does not find an event that it shows again a moment later. A
// half that is taken for gone and is not would take the other half with it, or come
// back with the next sweep as something new. So each half of a linked pair is
// believed to be gone once a hint has said that this very half was deleted, or once
// two looks in a row have missed it, whatever is known of the other half.

// confirmAfter is how long after a half was first not found it is looked for again
// before its absence is believed.
const confirmAfter = 300 * time.Millisecond

// missedReasons are why an item waits for the second look. By them that look knows
// what the first one missed.
var missedReasons = map[Side]string{
	SideOutlook:  "not found in Outlook; it is looked for again before that is believed",
	SideNightPOS: "not found in NightPOS; it is looked for again before that is believed",
}

// doubts are why it may not be believed yet that these halves of a linked pair are
// gone; empty when it may.
func doubts(link *Link, items []Item, missing []Side) string {
	if link == nil || link.Ended || link.GraphID == "" {
		return ""
	}
	var reasons []string
	certain := true
	for _, side := range missing {
		reasons = append(reasons, missedReasons[side])
		certain = certain && slices.ContainsFunc(items, func(item Item) bool { return item.misses(side) })
	}
	if certain {
		return ""
	}
	return strings.Join(reasons, ", ")
}

// misses says that the hint told of the deletion of its half, which is on that side,
// or that the look before this one did not find that half.
func (i Item) misses(side Side) bool {
	of, _, _ := ParseKey(i.Key)
	return of == side && i.Version == VersionDeleted || strings.Contains(i.Reason, missedReasons[side])
}

// confirmed says whether what is missing of a subject may be taken for gone.
// Otherwise its hints are put back for the second look.
func (r *round) confirmed(subject *subject) bool {
	return r.confirm(subject.link, subject.items, subject.state.Copy == nil, subject.state.Record == nil)
}

// confirmedSeries is confirmed for series.
func (w *seriesWork) confirmedSeries(subject *seriesSubject) bool {
	return w.confirm(subject.link, subject.items, subject.state.Series == nil, subject.state.Recurrence == nil)
}

func (r *round) confirm(link *Link, items []Item, noCopy, noRecord bool) bool {
	var missing []Side
	if noCopy {
		missing = append(missing, SideOutlook)
	}
	if noRecord {
		missing = append(missing, SideNightPOS)
	}
	reason := doubts(link, items, missing)
	if reason == "" {
		return true
	}
	for _, item := range items {
		r.retry(item, confirmAfter, reason)
	}
	return false
}

// A deletion that is refused is still what a person wants, and nobody does it again:
// on the side where it was done nothing is left to be changed. So it is tried again,
// after a minute and then at pauses that grow with its age.
const (
	leastInsistence = time.Minute
	mostInsistence  = 6 * time.Hour
)

// insistence is how long after a refusal the deletion that an item asks for is tried
// again. What waited long before it was first tried does not wait long again.
func (e *Engine) insistence(item Item) time.Duration {
	byAge := max(e.Now().Sub(item.First), leastInsistence)
	byAttempts := leastInsistence << min(item.Attempts, 9)
	return e.pace(min(byAge, byAttempts, mostInsistence))
}

// refused concludes a hint whose write was refused: it is done, until the event
// changes or a sweep finds it, unless the write was a deletion.
func (r *round) refused(item Item, err error, deletes bool) {
	r.engine.Observer.Failed("refused")
	if !deletes {
		r.done(item.Key)
		return
	}
	r.retry(item, r.engine.insistence(item), failure(err, true))
}

// triedAgain ends what is said about a deletion that was refused.
const triedAgain = "; the deletion is tried again"

// failure is what the activity log says about writes that failed.
func failure(err error, deletes bool) string {
	if deletes && isRefusal(err) {
		return err.Error() + triedAgain
	}
	return err.Error()
}

// isRefusal says that a server refused a write for good.
func isRefusal(err error) bool {
	var refused *RefusedError
	return errors.As(err, &refused)
}

// deletes says that the plan takes the meeting away from a side.
func (p Plan) deletes() bool {
	return p.Outlook != nil && p.Outlook.Action == ActionDelete || p.NightPOS != nil && p.NightPOS.Action == ActionArchive
}

// deletes says that the plan takes the series as a whole away from a side.
func (p SeriesPlan) deletes() bool {
	return p.Copy != nil && p.Copy.Action == ActionDelete || p.Record != nil && p.keep == fateEnd && p.Record.action() == ActionArchive
}
