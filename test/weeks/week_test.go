package weeks_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/service"
)

var (
	seeds = flag.Int("seeds", usualWeeks, "how many weeks TestWeeks simulates")
	seed  = flag.Uint64("seed", 1, "the seed of the first week")
	only  = flag.String("trouble", "", "what goes wrong in every storm besides, such as: the store is down; what the dice say, if empty")
	keep  = flag.String("keep", "", "which parts of the week happen, such as 3.w,3.1; all, if empty; see TestShortest")
)

// TestWeeks lives through as many weeks as asked for, each from a seed of its
// own.
func TestWeeks(t *testing.T) {
	count := *seeds
	if testing.Short() {
		count = min(count, 5)
	}
	for index := range count {
		number := *seed + uint64(index)
		t.Run(fmt.Sprintf("seed=%d", number), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { newWeek(t, number).live() })
		})
	}
}

// week is one history. Its parts are the weather of each episode and each edit,
// named 3.w and 3.1: the dice of each are its own, so that leaving some out changes
// no others.
type week struct {
	*world
	seed   uint64
	random *rand.Rand
	parts  map[string]bool // all, if nil
	// trouble is what goes wrong in this episode, besides its weather.
	trouble trouble
	// takenOver waits until another store has taken over.
	takenOver func() error
	number    int
	born      int
	// expect says which meetings must be there, by tag; those whose fate the
	// order of the edits decides are not in it.
	expect map[string]bool
	// episode are the edits since the last quiet moment.
	episode []edit
	// refused are the invitations that were deleted, by tag and address.
	refused map[string]bool
	// owed are the answers, by tag and address, that were given in NightPOS by
	// somebody whose mailbox no longer had the invitation: the organizer hears of
	// each once Outlook has sent the invitation again.
	owed map[string]bool
	// over are the meetings that were brought back when they were past.
	over    map[string]bool
	removed map[string]bool
	revived map[string]bool
}

// renewedWithin is longer than a subscription waits for its renewal.
const renewedWithin = 3 * 24 * time.Hour

// firstMonday begins a week that ends with Europe's change of the clocks.
var firstMonday = time.Date(2027, 3, 22, 0, 0, 0, 0, time.UTC)

func newWeek(t *testing.T, seed uint64) *week {
	time.Sleep(time.Until(firstMonday))
	replicas := 1
	if seed%4 == 3 {
		replicas = 2
	}
	w := &week{
		world: newWorld(t, seed, replicas), seed: seed, parts: partsOf(*keep), expect: map[string]bool{}, refused: map[string]bool{},
		owed: map[string]bool{}, over: map[string]bool{},
	}
	w.quiet()
	// The first rounds of changes are made a while after the first sweep.
	time.Sleep(30 * time.Minute)
	return w
}

// partsOf reads the value of -keep.
func partsOf(list string) map[string]bool {
	if list == "" {
		return nil
	}
	parts := map[string]bool{}
	for _, part := range strings.Split(list, ",") {
		parts[part] = true
	}
	return parts
}

// happens says whether a part of this episode does.
func (w *week) happens(part string) bool {
	return w.parts == nil || w.parts[fmt.Sprintf("%d.%s", w.number, part)]
}

// dice are those of one part of this episode.
func (w *week) dice(part int) *rand.Rand {
	return rand.New(rand.NewPCG(w.seed, uint64(w.number)<<8|uint64(part)))
}

// remove and restore note what a person did to a meeting as a whole.
func (w *week) remove(tag string)  { w.removed[tag] = true }
func (w *week) restore(tag string) { w.revived[tag] = true }

func (w *week) live() {
	defer w.close()
	end := firstMonday.AddDate(0, 0, 7)
	for time.Now().Before(end) {
		w.number++
		w.episodeOfEdits()
		if w.t.Failed() {
			w.t.Logf("seed %d, episode %d, with %s", w.seed, w.number, w.trouble)
			for _, edit := range w.episode {
				w.t.Log(edit)
			}
			for _, lane := range w.lanes() {
				w.explain(lane)
			}
			for _, entry := range w.logs.All() {
				w.t.Log(entry.Time.Format(time.StampMilli), entry.LoggerName, entry.Message, entry.ContextMap())
			}
			w.t.Log(w.outlook.Delivery(), w.subscriptions(alice), w.subscriptions(bob))
			return
		}
		time.Sleep(time.Duration(w.dice(255).Int64N(int64(6 * time.Hour))))
	}
	for _, address := range []string{alice, bob} {
		if w.subscriptions(address) == 0 {
			// Graph removed it, and the word of that was lost: renewing finds out.
			time.Sleep(renewedWithin)
		}
		if live := w.subscriptions(address); live != 1 {
			w.t.Errorf("%s has %d live subscriptions", address, live)
		}
	}
	w.checkLogs()
}

// course is how an episode goes.
type course struct {
	weather sky
	trouble trouble
	restart bool
	edits   int
	pauses  []time.Duration
	after   time.Duration
	sweep   bool
}

// course draws one; the fewer parts of it happen, the fairer it is.
func (w *week) course() course {
	dice := w.dice(0)
	drawn := course{weather: []sky{fair, fair, fair, storm, storm, silent}[dice.IntN(6)], trouble: noTrouble, edits: 1}
	if dice.IntN(2) == 0 {
		drawn.edits += dice.IntN(6)
	}
	trouble := troubles[dice.IntN(len(troubles))]
	if *only != "" {
		trouble = troubleNamed(*only)
	}
	drawn.restart = dice.IntN(3) == 0
	drawn.after = time.Duration(dice.IntN(60)) * time.Second
	drawn.sweep = dice.IntN(4) == 0
	for range drawn.edits {
		pause := time.Duration(0)
		if step := dice.IntN(4); step > 0 {
			pause = time.Duration(dice.IntN(1<<(step*4))) * time.Millisecond
		}
		drawn.pauses = append(drawn.pauses, pause)
	}
	if !w.happens("w") {
		drawn.weather = fair
	}
	if drawn.weather == storm {
		drawn.trouble = trouble
	}
	drawn.restart = drawn.weather == storm && (drawn.restart || drawn.trouble == moved || drawn.trouble == rekeyed)
	return drawn
}

// episodeOfEdits is one episode: some edits under some weather, then fair weather until
// everything is quiet, then the checks.
func (w *week) episodeOfEdits() {
	w.episode, w.removed, w.revived = nil, map[string]bool{}, map[string]bool{}
	before, drawn := w.tally(), w.course()
	w.trouble = drawn.trouble
	untold := w.untold()
	w.turn(drawn.weather)
	replicas, stopped := len(w.replicas), false
	for number := range drawn.edits {
		if number == drawn.edits/2 {
			w.beset(drawn.trouble)
			if drawn.restart {
				w.stop()
				stopped = true
			}
		}
		if w.happens(fmt.Sprint(number + 1)) {
			w.random = w.dice(number + 1)
			w.episode = append(w.episode, w.act())
		}
		time.Sleep(drawn.pauses[number])
	}
	if drawn.weather != fair {
		time.Sleep(drawn.after)
	}
	w.turn(fair)
	w.relieve(drawn.trouble)
	if stopped {
		w.start(replicas)
	}
	w.revive()
	if lost := w.weather.unheard(); (lost || drawn.weather == silent || drawn.trouble == oddAnswers) && !stopped {
		// Nobody heard of it: the next round of changes finds it. The next sweep finds
		// what was unlinked, and tries again what was refused for good.
		wait := foundAfter
		if w.forgetful || drawn.trouble == oddAnswers || slices.ContainsFunc(w.episode, func(done edit) bool { return done.what == "unlink" }) {
			wait = sweepEvery + time.Minute
		}
		time.Sleep(wait)
	}
	w.quiet()
	w.settleExpectations()
	w.checkEqual()
	if drawn.weather == fair && len(w.episode) == 1 {
		w.checkOneEdit(before)
	}
	w.checkMails(before)
	w.checkUntold(drawn.weather, before, untold)
	if drawn.sweep {
		w.checkSweepWritesNothing()
	}
}

// beset has the trouble of an episode begin, and relieve has it end.
func (w *week) beset(with trouble) {
	dice := w.dice(254)
	victim := w.replicas[dice.IntN(len(w.replicas))].ways
	switch with {
	case oddAnswers:
		w.weather.beset(1+dice.IntN(6), 0, 0)
	case slowCalls:
		w.weather.beset(0, 1+dice.IntN(3), 0)
	case endedAccess:
		w.outlook.EndAccess(w.context, []string{alice, bob}[dice.IntN(2)])
	case forgottenTokens:
		w.outlook.ForgetDeltaTokens([]string{alice, bob}[dice.IntN(2)])
	case removedSubscriptions:
		w.outlook.RemoveSubscriptions([]string{alice, bob}[dice.IntN(2)])
		w.weather.deafen()
	case lostNotifications:
		w.outlook.Silence(true)
		w.weather.deafen()
	case oddProxy:
		w.weather.beset(0, 0, 1+dice.IntN(8))
	case failedOver:
		var err error
		w.takenOver, err = w.store.failOver(w.context, lastSecond)
		w.must(err)
		w.weather.deafen()
	case storeDown:
		w.store.set(true, 0)
		w.weather.deafen()
	case storeSlow:
		w.store.set(false, time.Duration(1+dice.IntN(800))*time.Millisecond)
		w.weather.deafen()
	case forgottenScripts:
		w.must(w.store.forgetScripts(w.context))
	case killedReplica:
		victim.kill(dice.IntN(120))
		w.weather.deafen()
	case frozenReplica:
		victim.freeze(time.Duration(20+dice.IntN(40)) * time.Second)
		w.weather.deafen()
	}
}

func (w *week) relieve(from trouble) {
	switch from {
	case endedAccess:
		// A token that ends within a minute after its renewal is not renewed at once,
		// and what is asked here is not asked again.
		time.Sleep(time.Minute)
	case failedOver:
		w.must(w.takenOver())
	case storeDown, storeSlow:
		w.store.set(false, 0)
	case killedReplica:
		for _, replica := range w.replicas {
			replica.ways.doom()
		}
	case moved:
		settings := &w.config.Settings
		settings.PublicURL = map[string]string{gatewayURL: movedURL, movedURL: gatewayURL}[settings.PublicURL]
		_, err := service.Register(w.context, w.config)
		w.must(err)
	case rekeyed:
		settings := &w.config.Settings
		key := make([]byte, 32)
		copy(key, fmt.Sprintf("another key of episode %d", w.number))
		settings.SecretKeys = append([][]byte{key}, settings.SecretKeys...)
		_, err := service.Register(w.context, w.config)
		w.must(err)
	}
}

// settleExpectations takes over what people did to meetings as a whole. What was
// both removed and brought back, or was removed while being edited in a storm,
// is left to the order in which it arrived.
func (w *week) settleExpectations() {
	for tag := range w.removed {
		w.expect[tag] = false
	}
	for tag := range w.revived {
		w.expect[tag] = true
		if w.removed[tag] {
			delete(w.expect, tag)
		}
	}
}

// tally is what has been counted so far.
type tally struct {
	inOutlook, inNightPOS int
	answers               int // of attendees, written into NightPOS
	outlookMails          int
	nightposMails         int
}

func (w *week) tally() tally {
	var counted tally
	counted.inOutlook, counted.inNightPOS, counted.answers = w.writes()
	counted.outlookMails, counted.nightposMails = len(w.outlook.Mails()), len(w.nightpos.Mails())
	return counted
}

// checkEqual reads both sides and compares them.
func (w *week) checkEqual() {
	w.t.Helper()
	records, copies := map[string]reading{}, map[string]reading{}
	said, heard := map[string]answers{}, map[string]answers{}
	for _, shown := range w.nightpos.Events() {
		if active, _ := shown["active"].(bool); !active {
			continue
		}
		read, replies := w.nightposReading(shown)
		tag := tagOf(read.Title)
		if other, twice := records[tag]; twice {
			w.t.Errorf("NightPOS has a meeting twice:\n%+v\n%+v", other, read)
		}
		records[tag], heard[tag] = read, replies
	}
	for _, address := range []string{alice, bob} {
		for _, shown := range w.outlook.Mailbox(address).Events() {
			cancelled, _ := shown["isCancelled"].(bool)
			organizer, _ := shown["isOrganizer"].(bool)
			if cancelled || !organizer {
				continue
			}
			read, replies := outlookReading(shown)
			tag := tagOf(read.Title)
			if other, twice := copies[tag]; twice {
				w.t.Errorf("Outlook has a meeting twice:\n%+v\n%+v", other, read)
			}
			w.ownAnswers(textIn(shown, "iCalUId"), replies)
			copies[tag], said[tag] = read, replies
		}
	}
	for tag, read := range copies {
		record, there := records[tag]
		if !there {
			w.t.Errorf("only in Outlook: %+v", read)
			continue
		}
		if w.revived[tag] && record.End < time.Now().UTC().Format("2006-01-02T15:04") {
			w.over[tag] = true // it ended before anybody heard that it was brought back
		}
		if w.over[tag] {
			read.People = record.People // whoever was invited to the past is not invited again
			delete(said[tag], carol)
		}
		if difference := cmp.Diff(read, record, cmpopts.IgnoreFields(reading{}, "ID")); difference != "" {
			w.t.Errorf("%s differs, Outlook - NightPOS +:\n%s", tag, difference)
		}
		w.checkAnswers(tag, said[tag], heard[tag])
	}
	for tag, record := range records {
		if _, there := copies[tag]; !there {
			w.t.Errorf("only in NightPOS: %+v", record)
		}
	}
	if w.born%3 == 0 {
		w.checkValidated()
	}
	for tag, expected := range w.expect {
		if _, there := records[tag]; there != expected {
			w.t.Errorf("%s: is in NightPOS: %v; people wanted: %v", tag, there, expected)
		}
	}
}

// checkValidated has the gateway itself compare both calendars. An invitation that
// nobody told of, and that was found before the organizer's lane had listed the
// person in NightPOS, is linked by the next sweep only, or by an answer.
func (w *week) checkValidated() {
	w.t.Helper()
	for _, lane := range w.lanes() {
		found := w.validated(lane)
		if slices.ContainsFunc(found, func(one reconciler.Difference) bool { return one.Cause == reconciler.CauseUnlinked }) {
			w.must(w.replicas[0].Sweep(w.context, lane))
			w.quiet()
			found = w.validated(lane)
		}
		for _, one := range found {
			w.t.Errorf("the gateway finds lane %s to differ: %+v", lane, one)
		}
	}
}

// validated are the differences that matter.
func (w *week) validated(lane string) []reconciler.Difference {
	w.t.Helper()
	validation, err := w.replicas[0].Validate(w.context, lane)
	w.must(err)
	return slices.DeleteFunc(validation.Differences, func(one reconciler.Difference) bool {
		return !one.Cause.Drift() || w.over[tagOf(one.Event.Title)]
	})
}

// ownAnswers puts in what a connected person's own copy says: the organizer's
// copy may not have heard of it. Without a copy, nothing is said.
func (w *week) ownAnswers(iCalUID string, replies answers) {
	for _, address := range []string{alice, bob} {
		if _, invited := replies[address]; !invited {
			continue
		}
		delete(replies, address)
		for _, shown := range w.outlook.Mailbox(address).Events() {
			if cancelled, _ := shown["isCancelled"].(bool); !cancelled && textIn(shown, "iCalUId") == iCalUID {
				replies[address] = outlookAnswer(textIn(shown, "responseStatus", "response"))
			}
		}
	}
}

// checkAnswers compares the answers. Somebody who once deleted the invitation
// has declined in NightPOS, even if Outlook has sent it again with an update.
func (w *week) checkAnswers(tag string, said, heard answers) {
	w.t.Helper()
	for address, answer := range said {
		if w.refused[tag+address] && answer == "open" && heard[address] == "declined" {
			continue
		}
		if heard[address] != answer {
			w.t.Errorf("%s: the answer of %s is %q in Outlook and %q in NightPOS", tag, address, answer, heard[address])
		}
	}
}

// checkOneEdit holds the budget of a single edit in fair weather.
func (w *week) checkOneEdit(before tally) {
	w.t.Helper()
	after, done := w.tally(), w.episode[0]
	here, there := after.inOutlook-before.inOutlook, after.inNightPOS-before.inNightPOS
	if there == 0 {
		// Otherwise they go with the write of the event: NightPOS forgets them
		// when the time changes.
		there = after.answers - before.answers
	}
	if done.from == "nightpos" {
		here, there = there, here
	}
	// Bringing a meeting back makes it anew in the organizer's mailbox, and each
	// attendee's answer is put into that person's own.
	most := 1
	if done.what == "unarchive" {
		most += 2
	}
	if here != 0 || there > most {
		w.t.Errorf("one edit made %d writes on its own side and %d on the other", here, there)
	}
}

// checkMails counts: at most one mail to each attendee for each edit of a
// meeting, none by the gateway's account in NightPOS. An answer that is owed is
// mailed in an episode other than its own.
func (w *week) checkMails(before tally) {
	w.t.Helper()
	edits := map[string]int{}
	for _, done := range w.episode {
		if done.failed == nil && done.from == "nightpos" {
			edits[done.tag]++
		}
	}
	sent := map[string]int{}
	for _, mail := range w.outlook.Mails()[before.outlookMails:] {
		if strings.HasPrefix(mail.Actor, "app:") {
			answer := mark.FindString(mail.Subject) + mail.From
			if mail.Kind == "response" && w.owed[answer] {
				delete(w.owed, answer)
				continue
			}
			sent[mark.FindString(mail.Subject)+" "+mail.To]++
		}
	}
	for key, count := range sent {
		tag, _, _ := strings.Cut(key, " ")
		allowed := edits[tag]
		if w.removed[tag] && w.revived[tag] {
			// Brought back and deleted at once: a copy whose making was never answered
			// and that is gone cannot be told from one that was never made, so it is
			// made, and invites, once more.
			allowed++
		}
		if count > allowed {
			w.t.Errorf("%d mails of Outlook's for %d edits in NightPOS: %s", count, allowed, key)
		}
	}
	account := w.nightpos.Member(accountLogin).ID
	for _, mail := range w.nightpos.Mails()[before.nightposMails:] {
		if mail.User == account {
			w.t.Errorf("NightPOS mailed %s for the gateway: %s", mail.To, mail.Subject)
		}
	}
}

// checkUntold holds the count of what only sweeps found against the weather.
func (w *week) checkUntold(weather sky, before tally, untold int) {
	w.t.Helper()
	after := w.tally()
	found := w.untold() - untold
	wrote := after.inOutlook + after.inNightPOS + after.answers - before.inOutlook - before.inNightPOS - before.answers
	switch {
	case weather == fair && found != 0:
		w.t.Errorf("in fair weather sweeps found %d changes that nobody had told of", found)
	case weather == silent && (found > 0) != (wrote > 0):
		w.t.Errorf("while nobody told of anything, sweeps found %d changes and %d writes followed", found, wrote)
	}
}

// mark finds a meeting's tag behind what Outlook puts before a title.
var mark = regexp.MustCompile(`m\d{3}`)

func (w *week) checkSweepWritesNothing() {
	w.t.Helper()
	before := w.tally()
	w.sweep()
	if after := w.tally(); after != before {
		w.t.Errorf("a sweep of two equal calendars wrote: %+v, then %+v", before, after)
	}
}

// checkLogs looks for what must never be logged.
func (w *week) checkLogs() {
	secrets := append(slices.Clone(words), "the-password-of-the-account", "simulated-secret", "Bearer ", "refresh_token")
	for _, entry := range w.logs.All() {
		line := fmt.Sprint(entry.Message, entry.ContextMap())
		for _, secret := range secrets {
			if strings.Contains(line, secret) {
				w.t.Errorf("a log line holds %q: %s", secret, line)
			}
		}
	}
}
