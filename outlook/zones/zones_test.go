package zones

import (
	"testing"
	"time"
)

func TestEveryWindowsZoneIsKnownToGoAndComesBack(t *testing.T) {
	for windows, iana := range toIANA {
		if _, err := time.LoadLocation(iana); err != nil {
			t.Errorf("%s is %s: %v", windows, iana, err)
		}
		if got, known := Windows(iana); !known || got != windows {
			t.Errorf("%s is %s, which is %q again", windows, iana, got)
		}
	}
}

func TestNames(t *testing.T) {
	for _, test := range []struct{ name, iana string }{
		{"Romance Standard Time", "Europe/Paris"},
		{"romance standard time", "Europe/Paris"},
		{"Europe/Brussels", "Europe/Brussels"},
		{"utc", "UTC"},
		{" Tokyo Standard Time ", "Asia/Tokyo"},
		{"tzone://Microsoft/Custom", ""},
		{"Nowhere/Land", ""},
		{"", ""},
		{"Local", ""},
	} {
		got, known := IANA(test.name)
		if got != test.iana || known != (test.iana != "") {
			t.Errorf("IANA(%q) = %q, %t; want %q", test.name, got, known, test.iana)
		}
		if _, loads := Load(test.name); loads != known {
			t.Errorf("Load(%q) = %t, want %t", test.name, loads, known)
		}
	}
	for _, test := range []struct{ iana, windows string }{
		{"Europe/Brussels", "Romance Standard Time"},
		{"Europe/Kiev", "FLE Standard Time"},
		{"Europe/Kyiv", "FLE Standard Time"},
		{"Asia/Calcutta", "India Standard Time"},
		{"Asia/Kolkata", "India Standard Time"},
		{"US/Pacific", "Pacific Standard Time"},
		{"UTC", "UTC"},
		{"Europe/Atlantis", ""},
	} {
		if got, known := Windows(test.iana); got != test.windows || known != (test.windows != "") {
			t.Errorf("Windows(%q) = %q, %t; want %q", test.iana, got, known, test.windows)
		}
	}
}
