package switches_test

import (
	"reflect"
	"testing"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/switches"
)

// elsewhere are the switches that need no setting, with the reason.
var elsewhere = map[string]string{
	"AccountPage":     "of the sign-in pages, which test/signin goes through",
	"ConsentPage":     "of the sign-in pages, which test/signin goes through",
	"AnyAddress":      "lets tests listen anywhere",
	"OrganizerAlias":  "after an outage a guest's lane may bring a meeting before its organizer's, and leave the alias among its people; TestTrap13_17 says what holds without one",
	"UIDNull":         "leaves attendees' answers where they are given, which suites count on; TestTrap13_15 says what holds all the same",
	"LongLivedTokens": "is for tests that do not care about tokens; how long they may live is TokenLifetime",
	"RetryBase":       "how soon what failed is sent again, within what is documented",
}

// TestEverySwitchHasASetting: each field of the simulator's switches is changed by
// some setting, and no setting changes nothing.
func TestEverySwitchHasASetting(t *testing.T) {
	changed := map[string]bool{}
	for _, setting := range switches.All {
		var made simoutlook.Switches
		setting.Apply(&made)
		shown := reflect.ValueOf(made)
		count := 0
		for index := range shown.NumField() {
			if !shown.Field(index).IsZero() {
				changed[shown.Type().Field(index).Name] = true
				count++
			}
		}
		if count == 0 && !setting.Content {
			t.Errorf("%s changes nothing", setting.Name)
		}
	}
	for index := range reflect.TypeFor[simoutlook.Switches]().NumField() {
		name := reflect.TypeFor[simoutlook.Switches]().Field(index).Name
		if reason, excused := elsewhere[name]; changed[name] == excused {
			t.Errorf("%s: changed by a setting %t, and excused %q", name, changed[name], reason)
		}
	}
}
