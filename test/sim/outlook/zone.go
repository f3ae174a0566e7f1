package outlook

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // machines without a zone database serve the simulator too
)

// zone is one spelling of a time zone together with its rules.
type zone struct {
	name     string // as the caller spelled it, or as Graph would spell it
	location *time.Location
}

var utc = zone{name: "UTC", location: time.UTC}

var foldedZones = sync.OnceValue(func() map[string]zone {
	folded := map[string]zone{}
	add := func(name, iana string) {
		location, err := time.LoadLocation(iana)
		if err != nil {
			return // a zone database older than the name: the zone is not supported
		}
		folded[strings.ToLower(name)] = zone{name: name, location: location}
	}
	for name, iana := range listedZones {
		add(name, iana)
	}
	for name, iana := range windowsZones {
		add(name, iana)
	}
	folded["utc"] = utc
	return folded
})

// parseZone finds a zone by the names that Graph accepts: those of Windows and
// a limited list of IANA names (7.9), all of them without regard to case. With
// every set, any name of the zone database is accepted.
func parseZone(name string, every bool) (zone, error) {
	if found, ok := foldedZones()[strings.ToLower(strings.TrimSpace(name))]; ok {
		return found, nil
	}
	if every && strings.Contains(name, "/") {
		if location, err := time.LoadLocation(name); err == nil {
			return zone{name: name, location: location}, nil
		}
	}
	return zone{}, badRequest("TimeZoneNotSupportedException", "The following TimeZone value is not supported: '%s'.", name)
}

// sameZone tells whether two names stand for the same rules.
func sameZone(one, other string) bool {
	if strings.EqualFold(one, other) {
		return true
	}
	first, err := parseZone(one, true)
	if err != nil {
		return false
	}
	second, err := parseZone(other, true)
	return err == nil && first.location.String() == second.location.String()
}

// clock is what a clock in a zone shows at an instant, written as if it were UTC.
func clock(instant time.Time, in *time.Location) time.Time {
	local := instant.In(in)
	_, offset := local.Zone()
	return local.UTC().Add(time.Duration(offset) * time.Second)
}

// instantOf is the instant at which a clock in a zone shows a time. A time that
// is skipped when the clocks go forward counts from before the jump, so that it
// comes out later by its length.
func instantOf(shown time.Time, in *time.Location) time.Time {
	instant := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), shown.Second(), shown.Nanosecond(), in)
	if !clock(instant, in).Equal(shown) {
		_, offset := shown.Add(-36 * time.Hour).In(in).Zone()
		instant = shown.Add(-time.Duration(offset) * time.Second)
	}
	return instant.UTC()
}

// instantLayout is how Graph writes the dateTime of a dateTimeTimeZone: seven
// fractional digits and no offset (7.8).
const instantLayout = "2006-01-02T15:04:05.0000000"

// zonedTime renders an instant in a zone.
func zonedTime(instant time.Time, in zone) map[string]any {
	return map[string]any{"dateTime": instant.In(in.location).Format(instantLayout), "timeZone": in.name}
}

// offsetTime renders a DateTimeOffset property such as createdDateTime.
func offsetTime(instant time.Time) string {
	return instant.UTC().Format("2006-01-02T15:04:05.0000000Z")
}

// noTime is what Graph shows where nothing has happened yet (7.7).
const noTime = "0001-01-01T00:00:00Z"

// parseLocal reads a dateTime as it stands in requests: without an offset it is
// local to the zone; with one (Z, +02:00) the offset wins.
func parseLocal(text string, in zone) (time.Time, error) {
	text = strings.TrimSpace(text)
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00"} {
		if instant, err := time.Parse(layout, text); err == nil {
			return instant, nil
		}
	}
	for _, layout := range []string{"2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02"} {
		if instant, err := time.ParseInLocation(layout, text, in.location); err == nil {
			return instant, nil
		}
	}
	return time.Time{}, errorBody()
}
