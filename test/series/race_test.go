//go:build race

package series_test

import "github.com/nightpos/outlook-gateway/test/world"

// The race detector makes each history five times as long, and sees in a few what
// it can see in many.
const (
	usualHistories = 4
	usualChecks    = "30"
)

// usualVersions are those of NightPOS that each test is made for.
var usualVersions = world.Versions(19)
