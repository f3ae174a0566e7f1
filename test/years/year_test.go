package years_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

var (
	people = flag.Int("people", usualPeople, "how many people")
	days   = flag.Int("days", usualDays, "how many days")
	seed   = flag.Uint64("seed", 1, "the seed")
	edits  = flag.Float64("edits", 1, "how many edits each person makes in a day")
	tokens = flag.Duration("tokens", 0, "how long access tokens live at least, and up to half as much again; 0: 4 hours")
	sweeps = flag.Duration("sweeps", 6*time.Hour, "how often calendars are swept")
	rounds = flag.Duration("rounds", 2*time.Hour, "how often both sides are asked for changes")
)

// TestYear lives through a year. Every other person has a personal account, which gets
// no lifecycle notifications (4.9, 13.17); under odd seeds what happens while a token
// has ended is told to nobody (4.3).
func TestYear(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		switches := simoutlook.Switches{AnyAddress: true, Duplicates: 0.02, VaryShapes: true, PauseLoses: *seed%2 == 1}
		// Each token costs renewals, of which fewer show the same.
		switches.TokenLifetime = simoutlook.Span{Least: 4 * time.Hour, Most: 6 * time.Hour}
		if *tokens > 0 {
			switches.TokenLifetime = simoutlook.Span{Least: *tokens, Most: *tokens * 3 / 2}
		}
		y := &year{
			random: rand.New(rand.NewPCG(*seed, 3)), margin: 365 * 24 * time.Hour, renewal: max(switches.TokenLifetime.Most, 90*time.Minute),
			world: newWorld(t, scale{people: *people, seed: *seed, sweepEvery: *sweeps, changesEvery: *rounds, switches: switches}),
		}
		defer y.close()
		y.live(time.Now().AddDate(0, 0, *days))
	})
}

// year is one history.
type year struct {
	*world
	random *rand.Rand
	// renewal is within what time a subscription is renewed: before the token
	// behind it ends.
	renewal time.Duration
	born    int
	edits   int
	// deleted is how many meetings people deleted.
	deleted int
	// rotations counts the gateway's keys.
	rotations int
	// margin is the shortest time before an end at which nobody was late; dead
	// is the longest for which nothing was delivered though nothing hindered.
	margin, dead time.Duration
	events       map[string]int
}

const (
	// progress is how often a verbose run says, at once, how far it is: what is
	// logged shows only at the end of what may take hours.
	progress = 10 * 24 * time.Hour
	// tick is how often the subscriptions are looked at, and the grain of what
	// happens.
	tick = 5 * time.Minute
	// recovery is what the gateway has after an outage until everybody's
	// subscription must deliver again.
	recovery = 15 * time.Minute
)

// often says whether something happens in a tick that happens so often a day.
func (y *year) often(timesADay float64) bool {
	return y.random.Float64() < timesADay*float64(tick)/float64(24*time.Hour)
}

func (y *year) live(end time.Time) {
	y.events = map[string]int{}
	y.quiet(time.Hour)
	for next := time.Now().Add(progress); time.Now().Before(end) && !y.t.Failed(); time.Sleep(tick) {
		if testing.Verbose() && time.Now().After(next) {
			next = next.Add(progress)
			fmt.Fprintf(os.Stderr, "%s: %d edits\n", time.Now().Format(time.DateOnly), y.edits)
		}
		y.look()
		y.turn()
		y.befall()
		for range y.people {
			if y.often(*edits) {
				y.edit(y.people[y.random.IntN(len(y.people))])
			}
		}
		if y.often(1) {
			y.learn()
		}
	}
	y.settle()
	y.report(end)
}

// turn begins and ends outages.
func (y *year) turn() {
	if !y.weather.is(nothing) {
		if time.Now().After(y.weather.until) {
			y.end()
		}
		return
	}
	if !y.often(0.25) {
		return
	}
	out := outage(1 + y.random.IntN(int(outages)-1))
	y.weather.until = time.Now().Add(y.weather.length())
	y.weather.turn(out)
	switch out {
	case off:
		y.stop()
	case secret:
		y.outlook.RotateSecret(simoutlook.DefaultApplication.ID, y.secret()+"-new")
	}
}

func (y *year) secret() string { return y.config.Settings.MicrosoftClientSecret.Reveal() }

// end ends the outage. A gateway that starts again has, now and then, other keys.
func (y *year) end() {
	switch {
	case y.weather.is(secret):
		y.config.Settings.MicrosoftClientSecret = gateway.Secret(y.secret() + "-new")
		y.stop()
		y.start()
	case y.weather.is(off):
		y.start()
	}
	y.weather.turn(nothing)
}

// rotate gives the gateway a new key beside the present one, and leaves out the
// one before it.
func (y *year) rotate() {
	y.rotations++
	y.config.Settings.SecretKeys = [][]byte{key(y.rotations), key(y.rotations - 1)}
	y.stop()
	if _, err := service.Register(y.context, y.config); err != nil {
		y.t.Logf("registering after a rotation: %v; it is done at the next one", err)
	}
	y.start()
	y.weather.turn(nothing) // a start, and what comes after it
}

// befall lets things happen to people and to the gateway.
func (y *year) befall() {
	for _, one := range y.people {
		switch {
		case !one.revoked.IsZero() && time.Now().After(one.back):
			if y.running == nil {
				continue
			}
			if err := y.connect(one); err == nil {
				one.revoked, one.back = time.Time{}, time.Now()
			}
		case !one.revoked.IsZero():
		case y.often(1. / 120):
			y.events["signed out everywhere"]++
			y.outlook.Revoke(one.address)
			one.befallen = "signed out everywhere at " + time.Now().Format(time.DateTime)
			one.revoked = time.Now()
			one.back = time.Now().Add(time.Duration(y.random.Int64N(int64(48 * time.Hour))))
		case y.often(1. / 40):
			// Without a word about it, only the next renewal finds out.
			y.events["subscription removed"] += y.outlook.RemoveSubscriptions(one.address)
			one.befallen = "the subscription was removed at " + time.Now().Format(time.DateTime)
			switch {
			case one.personal:
				one.back = time.Now().Add(y.renewal)
			case y.weather.is(microsoft, deafness):
				one.unheard = time.Now()
			}
		}
	}
	if y.weather.is(nothing) && time.Since(y.weather.fair) > time.Hour && y.often(1./20) {
		y.events["key rotated"]++
		y.rotate()
	}
}

// look holds that everybody's notifications are delivered unless something
// forbids it.
func (y *year) look() {
	until := y.outlook.Delivering()
	hindered := y.weather.is(graph, microsoft, deafness, off, secret) || time.Since(y.weather.fair) < recovery
	for _, one := range y.people {
		ends, delivers := until[one.address]
		excused := hindered || !one.revoked.IsZero() || time.Since(one.back) < recovery || time.Since(y.heard(one)) < recovery
		switch {
		case delivers:
			one.dead, one.unheard = 0, time.Time{}
			if !excused {
				y.margin = min(y.margin, time.Until(ends))
			}
		case !excused:
			one.dead += tick
			y.dead = max(y.dead, one.dead)
			if one.dead > 2*tick {
				kept, err := y.running.Store().Subscription(y.context, one.lane)
				y.t.Errorf("%s: nothing is delivered to %s for %s, and no outage forces that; kept %s, %v", time.Now().Format(time.DateTime), one.login, one.dead, kept, err)
				y.explain(one)
			}
		}
	}
}

// repeats is for how long Graph repeats what is not taken, with pauses that double
// (3.5).
const repeats = 4 * time.Hour

// heard is by when the gateway knows of a removal that Microsoft could not tell of
// at first: the next attempt after the end of an outage is as far away as the outage
// was long, and when no attempt is left the next renewal finds out.
func (y *year) heard(one *person) time.Time {
	switch deaf := y.weather.fair.Sub(one.unheard); {
	case one.unheard.IsZero():
		return time.Time{}
	case deaf < repeats/2:
		return y.weather.fair.Add(deaf)
	}
	return one.unheard.Add(y.renewal)
}

// settle lets everything that still hinders end, and whatever is under way
// arrive.
func (y *year) settle() {
	if !y.weather.is(nothing) {
		y.end()
	}
	y.weather.still(true)
	for _, one := range y.people {
		if !one.revoked.IsZero() {
			y.must(y.connect(one))
			one.revoked = time.Time{}
		}
	}
	time.Sleep(30*time.Minute + *sweeps)
	y.quiet(12 * time.Hour)
	for _, one := range y.people {
		y.must(y.running.Sweep(y.context, one.lane))
	}
	y.quiet(12 * time.Hour)
	records := y.inNightPOS()
	for _, one := range y.people {
		y.compare(one, y.inOutlook(one), records[one.member.ID])
	}
}

// compare holds both sides against what the person wants.
func (y *year) compare(one *person, events, records map[string]shown) {
	for _, wanted := range one.meetings {
		event, inOutlook := events[wanted.tag]
		record, inNightPOS := records[wanted.tag]
		delete(events, wanted.tag)
		delete(records, wanted.tag)
		if inOutlook == wanted.gone || inNightPOS == wanted.gone {
			y.t.Errorf("%s %s: deleted by the person: %v; in Outlook: %v; in NightPOS: %v", one.login, wanted.tag, wanted.gone, inOutlook, inNightPOS)
			continue
		}
		if wanted.gone {
			continue
		}
		want := shown{title: wanted.title, place: wanted.place, start: wanted.start.Format("2006-01-02T15:04")}
		for side, got := range map[string]shown{"Outlook": event, "NightPOS": record} {
			got.graphID, got.recordID = "", 0
			if got != want {
				y.t.Errorf("%s %s in %s: %+v, want %+v", one.login, wanted.tag, side, got, want)
			}
		}
	}
	for _, left := range []map[string]shown{events, records} {
		for tag, read := range left {
			y.t.Errorf("%s has a meeting that nobody made: %s %+v", one.login, tag, read)
		}
	}
}

// report prints what the year brought.
func (y *year) report(end time.Time) {
	counts := y.outlook.Counts()
	living := 0
	for _, one := range y.people {
		for _, known := range one.meetings {
			if !known.gone {
				living++
			}
		}
	}
	maps.Copy(y.events, y.weather.counts)
	var lines []string
	for _, name := range slices.Sorted(maps.Keys(y.events)) {
		lines = append(lines, fmt.Sprintf("%s %d", name, y.events[name]))
	}
	y.t.Logf("%d people until %s: %d edits, %d deletions, %d meetings left", len(y.people), end.Format(time.DateOnly), y.edits, y.deleted, living)
	y.t.Logf("misfortunes: %s", strings.Join(lines, ", "))
	y.t.Logf("%d renewals, %d subscriptions made; the tightest margin before an end %s, the longest time undelivered without an outage %s; %+v",
		counts["PATCH /subscriptions/{subscription}"], counts["POST /subscriptions"], y.margin.Round(time.Second), y.dead, y.outlook.Delivery())
}
