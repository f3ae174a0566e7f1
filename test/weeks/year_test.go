package weeks_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestYear6_12TheWindowMovesOn lets a year pass in which nobody tells anything
// and people plan ever further ahead. What they plan lies in the window of its
// day, and most of it beyond the one that the first round of changes saw.
func TestYear6_12TheWindowMovesOn(t *testing.T) {
	if testing.Short() {
		t.Skip("a year takes a while")
	}
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(firstMonday))
		// Tokens are another test's business, and renewing them is most of a year.
		w := &week{world: newWorldWith(t, 1, 1, simoutlook.Switches{
			AnyAddress: true, LongLivedTokens: true, DeltaReplays: 0.2, DeltaEmptyPages: 0.2,
		}), expect: map[string]bool{}}
		defer w.close()
		w.stop()
		w.config.SweepEvery, w.config.ChangesEvery, w.config.DeletionsEvery = 7*24*time.Hour, 6*time.Hour, 6*time.Hour
		w.config.RegistrationEvery = 7 * 24 * time.Hour
		w.start(1)
		w.quiet()
		time.Sleep(time.Hour)
		w.turn(silent)
		began, box := time.Now(), w.outlook.Mailbox(alice)
		planned := map[int]string{}
		for month := range 12 {
			start := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 728)
			tag := w.tag()
			made, err := box.Create(w.context, map[string]any{
				"subject": tag + " far ahead",
				"start":   map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
				"end":     map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
			})
			w.must(err)
			w.expect[tag] = true
			planned[month] = textIn(made, "id")
			switch {
			case month%4 == 2: // an edit, and a deletion, of what was planned before
				_, err := box.Update(w.context, planned[month-1], map[string]any{"location": map[string]any{"displayName": fmt.Sprint("Room ", month)}})
				w.must(err)
			case month%4 == 3:
				w.must(box.Delete(w.context, planned[month-2]))
				w.expect[fmt.Sprintf("m%03d", month-1)] = false
			case month == 4:
				w.outlook.ForgetDeltaTokens(alice)
			}
			before, sweeps := w.untold(), w.outlook.Counts()["GET /me/calendarView"]
			time.Sleep(7 * time.Hour)
			swept := w.forgetful && month%4 == 3
			if swept {
				time.Sleep(w.config.SweepEvery)
			}
			w.checkEqual()
			if found := w.untold() - before; found == 0 {
				t.Errorf("month %d: what nobody told of is no finding of a sweep", month)
			}
			if listed := w.outlook.Counts()["GET /me/calendarView"] - sweeps; month != 4 && !swept && listed > 2 {
				t.Errorf("month %d: %d listings for what a round of changes tells", month, listed)
			}
			// The access tokens of this test live for a year, which is not over then.
			time.Sleep(time.Until(began.AddDate(0, month+1, -7)))
			w.checkEqual()
		}
	})
}
