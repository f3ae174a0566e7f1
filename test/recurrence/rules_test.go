package recurrence

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/nightpos/outlook-gateway/nightpos"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// zoneNames are zones with and without summer time, on both halves of the
// earth, with odd offsets, half an hour of summer time, and a negative one.
var zoneNames = []string{
	"UTC", "Europe/Brussels", "Europe/London", "Europe/Dublin", "Europe/Istanbul", "America/New_York", "America/Los_Angeles",
	"America/St_Johns", "America/Sao_Paulo", "America/Santiago", "America/Phoenix", "America/Havana", "Asia/Kolkata", "Asia/Kathmandu",
	"Asia/Bangkok", "Asia/Tokyo", "Asia/Jerusalem", "Asia/Beirut", "Australia/Sydney", "Australia/Adelaide", "Australia/Eucla",
	"Australia/Lord_Howe", "Pacific/Auckland", "Pacific/Chatham", "Pacific/Kiritimati", "Pacific/Honolulu", "Africa/Cairo",
}

// sample is a rule with what a series has besides.
type sample struct {
	pattern string
	rule    reconciler.Rule
	first   reconciler.When
	dialect nightpos.Dialect
	version int
}

// Patterns under which refusals are counted: Graph's six, some of them split
// where one side can say less.
const (
	daily          = "daily"
	weekly         = "weekly"
	monthDay       = "monthly, day 1-28"
	monthEndSkip   = "monthly, day 29-31, months without it left out"
	monthEndClamp  = "monthly, day 29-31, or the month's last"
	monthLast      = "monthly, last day"
	monthPosition  = "monthly, n-th weekday"
	monthPositions = "monthly, n-th of several weekdays"
	yearDay        = "yearly, day 1-28"
	yearEndSkip    = "yearly, day 29-31, months without it left out"
	yearEndClamp   = "yearly, day 29-31, or the month's last"
	yearLast       = "yearly, last day"
	yearPosition   = "yearly, n-th weekday"
	yearPositions  = "yearly, n-th of several weekdays"
)

var patterns = []string{
	daily, weekly, monthDay, monthEndSkip, monthEndClamp, monthLast, monthPosition, monthPositions,
	yearDay, yearEndSkip, yearEndClamp, yearLast, yearPosition, yearPositions,
}

// randomSample draws one that has a first slot.
func randomSample(random *rand.Rand) sample {
	for {
		drawn := sample{pattern: patterns[random.IntN(len(patterns))], version: 17 + random.IntN(2)}
		drawn.dialect = nightpos.Dialect{WeekStart: []time.Weekday{time.Monday, time.Sunday, time.Saturday}[random.IntN(3)], Years: random.IntN(2) == 0}
		drawn.rule = randomRule(random, drawn.pattern)
		if drawn.rule.Validate() != nil {
			continue
		}
		first := drawn.rule.Normal().Start
		if first.Year >= 2037 {
			// No year from which NightPOS knows when clocks are changed.
			continue
		}
		drawn.first = randomTime(random, first)
		return drawn
	}
}

func randomRule(random *rand.Rand, pattern string) reconciler.Rule {
	rule := reconciler.Rule{
		Interval: 1, FirstWeekday: time.Weekday(random.IntN(7)),
		Start: reconciler.Date{Year: 2024, Month: time.January, Day: 1}.Add(random.IntN(12 * 366)),
	}
	if random.IntN(2) == 0 {
		rule.Interval = 1 + random.IntN(14)
	}
	switch pattern {
	case daily:
		rule.Frequency = reconciler.Daily
	case weekly:
		rule.Frequency, rule.Weekdays = reconciler.Weekly, randomDays(random, 1+random.IntN(7))
	case monthDay, monthEndSkip, monthEndClamp, monthLast, monthPosition, monthPositions:
		rule.Frequency = reconciler.Monthly
		if random.IntN(4) == 0 {
			rule.Interval = []int{2, 3, 4, 6, 12, 24, 48}[random.IntN(7)]
		}
	default:
		rule.Frequency, rule.Month = reconciler.Yearly, time.Month(1+random.IntN(12))
		rule.Interval = 1 + random.IntN(5)
		if random.IntN(4) == 0 {
			rule.Month = time.February
		}
	}
	switch pattern {
	case monthDay, yearDay:
		rule.MonthDay, rule.Clamp = 1+random.IntN(28), random.IntN(2) == 0
	case monthEndSkip, yearEndSkip:
		rule.MonthDay = 29 + random.IntN(3)
	case monthEndClamp, yearEndClamp:
		rule.MonthDay, rule.Clamp = 29+random.IntN(3), true
	case monthLast, yearLast:
		rule.MonthDay = reconciler.LastDay
	case monthPosition, yearPosition:
		rule.Position, rule.Weekdays = randomPosition(random), randomDays(random, 1)
	case monthPositions, yearPositions:
		rule.Position, rule.Weekdays = randomPosition(random), randomDays(random, 2+random.IntN(6))
	}
	randomEnd(random, &rule)
	return rule
}

func randomEnd(random *rand.Rand, rule *reconciler.Rule) {
	switch random.IntN(10) {
	case 0, 1, 2:
	case 3, 4, 5, 6:
		rule.Count = 1 + random.IntN(40)
	case 7:
		rule.Count = 1 + random.IntN(999)
	default:
		days := map[reconciler.Frequency]int{reconciler.Daily: 60, reconciler.Weekly: 400, reconciler.Monthly: 2000, reconciler.Yearly: 8000}[rule.Frequency]
		rule.Until = rule.Start.Add(random.IntN(days * rule.Interval))
	}
}

func randomPosition(random *rand.Rand) int {
	return []int{1, 2, 3, 4, reconciler.LastPosition}[random.IntN(5)]
}

func randomDays(random *rand.Rand, number int) []time.Weekday {
	var days []time.Weekday
	for _, day := range random.Perm(7)[:number] {
		days = append(days, time.Weekday(day))
	}
	slices.Sort(days)
	return days
}

// randomTime is a time on that date by a zone's clock: any, or one of the hours
// that clocks skip or show twice. The first occurrence itself takes place at a
// time that its clock shows once: no calendar can say which of two is meant.
func randomTime(random *rand.Rand, date reconciler.Date) reconciler.When {
	if random.IntN(8) == 0 {
		start := date.Midnight()
		return reconciler.When{AllDay: true, Start: start, End: start.AddDate(0, 0, 1+random.IntN(3))}
	}
	name := zoneNames[random.IntN(len(zoneNames))]
	zone, err := time.LoadLocation(name)
	if err != nil {
		panic(err)
	}
	for {
		minute := 15 * random.IntN(96)
		if random.IntN(2) == 0 {
			minute = 15 * random.IntN(13)
		}
		start := time.Date(date.Year, date.Month, date.Day, 0, minute, 0, 0, zone)
		wall := start.Format(time.DateTime)
		once := wall == date.Midnight().Add(time.Duration(minute)*time.Minute).Format(time.DateTime)
		for _, shift := range []time.Duration{-time.Hour, -30 * time.Minute, 30 * time.Minute, time.Hour} {
			once = once && start.Add(shift).Format(time.DateTime) != wall
		}
		if once {
			return reconciler.When{Start: start.UTC(), End: start.UTC().Add(time.Hour), Zone: name}
		}
	}
}
