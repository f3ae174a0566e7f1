// Package series tries series of both calendars: their plans against random
// histories, and the whole gateway against both simulators.
package series
