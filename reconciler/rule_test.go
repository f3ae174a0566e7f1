package reconciler_test

import (
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/nightpos/outlook-gateway/reconciler"
)

func date(text string) reconciler.Date {
	parsed, err := reconciler.ParseDate(text)
	if err != nil {
		panic(err)
	}
	return parsed
}

func dates(texts ...string) []reconciler.Date {
	var list []reconciler.Date
	for _, text := range texts {
		list = append(list, date(text))
	}
	return list
}

// always is a window without bounds.
var always reconciler.Date

const (
	sunday    = time.Sunday
	monday    = time.Monday
	tuesday   = time.Tuesday
	wednesday = time.Wednesday
	friday    = time.Friday
	saturday  = time.Saturday
)

func days(list ...time.Weekday) []time.Weekday { return list }

func daily(interval int, start string) reconciler.Rule {
	return reconciler.Rule{Frequency: reconciler.Daily, Interval: interval, Start: date(start)}
}

func weekly(interval int, first time.Weekday, on []time.Weekday, start string) reconciler.Rule {
	return reconciler.Rule{Frequency: reconciler.Weekly, Interval: interval, Weekdays: on, FirstWeekday: first, Start: date(start)}
}

func monthly(interval, day int, clamp bool, start string) reconciler.Rule {
	return reconciler.Rule{Frequency: reconciler.Monthly, Interval: interval, MonthDay: day, Clamp: clamp, Start: date(start)}
}

func monthlyOn(interval, position int, on []time.Weekday, start string) reconciler.Rule {
	return reconciler.Rule{Frequency: reconciler.Monthly, Interval: interval, Position: position, Weekdays: on, Start: date(start)}
}

func yearly(interval int, month time.Month, day int, clamp bool, start string) reconciler.Rule {
	return reconciler.Rule{Frequency: reconciler.Yearly, Interval: interval, Month: month, MonthDay: day, Clamp: clamp, Start: date(start)}
}

func counted(rule reconciler.Rule, count int) reconciler.Rule {
	rule.Count = count
	return rule
}

func until(rule reconciler.Rule, last string) reconciler.Rule {
	rule.Until = date(last)
	return rule
}

func TestSlots(t *testing.T) {
	for name, test := range map[string]struct {
		rule reconciler.Rule
		want []reconciler.Date
	}{
		"every third day": {daily(3, "2027-01-11"), dates("2027-01-11", "2027-01-14", "2027-01-17")},
		"two weeks that begin on Sunday": {
			weekly(2, sunday, days(sunday, monday), "2027-01-11"), dates("2027-01-11", "2027-01-24", "2027-01-25"),
		},
		"two weeks that begin on Monday": {
			weekly(2, monday, days(sunday, monday), "2027-01-11"), dates("2027-01-11", "2027-01-17", "2027-01-25"),
		},
		"the 31st, left out":        {monthly(1, 31, false, "2027-01-31"), dates("2027-01-31", "2027-03-31", "2027-05-31")},
		"the 31st, clamped":         {monthly(1, 31, true, "2027-01-31"), dates("2027-01-31", "2027-02-28", "2027-03-31")},
		"the 30th, clamped":         {monthly(1, 30, true, "2028-01-01"), dates("2028-01-30", "2028-02-29", "2028-03-30")},
		"the last day":              {monthly(1, reconciler.LastDay, false, "2027-02-01"), dates("2027-02-28", "2027-03-31", "2027-04-30")},
		"the last weekday":          {monthlyOn(1, reconciler.LastPosition, days(1, 2, 3, 4, 5), "2027-01-01"), dates("2027-01-29", "2027-02-26", "2027-03-31")},
		"the first of two weekdays": {monthlyOn(1, 1, days(4, 5), "2027-01-01"), dates("2027-01-01", "2027-02-04", "2027-03-04")},
		"begins after its position": {monthlyOn(1, 1, days(1, 2, 3, 4, 5), "2027-01-04"), dates("2027-02-01", "2027-03-01", "2027-04-01")},
		"leap days":                 {yearly(1, time.February, 29, false, "2096-01-01"), dates("2096-02-29", "2104-02-29", "2108-02-29")},
		"leap days, clamped":        {yearly(1, time.February, 29, true, "2028-01-01"), dates("2028-02-29", "2029-02-28", "2030-02-28")},
		"centuries away":            {yearly(400, time.July, 4, false, "1976-01-01"), dates("1976-07-04", "2376-07-04", "2776-07-04")},
		"a count that is used up":   {counted(daily(1, "2027-01-11"), 2), dates("2027-01-11", "2027-01-12")},
		"a last date":               {until(weekly(1, monday, days(monday), "2027-01-12"), "2027-01-25"), dates("2027-01-18", "2027-01-25")},
	} {
		t.Run(name, func(t *testing.T) {
			if err := test.rule.Validate(); err != nil {
				t.Fatal(err)
			}
			if difference := cmp.Diff(test.want, test.rule.Slots(always, always, 3)); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// TestOneMeaning holds the ways to say one thing against each other.
func TestOneMeaning(t *testing.T) {
	for name, pair := range map[string][2]reconciler.Rule{
		"twelve months and a year":       {monthly(24, 15, false, "2027-02-15"), yearly(2, time.February, 15, false, "2027-02-15")},
		"seven days and a week":          {daily(14, "2027-01-11"), weekly(2, sunday, days(monday), "2027-01-11")},
		"all weekdays and every day":     {weekly(1, monday, days(0, 1, 2, 3, 4, 5, 6), "2027-01-11"), daily(1, "2027-01-11")},
		"31, clamped, and the last day":  {monthly(1, 31, true, "2027-01-31"), monthly(1, reconciler.LastDay, false, "2027-01-31")},
		"the last of any weekday":        {monthlyOn(1, reconciler.LastPosition, days(0, 1, 2, 3, 4, 5, 6), "2027-01-01"), monthly(1, reconciler.LastDay, false, "2027-01-31")},
		"the third of any weekday":       {monthlyOn(1, 3, days(0, 1, 2, 3, 4, 5, 6), "2027-01-01"), monthly(1, 3, true, "2027-01-03")},
		"months of one length":           {yearly(1, time.April, reconciler.LastDay, false, "2027-04-30"), monthly(12, 30, false, "2027-04-30")},
		"stops that never have the day":  {monthly(6, 31, false, "2027-08-31"), yearly(1, time.August, 31, false, "2027-08-31")},
		"leap days of every second year": {yearly(2, time.February, 29, false, "2028-02-29"), yearly(1, time.February, 29, false, "2028-02-29")},
		"no clamp needed":                {monthly(12, 31, true, "2027-07-31"), monthly(12, 31, false, "2027-07-31")},
		"weeks cut at the same place":    {weekly(2, sunday, days(monday, wednesday), "2027-01-11"), weekly(2, monday, days(monday, wednesday), "2027-01-11")},
		"a start before the first slot":  {weekly(1, sunday, days(friday), "2027-01-11"), weekly(1, sunday, days(friday), "2027-01-15")},
		"a count and a last date":        {counted(daily(2, "2027-01-11"), 3), until(daily(2, "2027-01-11"), "2027-01-16")},
		"one occurrence":                 {counted(monthly(1, 31, true, "2027-01-31"), 1), until(daily(1, "2027-01-31"), "2027-01-31")},
		"months that have the day":       {counted(monthly(1, 31, true, "2027-07-31"), 2), counted(monthly(1, 31, false, "2027-07-31"), 2)},
	} {
		t.Run(name, func(t *testing.T) {
			if !pair[0].Same(pair[1]) || !pair[1].Same(pair[0]) {
				t.Errorf("%s and %s count as different", pair[0].Describe(), pair[1].Describe())
			}
		})
	}
	for name, pair := range map[string][2]reconciler.Rule{
		"clamped or not":              {monthly(1, 31, true, "2027-01-31"), monthly(1, 31, false, "2027-01-31")},
		"weeks cut at another place":  {weekly(2, sunday, days(sunday, monday), "2027-01-11"), weekly(2, monday, days(sunday, monday), "2027-01-11")},
		"an end or none":              {counted(daily(1, "2027-01-11"), 720), daily(1, "2027-01-11")},
		"another start":               {daily(1, "2027-01-11"), daily(1, "2027-01-12")},
		"the same ends, other middle": {counted(daily(2, "2027-01-11"), 4), counted(daily(3, "2027-01-11"), 3)},
		"a long run, another end":     {counted(daily(1, "2027-01-11"), 700), counted(daily(1, "2027-01-11"), 701)},
	} {
		t.Run(name, func(t *testing.T) {
			if pair[0].Same(pair[1]) || pair[1].Same(pair[0]) {
				t.Errorf("%s and %s count as the same", pair[0].Describe(), pair[1].Describe())
			}
		})
	}
}

func TestInvalidRules(t *testing.T) {
	for name, rule := range map[string]reconciler.Rule{
		"nothing":               {},
		"no interval":           daily(0, "2027-01-11"),
		"no such date":          {Frequency: reconciler.Daily, Interval: 1, Start: reconciler.Date{Year: 2027, Month: 2, Day: 30}},
		"a week without days":   weekly(1, monday, nil, "2027-01-11"),
		"days twice":            weekly(1, monday, days(monday, monday), "2027-01-11"),
		"a fifth position":      monthlyOn(1, 5, days(monday), "2027-01-11"),
		"day 32":                monthly(1, 32, false, "2027-01-11"),
		"a million times":       counted(daily(1, "2027-01-11"), 1_000_000),
		"two ends":              until(counted(daily(1, "2027-01-11"), 3), "2027-01-12"),
		"30th of February":      yearly(1, time.February, 30, false, "2027-01-11"),
		"an end before it all":  until(daily(1, "2027-01-11"), "2027-01-10"),
		"leap days never met":   yearly(4, time.February, 29, false, "2027-01-01"),
		"a year without month":  yearly(1, 0, 3, false, "2027-01-11"),
		"a month's day twofold": {Frequency: reconciler.Monthly, Interval: 1, MonthDay: 1, Position: 1, Weekdays: days(monday), Start: date("2027-01-11")},
	} {
		t.Run(name, func(t *testing.T) {
			if rule.Validate() == nil {
				t.Errorf("%s counts as a rule", rule.Describe())
			}
			if slots := rule.Slots(always, always, 3); len(slots) > 0 {
				t.Errorf("it has the slots %v", slots)
			}
			if _, ok := rule.Last(); ok {
				t.Error("it has a last slot")
			}
		})
	}
}

func TestDescribe(t *testing.T) {
	for want, rule := range map[string]reconciler.Rule{
		"every day from 2027-01-11": daily(1, "2027-01-11"),
		"every 2 weeks on Monday, Wednesday and Friday from 2027-01-11, 6 times": counted(weekly(2, monday, days(monday, wednesday, friday), "2027-01-11"), 6),
		"every month on the last Monday or Tuesday from 2027-01-11, once":        counted(monthlyOn(1, reconciler.LastPosition, days(monday, tuesday), "2027-01-11"), 1),
		"every month on day 31 or the month's last from 2027-01-11":              monthly(1, 31, true, "2027-01-11"),
		"every year on the last day of February from 2027-01-11 until 2030-01-01": until(
			yearly(1, time.February, reconciler.LastDay, false, "2027-01-11"), "2030-01-01"),
	} {
		if got := rule.Describe(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// rules are any that have a slot.
var rules = rapid.Custom(func(t *rapid.T) reconciler.Rule {
	rule := reconciler.Rule{
		Interval:     rapid.IntRange(1, 14).Draw(t, "interval"),
		FirstWeekday: time.Weekday(rapid.IntRange(0, 6).Draw(t, "week start")),
		Start:        date("2024-01-01").Add(rapid.IntRange(0, 3000).Draw(t, "start")),
		Frequency:    rapid.SampledFrom([]reconciler.Frequency{reconciler.Daily, reconciler.Weekly, reconciler.Monthly, reconciler.Yearly}).Draw(t, "frequency"),
	}
	byDay := rule.Frequency == reconciler.Weekly
	if rule.Frequency == reconciler.Monthly || rule.Frequency == reconciler.Yearly {
		if byDay = rapid.Bool().Draw(t, "by position"); byDay {
			rule.Position = rapid.SampledFrom([]int{1, 2, 3, 4, reconciler.LastPosition}).Draw(t, "position")
		} else {
			rule.MonthDay = rapid.SampledFrom([]int{1, 15, 28, 29, 30, 31, reconciler.LastDay}).Draw(t, "day")
			rule.Clamp = rapid.Bool().Draw(t, "clamp")
		}
	}
	if byDay {
		for day := sunday; day <= saturday; day++ {
			if rapid.Bool().Draw(t, day.String()) {
				rule.Weekdays = append(rule.Weekdays, day)
			}
		}
	}
	if rule.Frequency == reconciler.Yearly {
		rule.Month = time.Month(rapid.IntRange(1, 12).Draw(t, "month"))
	}
	switch rapid.IntRange(0, 2).Draw(t, "end") {
	case 1:
		rule.Count = rapid.IntRange(1, 30).Draw(t, "count")
	case 2:
		rule.Until = rule.Start.Add(rapid.IntRange(0, 5000).Draw(t, "until"))
	}
	return rule
}).Filter(func(rule reconciler.Rule) bool { return rule.Validate() == nil })

// most is as many slots as the properties look at.
const most = 80

// TestRuleLaws holds what the methods of a rule promise against its slots, or,
// where something changes, against those before.
func TestRuleLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := rules.Draw(t, "rule")
		slots := rule.Slots(always, always, most)
		normal := rule.Normal()
		if got := normal.Slots(always, always, most); !slices.Equal(got, slots) {
			t.Fatalf("the normal form %+v has the slots %v, not %v", normal, got, slots)
		}
		if !normal.Normal().Equal(normal) || !normal.Same(rule) || normal.Start != slots[0] {
			t.Fatalf("the normal form %+v has another: %+v", normal, normal.Normal())
		}
		last, ends := rule.Last()
		if ends == rule.Endless() || ends && len(slots) < most && last != slots[len(slots)-1] {
			t.Fatalf("the last slot of %v counts as %v", slots, last)
		}
		cut := rapid.IntRange(0, len(slots)-1).Draw(t, "cut")
		// Anywhere from the slot before to the cut itself means the same.
		from := slots[cut]
		if cut > 0 {
			from = slots[cut-1].Add(rapid.IntRange(1, slots[cut].Since(slots[cut-1])).Draw(t, "from"))
		}
		rest, ok := rule.StartingAt(from)
		if got := rest.Slots(always, always, most-cut); !ok || !slices.Equal(got, slots[cut:]) {
			t.Fatalf("from %v on, %v is left of %v", from, got, slots)
		}
		if got := rule.Slots(from, always, most-cut); !slices.Equal(got, slots[cut:]) {
			t.Fatalf("from %v on there are %v of %v", from, got, slots)
		}
		ended, ok := rule.EndingAt(slots[cut])
		if got := ended.Slots(always, always, most); !ok || !slices.Equal(got, slots[:cut+1]) {
			t.Fatalf("until %v, %v is left of %v", slots[cut], got, slots)
		}
		if _, ok := rule.EndingAt(slots[0].Add(-1)); ok {
			t.Fatal("something is left before the first slot")
		}
		if !rule.Includes(slots[cut]) || cut > 0 && from != slots[cut] && rule.Includes(from) {
			t.Fatalf("%v or %v counts wrongly among %v", slots[cut], from, slots)
		}
		shift := rapid.IntRange(-9, 9).Draw(t, "shift")
		if shifted, ok := rule.Shift(shift); ok {
			var want []reconciler.Date
			for _, slot := range slots {
				want = append(want, slot.Add(shift))
			}
			if got := shifted.Slots(always, always, most); !slices.Equal(got, want) {
				t.Fatalf("%d days on, %s has the slots %v, not %v", shift, shifted.Describe(), got, want)
			}
		} else if rule.Frequency == reconciler.Daily || rule.Frequency == reconciler.Weekly {
			t.Fatalf("%s cannot be shifted", rule.Describe())
		}
	})
}

// TestSameIsExact holds Same against the slots, over so many that endless rules
// that differ at all have differed: two leap years and all intervals drawn.
func TestSameIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		left := rules.Draw(t, "left")
		right := left
		// Mostly the same but for one thing, since two random rules differ.
		switch rapid.IntRange(0, 5).Draw(t, "change") {
		case 0:
			right.Clamp = !right.Clamp
		case 1:
			right.FirstWeekday = time.Weekday(rapid.IntRange(0, 6).Draw(t, "week start"))
		case 2:
			right.Interval = rapid.IntRange(1, 28).Draw(t, "interval")
		case 3:
			right.Start = right.Normal().Start
		case 4:
			if right.Frequency == reconciler.Yearly {
				right.Start, right.Frequency, right.Interval, right.Month = right.Normal().Start, reconciler.Monthly, 12*right.Interval, 0
			}
		case 5:
			right = rules.Draw(t, "right")
		}
		if right.Validate() != nil {
			t.Skip("what was changed made it a rule without occurrences")
		}
		const far = 700
		equal := left.Endless() == right.Endless() && slices.Equal(left.Slots(always, always, far), right.Slots(always, always, far))
		if left.Same(right) != equal {
			t.Fatalf("%s and %s: Same says %v\n%+v\n%+v", left.Describe(), right.Describe(), !equal, left.Normal(), right.Normal())
		}
	})
}

func TestFitRule(t *testing.T) {
	mondays := weekly(1, sunday, days(monday), "2027-01-11")
	both := weekly(1, sunday, days(monday, wednesday), "2027-01-11")
	for name, test := range map[string]struct {
		rule, fitted            reconciler.Rule
		dates, missing, surplus []reconciler.Date
	}{
		"as it stands":        {counted(mondays, 2), counted(mondays, 2), dates("2027-01-18", "2027-01-11"), nil, nil},
		"the first deleted":   {counted(mondays, 3), counted(mondays, 3), dates("2027-01-18", "2027-01-25"), dates("2027-01-11"), nil},
		"the last deleted":    {counted(mondays, 3), counted(mondays, 2), dates("2027-01-11", "2027-01-18"), nil, nil},
		"cut in mid-week":     {until(both, "2027-01-16"), until(both, "2027-01-18"), dates("2027-01-11", "2027-01-13", "2027-01-18"), nil, nil},
		"a date beside":       {counted(mondays, 2), counted(mondays, 2), dates("2027-01-11", "2027-01-12", "2027-01-18", "2027-02-02"), nil, dates("2027-01-12", "2027-02-02")},
		"a date before":       {counted(mondays, 1), counted(mondays, 1), dates("2027-01-04", "2027-01-11"), nil, dates("2027-01-04")},
		"twice the same":      {until(mondays, "2027-03-01"), until(mondays, "2027-01-18"), dates("2027-01-18", "2027-01-11", "2027-01-11"), nil, nil},
		"without an end":      {mondays, mondays, dates("2027-01-11", "2027-01-25"), dates("2027-01-18"), nil},
		"no date":             {counted(mondays, 2), counted(mondays, 2), nil, nil, nil},
		"no date on the rule": {counted(mondays, 2), counted(mondays, 2), dates("2027-01-12"), nil, dates("2027-01-12")},
	} {
		t.Run(name, func(t *testing.T) {
			fitted, missing, extra := reconciler.FitRule(test.rule, test.dates)
			if difference := cmp.Diff([]any{test.fitted, test.missing, test.surplus}, []any{fitted, missing, extra}); difference != "" {
				t.Error(difference)
			}
		})
	}
}

// TestFitRuleLaws takes slots out of a rule and finds them missing.
func TestFitRuleLaws(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		rule := rules.Draw(t, "rule")
		slots := rule.Slots(always, always, most)
		var kept, gone []reconciler.Date
		for _, slot := range slots {
			if rapid.Bool().Draw(t, slot.String()) {
				kept = append(kept, slot)
			} else {
				gone = append(gone, slot)
			}
		}
		if len(kept) == 0 {
			t.Skip("without any date there is nothing to fit to")
		}
		last := kept[len(kept)-1]
		gone = slices.DeleteFunc(gone, func(slot reconciler.Date) bool { return slot.After(last) })
		fitted, missing, extra := reconciler.FitRule(rule, kept)
		if !slices.Equal(missing, gone) || len(extra) > 0 {
			t.Fatalf("%v is missing, not %v; %v too many", missing, gone, extra)
		}
		if got, ends := fitted.Last(); ends == rule.Endless() || ends && got != last || (fitted.Count > 0) != (rule.Count > 0) {
			t.Fatalf("%s ends on %v, not on %v", fitted.Describe(), got, last)
		}
	})
}

func TestSlotTime(t *testing.T) {
	at := func(text string) time.Time {
		parsed, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		return parsed
	}
	for name, test := range map[string]struct{ zone, first, date, want string }{
		"summer time":               {"Europe/Brussels", "2027-03-22T09:00:00Z", "2027-03-29", "2027-03-29T08:00:00Z"},
		"the other half":            {"Australia/Sydney", "2027-09-30T23:00:00Z", "2027-10-04", "2027-10-03T22:00:00Z"},
		"skipped":                   {"Europe/Brussels", "2027-03-27T01:30:00Z", "2027-03-28", "2027-03-28T01:30:00Z"},
		"shown twice":               {"Europe/Brussels", "2027-10-30T00:30:00Z", "2027-10-31", "2027-10-31T01:30:00Z"},
		"skipped by half an hour":   {"Australia/Lord_Howe", "2027-10-01T15:45:00Z", "2027-10-03", "2027-10-02T15:45:00Z"},
		"the first of two is given": {"Europe/Brussels", "2027-10-31T00:30:00Z", "2027-10-31", "2027-10-31T00:30:00Z"},
		"late in the evening":       {"America/New_York", "2027-01-12T02:00:00Z", "2027-07-05", "2027-07-06T01:00:00Z"},
		"no zone":                   {"", "2027-01-12T02:00:00Z", "2027-07-05", "2027-07-05T02:00:00Z"},
		"an unknown zone":           {"Mars/Olympus", "2027-01-12T02:00:00Z", "2027-07-05", "2027-07-05T02:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			first := reconciler.When{Start: at(test.first), End: at(test.first).Add(90 * time.Minute), Zone: test.zone}
			got := reconciler.SlotTime(date(test.date), first)
			if !got.Start.Equal(at(test.want)) || got.End.Sub(got.Start) != 90*time.Minute || got.Zone != test.zone {
				t.Errorf("%+v", got)
			}
		})
	}
	first := reconciler.When{AllDay: true, Start: at("2027-01-11T00:00:00Z"), End: at("2027-01-13T00:00:00Z")}
	want := reconciler.When{AllDay: true, Start: at("2027-07-11T00:00:00Z"), End: at("2027-07-13T00:00:00Z")}
	if got := reconciler.SlotTime(date("2027-07-11"), first); got != want {
		t.Errorf("whole days: %+v", got)
	}
}

// TestSlotDate says on which slot a time lies, and that its time is found again.
func TestSlotDate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom([]string{"Europe/Brussels", "America/St_Johns", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"}).Draw(t, "zone")
		start := time.Unix(rapid.Int64Range(1_300_000_000, 2_000_000_000).Draw(t, "start"), 0).UTC()
		first := reconciler.When{Start: start, End: start.Add(time.Hour), Zone: zone}
		on := reconciler.SlotDate(first).Add(rapid.IntRange(-800, 800).Draw(t, "days"))
		got := reconciler.SlotTime(on, first)
		location, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		wanted := on.Midnight().Format(time.DateOnly) + " " + first.Start.In(location).Format(time.TimeOnly)
		shown := got.Start.In(location).Format(time.DateTime)
		// Apart from times that the clock skips, it shows what was wanted.
		if shown != wanted && clockShows(location, wanted) {
			t.Fatalf("the clock shows %s, not %s", shown, wanted)
		}
	})
}

// clockShows says whether a zone's clock shows a time at all.
func clockShows(location *time.Location, wanted string) bool {
	wall, err := time.Parse(time.DateTime, wanted)
	if err != nil {
		return false
	}
	for offset := -14 * time.Hour; offset <= 14*time.Hour; offset += 15 * time.Minute {
		if wall.Add(-offset).In(location).Format(time.DateTime) == wanted {
			return true
		}
	}
	return false
}
