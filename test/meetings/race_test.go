//go:build race

package meetings_test

import "github.com/nightpos/outlook-gateway/test/world"

// everyNthGroup is which groups of the matrix are played. The race detector makes
// each ten times as long; it sees in a few what it can see in all.
const everyNthGroup = 9

// staged are the versions of NightPOS that the complaints are played on.
var staged = world.Versions(18)

// usualSeeds is how many histories of five people are lived through where nothing
// else is asked for.
const usualSeeds = 4

// guestSeeds is how often guests of one meeting hear of it at once.
const guestSeeds = 3
