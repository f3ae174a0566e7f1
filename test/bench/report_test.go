package bench_test

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

var report = flag.Bool("report", false, "measure at full scale and print the table, as make bench does")

const (
	// aimAcknowledgement and aimLane are the ratios to the floor that are aimed
	// at, aimThroughput that of what is acknowledged per second at saturation,
	// where times only say how long the queue was, and aimMemory the bytes of the
	// idle process.
	aimAcknowledgement = 1.3
	aimThroughput      = 0.8
	aimLane            = 2.0
	aimMemory          = 60 << 20
	// aimCalls is what the calls of NightPOS for 1,000 changes, reads and writes
	// together, are to stay under.
	aimCalls = 60
	// aimLinked is how many bytes of Redis a linked event is to take.
	aimLinked = 600
	// mostAtOnce is how many calls for one mailbox Graph carries out at a time.
	mostAtOnce = 4

	crowd = 1000
)

// TestReport measures everything at full scale and prints it. It asserts no
// time.
func TestReport(t *testing.T) {
	if !*report {
		t.Skip("measuring takes minutes and needs the machine for itself: run make bench, or pass -report")
	}
	fmt.Printf("\n%s/%s, %d cores, %s; Redis syncs every write to disk, as in docker-compose.yml\n",
		runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), runtime.Version())
	t.Run("acknowledgement", reportAcknowledgement)
	t.Run("lane", reportLane)
	t.Run("lag", reportLag)
	t.Run("calls", reportCalls)
	t.Run("flood", reportFlood)
	t.Run("meanwhile", reportMeanwhile)
	t.Run("memory", reportMemory)
	t.Run("idle", reportIdle)
}

// table prints columns under a heading and is flushed by the returned function.
func table(heading string, columns ...string) (row func(cells ...any), end func()) {
	fmt.Printf("\n%s\n", heading)
	writer := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	row = func(cells ...any) {
		for index, cell := range cells {
			if index > 0 {
				_, _ = io.WriteString(writer, "\t")
			}
			_, _ = fmt.Fprint(writer, cell)
		}
		_, _ = io.WriteString(writer, "\n")
	}
	cells := make([]any, len(columns))
	for index, column := range columns {
		cells[index] = column
	}
	row(cells...)
	return row, func() { _ = writer.Flush() }
}

func milliseconds(took time.Duration) string {
	return fmt.Sprintf("%.2f ms", float64(took)/float64(time.Millisecond))
}

// beside are the cells that put something measured beside its floor, if it has
// one.
func beside(measured, floor *latencies, aim float64) []any {
	cells := []any{milliseconds(measured.at(50)), milliseconds(measured.at(99))}
	if floor.count() == 0 {
		return append(cells, "–", "–", "–", "–", "–")
	}
	ratio := float64(measured.at(50)) / float64(floor.at(50))
	return append(cells, milliseconds(floor.at(50)), milliseconds(floor.at(99)),
		fmt.Sprintf("%.2f", ratio), fmt.Sprintf("%.2f", float64(measured.at(99))/float64(floor.at(99))),
		fmt.Sprintf("%.1f: %s", aim, met(ratio <= aim)))
}

// throughput says whether enough was acknowledged per second.
func throughput(measured, floor *latencies) string {
	ratio := measured.rate() / floor.rate()
	return fmt.Sprintf("%.1f of the floor's rate: %.2f, %s", aimThroughput, ratio, met(ratio >= aimThroughput))
}

func rates(measured, floor *latencies) string {
	if floor.count() == 0 {
		return fmt.Sprintf("%.0f", measured.rate())
	}
	return fmt.Sprintf("%.0f, floor %.0f", measured.rate(), floor.rate())
}

var besideColumns = []string{"p50", "p99", "floor p50", "floor p99", "ratio p50", "ratio p99", "aim"}

func reportAcknowledgement(t *testing.T) {
	url := startRedis(t)
	w := newWorld(t, wishes{people: 100, redisURL: url})
	row, end := table("Acknowledging a webhook, beside a bare handler that only does one Redis write",
		append([]string{"posts", "route"}, append(besideColumns, "per second", "refused")...)...)
	defer end()
	show := func(by load, measured acknowledgement) {
		for _, one := range []struct {
			route    string
			measured *latencies
		}{{"graph", measured.graph}, {"nightpos", measured.nightpos}} {
			cells := append([]any{by.name, one.route}, beside(one.measured, measured.floor, aimAcknowledgement)...)
			if by.rate == 0 {
				cells[len(cells)-1] = throughput(one.measured, measured.floor)
			}
			row(append(cells, rates(one.measured, measured.floor), one.measured.refused)...)
		}
	}
	// The workers must not take the cores from what is measured: the calendars
	// keep them waiting.
	release := w.hold()
	for _, by := range []load{
		{name: "500/s", rate: 500, turn: 3 * time.Second, turns: 6},
		{name: "saturation", connections: 32, turn: 2 * time.Second, turns: 6},
	} {
		acknowledge(t, w, url, load{name: "warming up", rate: by.rate, connections: by.connections, turn: time.Second, turns: 1})
		show(by, acknowledge(t, w, url, by))
	}
	release()
	w.close()
	// The same where Redis syncs to disk every second only, which an operator may
	// choose: what was acknowledged outlives the processes, not the machine.
	url = startRedisSyncing(t, "everysec")
	w = newWorld(t, wishes{people: 100, redisURL: url})
	release = w.hold()
	for _, by := range []load{
		{name: "2,000/s, Redis syncing every second", rate: 2000, turn: 3 * time.Second, turns: 4},
		{name: "saturation, Redis syncing every second", connections: 32, turn: 2 * time.Second, turns: 4},
	} {
		acknowledge(t, w, url, load{name: "warming up", rate: by.rate, connections: by.connections, turn: time.Second, turns: 1})
		show(by, acknowledge(t, w, url, by))
	}
	release()
	w.close()
	// Then they work, on the same cores, and so do both simulators.
	url = startRedis(t)
	w = newWorld(t, wishes{people: 100, redisURL: url})
	defer w.close()
	by := load{name: "500/s, workers and simulators busy", rate: 500, turn: 3 * time.Second, turns: 3, overload: true}
	show(by, acknowledge(t, w, url, by))
}

func reportLane(t *testing.T) {
	url := startRedis(t)
	measured := enqueue(t, url, 200, 3000)
	row, end := table("From adding an item to its start by a waiting worker, beside a bare blocking pop",
		append([]string{"worker"}, besideColumns...)...)
	defer end()
	row(append([]any{"same process"}, beside(measured.same, measured.floor, aimLane)...)...)
	row(append([]any{"another process"}, beside(measured.other, measured.floor, aimLane)...)...)
}

func reportLag(t *testing.T) {
	row, end := table("End-to-end lag at idle: from the edit on one side to the same on the other", "from", "p50", "p99")
	defer end()
	for _, one := range []struct {
		name  string
		delay func() time.Duration
	}{
		{"NightPOS, readable as soon as its webhook is answered", nil},
		{"NightPOS, readable 1 to 5 ms after that", func() time.Duration { return time.Millisecond + rand.N(4*time.Millisecond) }},
	} {
		w := newWorld(t, wishes{people: 2, redisURL: startRedis(t), commitDelay: one.delay})
		measured := w.lag(w.fill(1), 100)
		w.close()
		if one.delay == nil {
			row("Outlook", milliseconds(measured.fromOutlook.at(50)), milliseconds(measured.fromOutlook.at(99)))
		}
		row(one.name, milliseconds(measured.fromNightPOS.at(50)), milliseconds(measured.fromNightPOS.at(99)))
	}
}

// callTimes are about what a call takes in reality, so that what waits
// meanwhile is taken together.
const (
	graphTime    = 50 * time.Millisecond
	nightposTime = 25 * time.Millisecond
	// busyTime is for both where the issue is how much the gateway adds.
	busyTime = 100 * time.Millisecond
)

func reportCalls(t *testing.T) {
	row, end := table(fmt.Sprintf("Requests for a burst of changes, with calls that take %s (Graph) and %s (NightPOS)", graphTime, nightposTime),
		"changes", "made in", "Graph", "NightPOS reads", "NightPOS writes", "NightPOS per change", "aim", "for as many echoes")
	defer end()
	for _, count := range []int{1, 20, 1000} {
		w := newWorld(t, wishes{
			people: 1, redisURL: startRedis(t), graphTime: graphTime, nightposTime: nightposTime,
			commitDelay: func() time.Duration { return time.Millisecond + rand.N(4*time.Millisecond) },
		})
		filled := w.fill(count)
		for _, side := range []reconciler.Side{reconciler.SideOutlook, reconciler.SideNightPOS} {
			got := w.burst(side, filled, count, "Burst in "+string(side))
			checkEconomy(t, side, count, got)
			echoes, spent := w.echo()
			if spent != (cost{}) {
				t.Errorf("%d echoes: got %+v, want no requests", echoes, spent)
			}
			calls, aim := got.nightposReads+got.nightposWrites, "–"
			if count == 1000 {
				aim = fmt.Sprintf("under %d: %s", aimCalls, met(calls < aimCalls))
			}
			row(count, side, got.graph, got.nightposReads, got.nightposWrites,
				fmt.Sprintf("%.3f", float64(calls)/float64(count)), aim, spent.graph+spent.nightposReads+spent.nightposWrites)
		}
		w.close()
	}
}

// floodEvents and floodTimes make 20,000 notifications for a crowd.
const (
	floodEvents = 4
	floodTimes  = 5
)

func reportFlood(t *testing.T) {
	url := startRedis(t)
	w := newWorld(t, wishes{people: crowd, events: floodEvents, redisURL: url, graphTime: graphTime, nightposTime: nightposTime})
	defer w.close()
	got := w.flood(floodTimes, 64)
	row, end := table(fmt.Sprintf("A flood: %d events of %d mailboxes changed, Graph tells of each %d times, in random order", crowd*floodEvents, crowd, floodTimes),
		"posts", "posted in", "acknowledged p50", "p99", "all in NightPOS after", "requests to a mailbox, mean", "most", "calls at once, those in batches too", "aim", "NightPOS reads", "writes")
	defer end()
	total := 0
	for _, count := range got.requests {
		total += count
	}
	row(got.posts, got.posting.Round(time.Millisecond), milliseconds(got.acknowledged.at(50)), milliseconds(got.acknowledged.at(99)), got.drained.Round(time.Millisecond),
		fmt.Sprintf("%.1f", float64(total)/float64(crowd)), got.requests[len(got.requests)-1], got.mostAtOnce,
		fmt.Sprintf("%d at once: %s", mostAtOnce, met(got.mostAtOnce <= mostAtOnce)), got.nightposReads, got.nightposWrites)
}

// aimsMeanwhile are those for the lag while a large first sync runs.
var aimsMeanwhile = []struct {
	percentage float64
	lag        time.Duration
}{{50, 250 * time.Millisecond}, {95, time.Second}, {99, 3 * time.Second}}

// largeCalendar is how many events each side has alone before a first sync.
const largeCalendar = 5000

func reportMeanwhile(t *testing.T) {
	url := startRedis(t)
	w := newWorld(t, wishes{people: 2, late: 1, events: 100, redisURL: url, graphTime: busyTime, nightposTime: busyTime})
	defer w.close()
	measured := w.lagMeanwhile(largeCalendar, time.Second)
	row, end := table(fmt.Sprintf("Lag while a first sync of %d events runs (%s), with calls that take %s", measured.first, measured.took.Round(time.Second), busyTime),
		"who", "from", "edits", "p50", "p95", "p99", "aim")
	defer end()
	for _, one := range []struct {
		who, from string
		measured  *latencies
		aims      bool
	}{
		{"others", "Outlook", measured.others.fromOutlook, true},
		{"others", "NightPOS", measured.others.fromNightPOS, true},
		{"that person", "Outlook", measured.own.fromOutlook, false},
		{"that person", "NightPOS", measured.own.fromNightPOS, false},
	} {
		aims := "–"
		if one.aims {
			reached := true
			for _, aim := range aimsMeanwhile {
				reached = reached && one.measured.at(aim.percentage) < aim.lag
			}
			aims = "0.25 s, 1 s, 3 s: " + met(reached)
		}
		row(one.who, one.from, one.measured.count(), milliseconds(one.measured.at(50)), milliseconds(one.measured.at(95)), milliseconds(one.measured.at(99)), aims)
	}
	linked := int64(len(w.pairs(0)) + len(w.pairs(1)))
	held := heldBy(t, url, kindOfKey)
	each := held["links"] / linked
	fmt.Printf("Redis holds %d bytes for each of %d linked events; aim %d: %s; the activity logs of 2 people, of 1,000 lines at most each, %d KB, everything else %d KB\n",
		each, linked, aimLinked, met(each < aimLinked), held["log"]>>10, held["else"]>>10)
}

// kindOfKey says what there is one of for each linked event, which keys are logs of
// people, and which are neither.
func kindOfKey(key string) string {
	name := key[strings.LastIndexByte(key, ':')+1:]
	switch {
	case name == "links", name == "copies", name == "pairs", strings.Contains(key, "{meetings:"):
		return "links"
	case name == "log":
		return "log"
	}
	return "else"
}

func reportIdle(t *testing.T) {
	spent := idleDay(t, 10, 2, false)
	row, end := table(fmt.Sprintf("A day in which nobody does anything, %d people, %d gateways, in virtual time", spent.people, spent.gateways), "side", "call", "a day")
	defer end()
	for _, name := range slices.Sorted(maps.Keys(spent.graph)) {
		row("Graph, each mailbox", name, fmt.Sprintf("%.1f", spent.each(spent.graph[name])))
	}
	row("sign-in, each mailbox", "POST token", fmt.Sprintf("%.1f", spent.each(spent.refreshes)))
	row("the gateways, from Graph, each mailbox", "lifecycle notifications", fmt.Sprintf("%.1f", spent.each(spent.told)))
	for _, name := range slices.Sorted(maps.Keys(spent.nightpos)) {
		row("NightPOS, all together", name, spent.nightpos[name])
	}
}

func met(reached bool) string { return map[bool]string{true: "met", false: "missed"}[reached] }

// few is the crowd beside which a large one shows what each person adds.
const few = 10

func reportMemory(t *testing.T) {
	row, end := table("Memory of the binary", "connected people", "idle", "peak, sweeping all after a start", "aim")
	defer end()
	idle := map[int]int64{}
	for _, people := range []int{few, crowd} {
		w := newWorld(t, wishes{people: people, redisURL: startRedis(t)})
		measured := w.remember()
		w.close()
		idle[people] = measured.idle
		row(people, fmt.Sprintf("%.1f MB", float64(measured.idle)/(1<<20)), fmt.Sprintf("%.1f MB", float64(measured.peak)/(1<<20)),
			fmt.Sprintf("%d MB: %s", aimMemory>>20, met(measured.idle < aimMemory)))
	}
	row("each more", fmt.Sprintf("%.1f KB", float64(idle[crowd]-idle[few])/(crowd-few)/(1<<10)), "–", "–")
}
