// Package zones translates between the time zone names of Windows, which Graph
// is sure to accept, and those of IANA, which everybody else uses. The table is
// Unicode CLDR's; the rules of the zones are Go's own database, compiled in.
package zones

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // containers have no zone database of their own
)

//go:generate go run generate.go

// UTC is what both call the zone without an offset.
const UTC = "UTC"

var folded = sync.OnceValue(func() map[string]string {
	names := make(map[string]string, len(toIANA))
	for windows, iana := range toIANA {
		names[strings.ToLower(windows)] = iana
	}
	return names
})

// Windows returns the name that Windows has for an IANA zone. It is false for
// zones that Windows does not know.
func Windows(iana string) (string, bool) {
	if iana == UTC {
		return UTC, true
	}
	windows, known := toWindows[iana]
	return windows, known
}

// IANA returns the IANA zone behind a name as Graph shows it: a Windows name in
// any case, or an IANA name already. It is false for names that are neither, of
// which the custom zones of old clients ("tzone://Microsoft/Custom") are one.
func IANA(name string) (string, bool) {
	name = strings.TrimSpace(name)
	if strings.EqualFold(name, UTC) {
		return UTC, true
	}
	if iana, known := folded()[strings.ToLower(name)]; known {
		return iana, true
	}
	if _, known := toWindows[name]; known {
		return name, true
	}
	return "", false
}

// Load returns the rules of a zone named either way. It is false where the
// rules are not known.
func Load(name string) (*time.Location, bool) {
	iana, known := IANA(name)
	if !known {
		iana = strings.TrimSpace(name)
		// LoadLocation takes "" and "Local" for zones of this machine.
		if !strings.Contains(iana, "/") {
			return nil, false
		}
	}
	location, err := time.LoadLocation(iana)
	return location, err == nil
}
