//go:build !race

package series_test

import "github.com/nightpos/outlook-gateway/test/world"

// How many histories are lived through where nothing else is asked for.
const (
	usualHistories = 200
	usualChecks    = "1000"
)

// usualVersions are those of NightPOS that each test is made for.
var usualVersions = world.Versions(17, 18, 19)
