package reconciler

import "slices"

// FitRule brings a rule's end in line with the occurrences that there are:
// NightPOS leaves the count as it was when last occurrences are deleted, and
// sets a last date before the last occurrence where a series is cut in the
// middle of a week. The fitted rule's last slot is the last of the given dates;
// a count stays a count, a last date stays one, and a rule without an end keeps
// none. Missing are the fitted rule's slots without a date (deleted
// occurrences; for a rule without an end, those before the last date), extra the
// dates that are no slots, both in order. Dates may come in any order and more
// than once. Where none of them is a slot, the rule is returned as it is with
// every date as extra, and nothing counts as missing.
func FitRule(rule Rule, dates []Date) (fitted Rule, missing, extra []Date) {
	dates = slices.Clone(dates)
	slices.SortFunc(dates, Date.Compare)
	dates = slices.Compact(dates)
	if len(dates) == 0 {
		return rule, nil, nil
	}
	pattern := rule
	pattern.Count, pattern.Until = 0, Date{}
	// What is missing counts only once a later date is found on a slot.
	var last Date
	count, open := 0, []Date(nil)
	rest := dates
	pattern.walk(Date{}, func(slot Date) bool {
		for len(rest) > 0 && rest[0].Before(slot) {
			extra = append(extra, rest[0])
			rest = rest[1:]
		}
		if len(rest) == 0 {
			return false
		}
		open = append(open, slot)
		if rest[0] == slot {
			rest = rest[1:]
			last, count = slot, count+len(open)
			missing, open = append(missing, open[:len(open)-1]...), nil
		}
		return true
	})
	extra = append(extra, rest...)
	if last.IsZero() {
		return rule, nil, extra
	}
	switch {
	case rule.Count > 0:
		rule.Count = count
	case !rule.Until.IsZero():
		rule.Until = last
	}
	return rule, missing, extra
}
