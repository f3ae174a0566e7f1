package reconciler

import (
	"slices"
	"time"
)

// Normal is the canonical form of a rule, for comparing: two rules with Equal
// normal forms have the same slots. Start is the first slot, an end is the date
// of the last one, and of several ways to say one thing (seven days each week and
// every day; twelve months and a year; the last day and the 31st, clamped) one
// is chosen. A rule that Validate refuses is returned as it is.
func (r Rule) Normal() Rule {
	first, ok := r.first()
	if !ok {
		return r
	}
	r.Start = first
	if last, ends := r.Last(); ends {
		r.Count, r.Until = 0, last
	}
	switch r.Frequency {
	case Daily:
		if r.Interval%7 == 0 {
			r.Frequency, r.Interval, r.Weekdays = Weekly, r.Interval/7, []time.Weekday{first.Weekday()}
		}
	case Weekly:
		if len(r.Weekdays) == 7 && r.Interval == 1 {
			r.Frequency, r.Weekdays = Daily, nil
		}
	default:
		r = r.normalMonth()
	}
	r.Clamp = r.Clamp && r.MonthDay > shortestMonth
	r.Weekdays = slices.Clone(r.Weekdays)
	r.FirstWeekday = r.normalFirstWeekday()
	return r
}

// normalFirstWeekday is the first of the rule's days in a week where that
// matters: a week that begins on the days before it is cut the same way.
func (r Rule) normalFirstWeekday() time.Weekday {
	if r.Frequency != Weekly || r.Interval == 1 || len(r.Weekdays) < 2 {
		return time.Sunday
	}
	day := r.FirstWeekday
	for !slices.Contains(r.Weekdays, day) {
		day = shiftWeekday(day, 1)
	}
	return day
}

// normalMonth chooses among the ways to say a monthly or yearly rule. Start is
// the first slot by now.
func (r Rule) normalMonth() Rule {
	if len(r.Weekdays) == 7 {
		// The n-th day of any kind is the n-th of the month.
		r.MonthDay, r.Weekdays, r.Position, r.Clamp = r.Position, nil, 0, false
	}
	months := r.Interval
	if r.Frequency == Yearly {
		months *= 12
	}
	visited := visitedMonths(r.Start.Month, months)
	if r.Position == 0 {
		r.normalMonthDay(visited)
		if r.MonthDay > shortestMonth && !r.Clamp {
			visited = slices.DeleteFunc(visited, func(month time.Month) bool { return LongestMonth(month) < r.MonthDay })
		}
	}
	if len(visited) == 1 {
		// Twelve months, or a number of them whose other stops never have the day.
		r.Frequency, r.Month, r.Interval = Yearly, visited[0], leastCommonMultiple(months, 12)/12
		if leap := leastCommonMultiple(r.Interval, 4); r.Month == time.February && r.MonthDay == 29 && !r.Clamp && leap <= MaxInterval {
			r.Interval = leap
		}
		return r
	}
	r.Frequency, r.Month, r.Interval = Monthly, 0, months
	return r
}

// normalMonthDay chooses among the ways to say a day of the months visited.
func (r *Rule) normalMonthDay(visited []time.Month) {
	shortest, longest := 31, shortestMonth
	for _, month := range visited {
		if month == time.February {
			shortest = shortestMonth
		} else {
			shortest = min(shortest, LongestMonth(month))
		}
		longest = max(longest, LongestMonth(month))
	}
	if r.Clamp && r.MonthDay >= longest {
		r.MonthDay = LastDay
	}
	if r.MonthDay == LastDay && shortest == longest {
		r.MonthDay = longest
	}
	if r.MonthDay <= shortest {
		r.Clamp = false
	}
}

// visitedMonths are those that a rule reaches which starts in one and takes so
// many months a step.
func visitedMonths(start time.Month, step int) []time.Month {
	var visited []time.Month
	for month := start; !slices.Contains(visited, month); month = (month-1+time.Month(step%12))%12 + 1 {
		visited = append(visited, month)
	}
	return visited
}

// LongestMonth is how many days a month has in a leap year.
func LongestMonth(month time.Month) int { return daysIn(2000, month) }

func leastCommonMultiple(a, b int) int {
	x, y := a, b
	for y != 0 {
		x, y = y, x%y
	}
	return a / x * b
}

// Same says whether two rules have the same slots. Of rules with an end the
// slots themselves decide, of rules without the normal forms.
func (r Rule) Same(other Rule) bool {
	if r.Endless() != other.Endless() {
		return false
	}
	left, right := r.Normal(), other.Normal()
	if left.Equal(right) {
		return true
	}
	if r.Endless() || left.Start != right.Start || left.Until != right.Until {
		return false
	}
	// Both are finite, and compared in portions because most differ early.
	for from := left.Start; !from.After(left.Until); {
		mine, theirs := left.Slots(from, Date{}, samePortion), right.Slots(from, Date{}, samePortion)
		if !slices.Equal(mine, theirs) {
			return false
		}
		if len(mine) == 0 {
			return true
		}
		from = mine[len(mine)-1].Add(1)
	}
	return true
}

const samePortion = 64

func shiftWeekday(day time.Weekday, days int) time.Weekday {
	return ((day+time.Weekday(days%7))%7 + 7) % 7
}

func sortedDays(days []time.Weekday) []time.Weekday {
	if len(days) == 0 {
		return nil
	}
	slices.Sort(days)
	return slices.Compact(days)
}
