package series_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
	"github.com/nightpos/outlook-gateway/test/world"
)

var (
	histories = flag.Int("histories", usualHistories, "how many histories of a series are lived through")
	firstSeed = flag.Uint64("history", 1, "the seed of the first history")
	guests    = flag.Int("guests", 25, "how many of a hundred histories have guests who reply")
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

// pinnedWithGuests are those with guests. In 30, 105, 119 and 134 an occurrence that
// was one by itself was left as a single event; in 49, 158, 166, 394 and 482 NightPOS
// made occurrences that knew nothing of replies that were given; in 109, 201, 265, 494
// and 1305 a reply was sent again that nobody had given anew; in 2 and 402 a single
// occurrence came to somebody who had no series; in 573, 1169 and 1636 Outlook showed
// the reply to all where it had forgotten the one to a single occurrence; in 255 few
// of many were brought back; in 70210 the guest heard first that the series is single.
var pinnedWithGuests = []uint64{2, 30, 49, 105, 109, 119, 134, 158, 166, 201, 255, 265, 394, 402, 482, 494, 573, 1169, 1305, 1636, 70210}

// TestHistories lets people edit series on both sides at random, with nothing but
// the calendars' own habits in between, and wants both sides equal after each
// edit, nothing written twice, and nobody mailed more than an edit is worth.
func TestHistories(t *testing.T) {
	for _, seed := range pinned {
		live(t, seed, false)
	}
	for _, seed := range pinnedWithGuests {
		live(t, seed, true)
	}
	for index := range *histories {
		seed := *firstSeed + uint64(index)
		live(t, seed, int(seed%100) < *guests)
	}
}

// live lives through a history, with guests or without.
func live(t *testing.T, seed uint64, invites bool) {
	name, connect := fmt.Sprintf("seed=%d", seed), []string{"alice"}
	if invites {
		name = fmt.Sprintf("seed=%d with guests", seed)
	}
	if invites && seed%4 != 0 {
		connect = append(connect, "bob")
	}
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		synctest.Test(t, func(t *testing.T) {
			w := world.New(t, world.Options{
				Version: 17 + int(seed%3), Seed: seed, Connect: connect, Switches: simoutlook.Switches{Exceptions: forgetting[seed/3%3]},
			})
			defer w.Close()
			w.Quiet()
			h := &historian{scene: &scene{World: w, T: t}, random: rand.New(rand.NewPCG(seed, 7)), edits: alone[:]}
			if invites {
				h.edits, h.invited = slices.Concat(alone[:], together), []string{world.Bob, world.Carol}
				h.connected = slices.Contains(connect, "bob")
			}
			h.live()
		})
	})
}

// historian is one history.
type historian struct {
	*scene
	random *rand.Rand
	// edits are those to choose from.
	edits []seriesEdit
	// invited are the guests whose replies are looked at, and connected says that bob
	// is among them and replies in NightPOS too.
	invited   []string
	connected bool
	told      []string
	// answered is when what bob just replied to in NightPOS takes place.
	answered []string
	// owed are replies of his that his mailbox had nothing for.
	owed int
	// deleted is how many single occurrences were, and cut how many at most were taken
	// off the end in Outlook.
	deleted, cut int
}

func (h *historian) live() {
	defer func() {
		if h.Failed() {
			h.Logf("the history: %s", strings.Join(h.told, ", "))
		}
	}()
	if h.random.IntN(2) == 0 {
		people := []any{h.partner("alice"), h.NightPOS.Contact(world.Carol)}
		if len(h.invited) > 0 {
			people = append(people, h.partner("bob"))
		}
		h.createInNightPOS(map[string]any{"partner_ids": []any{[]any{6, 0, people}}})
		h.told = append(h.told, "made in NightPOS")
	} else {
		people := []string{world.Carol}
		if len(h.invited) > 0 {
			people = h.invited
		}
		if _, err := h.Outlook.Mailbox(world.Alice).Create(h.Context(), weekly("team", people...)); err != nil {
			h.Fatal(err)
		}
		h.told = append(h.told, "made in Outlook")
	}
	h.check(1)
	for step := range 7 {
		if len(h.inOutlook()) < 3 && (len(h.invited) == 0 || !h.repeat()) {
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
	h.checkReplies()
	sent := map[string]int{}
	for _, mail := range h.Outlook.Mails()[h.mails:] {
		if strings.HasPrefix(mail.Actor, "app:") {
			sent[mail.To]++
		}
	}
	h.mails = len(h.Outlook.Mails())
	// What bob replied while there was nothing to reply to may be told the organizer now.
	sent[world.Alice] = max(0, sent[world.Alice]-h.owed)
	for to, count := range sent {
		if count > mails {
			h.Fatalf("after %s\n%d mails to %s, want at most %d\n%s", strings.Join(h.told, ", "), count, to, mails, h.Log())
		}
	}
	writes := h.Writes()
	h.Sweep()
	if more := h.Writes() - writes; more != 0 {
		h.Fatalf("after %s\na sweep made %d more writes\n%s", strings.Join(h.told, ", "), more, h.Log())
	}
}

// checkReplies holds the guests' replies against each other: bob's own mailbox
// speaks for him where he is connected, alice's for everybody else. What Outlook
// forgets when a meeting is moved or made anew stays in NightPOS, and what was
// declined may be gone from the mailbox, where nobody can then reply to it.
func (h *historian) checkReplies() {
	h.Helper()
	// Which of two that start together is meant cannot be told.
	times := map[string]int{}
	for _, shown := range append(h.inOutlook(), h.inNightPOS()...) {
		times[shown[:16]]++
	}
	for _, guest := range h.invited {
		here := h.toldTo(world.Alice, guest)
		if guest == world.Bob && h.connected {
			here = h.repliesOf(guest)
		}
		there := h.answersOf(h.NightPOS.Contact(guest))
		for start, reply := range here {
			if times[start] == 2 && reply != "needsAction" && reply != there[start] {
				h.Fatalf("after %s\n%s replied %s in Outlook for %s, and %s in NightPOS\n%s", strings.Join(h.told, ", "), guest, reply, start, there[start], h.Log())
			}
		}
		if guest != world.Bob {
			continue
		}
		for _, start := range h.answered {
			if here[start] == "" {
				h.owed++
				continue
			}
			if reply, there := here[start], there[start]; times[start] == 2 && there != "" && there != "declined" && reply != there {
				h.Fatalf("after %s\nbob replied %s in NightPOS for %s, and %s in Outlook\n%s", strings.Join(h.told, ", "), there, start, reply, h.Log())
			}
		}
	}
	h.answered = nil
}

// edit makes one edit and says how many mails each may get for it.
func (h *historian) edit(step int) int {
	shown := h.inOutlook()
	start := shown[h.random.IntN(len(shown))][:16]
	modified := 2 * h.modified()
	edit := h.edits[h.random.IntN(len(h.edits))]
	title := fmt.Sprintf("t%d", step)
	h.told = append(h.told, edit.name+" at "+start+", "+title)
	edit.make(h, start, title)
	if edit.mails == 0 {
		return 0
	}
	if edit.name == broughtBack {
		modified += h.cut
	}
	if edit.whole {
		return edit.mails + modified
	}
	return edit.mails
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
