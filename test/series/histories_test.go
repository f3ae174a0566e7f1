package series_test

import (
	"context"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

var (
	histories = flag.Int("histories", usualHistories, "how many histories of a series are lived through")
	firstSeed = flag.Uint64("history", 1, "the seed of the first history")
)

// forgetting is what Outlook may do to exceptions and deleted occurrences when the
// master of their series changes, which is not established.
var forgetting = []simoutlook.ExceptionRule{simoutlook.ExceptionsDropOnMove, simoutlook.ExceptionsKeep, simoutlook.ExceptionsDropAlways}

// pinned are seeds of histories that went wrong once. In most, somebody renamed one
// of the few occurrences that were left, and Outlook was told at the master, which
// mails once more about every exception. In 101318 the last occurrence was deleted
// in Outlook, whose master was deleted by the next sweep. In 100068 and 100954 the
// last occurrence had been deleted before all were moved; in 100076 and 102967
// NightPOS gave all that were moved the title that its base had by itself.
var pinned = []uint64{
	100068, 100076, 100673, 100954, 101318, 101365, 101658, 101965, 102074, 102630, 102705, 102967, 103936,
}

// TestHistories lets people edit series on both sides at random, with nothing but
// the calendars' own habits in between, and wants both sides equal after each
// edit, nothing written twice, and nobody mailed more than an edit is worth.
func TestHistories(t *testing.T) {
	seeds := slices.Clone(pinned)
	for index := range *histories {
		seeds = append(seeds, *firstSeed+uint64(index))
	}
	slices.Sort(seeds)
	for _, seed := range slices.Compact(seeds) {
		t.Run(fmt.Sprintf("seed=%d", seed), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				w := world.New(t, world.Options{
					Version: 17 + int(seed%3), Seed: seed, Connect: []string{"alice"}, Switches: simoutlook.Switches{Exceptions: forgetting[seed/3%3]},
				})
				defer w.Close()
				w.Quiet()
				(&historian{scene: &scene{World: w, T: t}, random: rand.New(rand.NewPCG(seed, 7))}).live()
			})
		})
	}
}

// historian is one history.
type historian struct {
	*scene
	random *rand.Rand
	told   []string
	// deleted is how many single occurrences were.
	deleted int
}

func (h *historian) live() {
	if h.random.IntN(2) == 0 {
		h.createInNightPOS(nil)
		h.told = append(h.told, "made in NightPOS")
	} else {
		if _, err := h.Outlook.Mailbox(world.Alice).Create(h.Context(), weekly("team", world.Carol)); err != nil {
			h.Fatal(err)
		}
		h.told = append(h.told, "made in Outlook")
	}
	h.check(1)
	for step := range 7 {
		if len(h.inOutlook()) < 3 {
			return
		}
		mails := h.edit(step)
		h.check(mails)
	}
}

// check waits and holds the sides against each other.
func (h *historian) check(mails int) {
	h.Helper()
	h.Quiet()
	here, there := strings.Join(h.inOutlook(), "\n"), strings.Join(h.inNightPOS(), "\n")
	if here != there {
		h.Fatalf("after %s\nOutlook shows\n%s\nNightPOS\n%s\n%s", strings.Join(h.told, ", "), here, there, h.Log())
	}
	sent := 0
	for _, mail := range h.Outlook.Mails()[h.mails:] {
		if strings.HasPrefix(mail.Actor, "app:") {
			sent++
		}
	}
	h.mails = len(h.Outlook.Mails())
	if sent > mails {
		h.Fatalf("after %s\n%d mails, want at most %d\n%s", strings.Join(h.told, ", "), sent, mails, h.Log())
	}
	writes := h.Writes()
	h.Sweep()
	if more := h.Writes() - writes; more != 0 {
		h.Fatalf("after %s\na sweep made %d more writes\n%s", strings.Join(h.told, ", "), more, h.Log())
	}
}

// edit makes one edit and says how many mails the gateway may cause.
func (h *historian) edit(step int) int {
	title := fmt.Sprintf("t%d", step)
	box, member := h.Outlook.Mailbox(world.Alice), h.NightPOS.Member("alice")
	shown := h.inOutlook()
	start := shown[h.random.IntN(len(shown))][:16]
	modified := 2 * h.modified()
	note := func(text string) { h.told = append(h.told, text+" at "+start) }
	ctx := context.Background()
	switch h.random.IntN(16) {
	case 0:
		note("renamed one in Outlook " + title)
		h.patch(h.instance(start), map[string]any{"subject": title})
	case 1:
		note("renamed all in Outlook " + title)
		h.patch(h.seriesAt(start), map[string]any{"subject": title})
	case 2:
		note("moved one by an hour in Outlook")
		at, _ := time.Parse("2006-01-02T15:04", start)
		h.patch(h.instance(start), map[string]any{"start": utc(at.Add(time.Hour)), "end": utc(at.Add(2 * time.Hour))})
	case 3:
		note("deleted one in Outlook")
		h.deleted++
		h.attempt(box.Delete(ctx, h.instance(start)))
	case 4:
		note("shifted all in Outlook")
		if _, err := box.Shift(ctx, h.seriesAt(start), h.random.IntN(2), time.Hour); err != nil {
			h.told = append(h.told, err.Error())
		}
	case 5:
		note("renamed this and following in Outlook " + title)
		if _, err := box.UpdateFollowing(ctx, h.instance(start), map[string]any{"subject": title}); err != nil {
			h.told = append(h.told, err.Error())
		}
	case 6:
		note("deleted this and following in Outlook")
		h.attempt(box.DeleteFollowing(ctx, h.instance(start)))
	case 7:
		note("renamed one in NightPOS " + title)
		h.write(h.at(start), map[string]any{"name": title})
		return 1
	case 8:
		note("renamed all in NightPOS " + title)
		h.write(h.at(start), map[string]any{"name": title, "recurrence_update": "all_events"})
		return 1 + modified
	case 9:
		note("moved one by an hour in NightPOS")
		at, _ := time.Parse("2006-01-02T15:04", start)
		h.attempt(member.Write(ctx, []int{h.at(start)}, map[string]any{
			"start": at.Add(time.Hour).Format(time.DateTime), "stop": at.Add(2 * time.Hour).Format(time.DateTime), "recurrence_update": "self_only",
		}))
		return 1 + modified
	case 10:
		note("moved all by an hour in NightPOS")
		at, _ := time.Parse("2006-01-02T15:04", start)
		h.attempt(member.Write(ctx, []int{h.at(start)}, map[string]any{
			"start": at.Add(time.Hour).Format(time.DateTime), "stop": at.Add(2 * time.Hour).Format(time.DateTime), "recurrence_update": "all_events",
		}))
		return 1 + modified
	case 11:
		note("deleted one in NightPOS")
		h.deleted++
		h.attempt(member.Unlink(ctx, h.at(start)))
		return 1
	case 12:
		note("archived one in NightPOS")
		h.deleted++
		h.attempt(member.Archive(ctx, h.at(start)))
		return 1
	case 13:
		note("renamed this and following in NightPOS " + title)
		h.attempt(member.Write(ctx, []int{h.at(start)}, map[string]any{"name": title, "recurrence_update": "future_events"}))
		return 2 + modified
	case 14:
		note("deleted this and following in NightPOS")
		h.attempt(member.MassDelete(ctx, h.at(start), "future_events"))
		return 1 + modified
	case 15:
		note("archived this and following in NightPOS")
		h.attempt(member.MassArchive(ctx, h.at(start), "future_events"))
		return 1 + modified
	}
	return 0
}

// modified is how many occurrences were changed or deleted on their own: Outlook
// mails about each again when their master changes, and may forget it and have to
// be told again, which is two mails each.
func (h *historian) modified() int {
	count := h.deleted
	for _, event := range h.Outlook.Mailbox(world.Alice).View(from, until) {
		if event["type"] == "exception" {
			count++
		}
	}
	return count
}

// seriesAt is the master of the occurrence that starts then, or the event itself.
func (h *historian) seriesAt(start string) string {
	event, err := h.Outlook.Mailbox(world.Alice).Event(h.instance(start))
	if err != nil {
		h.Fatal(err)
	}
	if master, ok := event["seriesMasterId"].(string); ok && master != "" {
		return master
	}
	return event["id"].(string)
}

// attempt notes what a calendar refuses its own people.
func (h *historian) attempt(err error) {
	if err != nil {
		h.told = append(h.told, "refused: "+err.Error())
	}
}

func utc(at time.Time) map[string]any {
	return map[string]any{"dateTime": at.Format("2006-01-02T15:04:05"), "timeZone": "UTC"}
}
