package bench_test

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"
)

// What the page on cost takes from the report of make bench, on the machine that
// the README's numbers come from. TestIdleDay and TestCallsOfOneChange hold the
// calls; how often a subscription is renewed depends on how often Graph asks.
const (
	graphLooks, nightposIdlePerson          = 25, 26     // calls a day and person
	renewals, tokenRefreshes, lifecycleTold = 86, 43, 86 // a day and person
	renewalsUnasked                         = 24         // a day and person of whom Graph says nothing
	nightposIdle, nightposIdleGateway       = 96, 576    // calls a day and database: all gateways together, and each
	redisPerEvent, redisPerLog              = 560, 260 << 10
	memoryBase, memoryPerPerson             = 34 << 20, 8 << 10
	acknowledged                            = 11_800 // webhooks a second and process
	lanesAtOnce                             = 16
	secondsPerChange, secondsPerCall        = 0.2, 0.1
)

// What it assumes.
const (
	changes, busySeconds, peak         = 10, 8 * 3600, 3
	tellings                           = 3 // of Graph, for each change and each write
	events                             = 500
	redisNode, used            float64 = 25 << 30, 0.5
	perDatabase, perGroup              = 1_000, 50_000 // people
)

// What Graph allows: requests a second for each application.
const graphAllows = 13_000

const day = 86400

// costs are what a number of mailboxes takes. Peaks are means over the busiest
// minute.
type costs struct {
	groups, perGroup                   float64
	graphMean, graphPeak, nightposPeak float64
	webhooksPeak                       float64
	redis, memory                      float64
}

func costOf(mailboxes float64) costs {
	idle, busy := mailboxes/day, mailboxes*changes/busySeconds*peak
	c := costs{
		groups:       math.Ceil(mailboxes / perGroup),
		graphMean:    idle * (graphLooks + renewals + changes*1.5),
		graphPeak:    idle*(graphLooks+renewals) + busy*1.5,
		webhooksPeak: idle*lifecycleTold + busy*(tellings+1),
		redis:        mailboxes * (events*redisPerEvent + redisPerLog),
	}
	// Rounds, sweeps, renewals and the refreshes behind them are a lane's work too.
	lanes := idle*(graphLooks+renewals+tokenRefreshes+nightposIdlePerson)*secondsPerCall + busy*secondsPerChange
	c.perGroup = 1 + math.Max(math.Ceil(c.webhooksPeak/c.groups/(acknowledged*used)), math.Ceil(lanes/c.groups/(lanesAtOnce*used)))
	c.nightposPeak = idle*nightposIdlePerson + busy*1.5 + math.Ceil(mailboxes/perDatabase)*(nightposIdle+nightposIdleGateway*c.perGroup)/day
	c.memory = memoryBase + memoryPerPerson*mailboxes/c.groups
	return c
}

// column is one of the page, in its order.
func column(mailboxes float64) []string {
	c := costOf(mailboxes)
	return []string{
		rounded(mailboxes * (graphLooks + renewals)), rounded(c.graphMean), rounded(c.graphPeak), rounded(c.nightposPeak), rounded(c.webhooksPeak),
		rounded(mailboxes * renewals / 1440), rounded(mailboxes * tokenRefreshes / 1440),
		rounded(c.redis/(1<<30)) + " GB", rounded(math.Ceil(c.redis / (redisNode * used))),
		rounded(c.groups * c.perGroup), rounded(c.memory/(1<<20)) + " MB",
	}
}

// rounded has two digits that count.
func rounded(value float64) string {
	if value >= 100 {
		unit := math.Pow(10, math.Floor(math.Log10(value))-1)
		text := strconv.FormatFloat(math.Round(value/unit)*unit, 'f', 0, 64)
		for at := len(text) - 3; at > 0; at -= 3 {
			text = text[:at] + "," + text[at:]
		}
		return text
	}
	return strconv.FormatFloat(value, 'g', 2, 64)
}

// TestCostPage does the arithmetic of COST.md again.
func TestCostPage(t *testing.T) {
	page, err := os.ReadFile("../../COST.md")
	if err != nil {
		t.Fatal(err)
	}
	columns := [][]string{column(1_000), column(100_000), column(1_000_000)}
	for index, name := range []string{
		"calls to Graph a day, if nobody does anything", "calls to Graph a second, over a day", "the same, in the busiest minute",
		"calls to NightPOS a second, all databases, in the busiest minute",
		"webhooks a second, in the busiest minute", "subscriptions renewed a minute", "tokens refreshed a minute",
		"Redis", "nodes of Redis, without their replicas", "gateways", "memory of each gateway",
	} {
		row := fmt.Sprintf("| %s | %s | %s | %s |", name, columns[0][index], columns[1][index], columns[2][index])
		if !strings.Contains(string(page), row+"\n") {
			t.Errorf("COST.md has no line\n%s", row)
		}
	}
	large := costOf(1_000_000)
	text := strings.Join(strings.Fields(string(page)), " ")
	for _, input := range []string{
		fmt.Sprintf("| %d a day: a look for changes every hour and a sweep make %d, renewals of its subscription %d |", graphLooks+renewals, graphLooks, renewals),
		fmt.Sprintf("| %d a day where Graph says nothing about subscriptions |", renewalsUnasked),
		fmt.Sprintf("| %d a day, %d more for each gateway that serves it, and %d for each person |", nightposIdle, nightposIdleGateway, nightposIdlePerson),
		fmt.Sprintf("| refreshes of a token | %d a day for each person |", tokenRefreshes), fmt.Sprintf("| %d a day for each person, as often as Graph asks", lifecycleTold),
		fmt.Sprintf("| %d bytes |", redisPerEvent), fmt.Sprintf("| %d KB at most", redisPerLog>>10),
		fmt.Sprintf("| %d MB, and %d KB for each", memoryBase>>20, memoryPerPerson>>10),
		fmt.Sprintf("| %s a second, on two cores", rounded(acknowledged)),
		fmt.Sprintf("%.0f groups of %.0f gateways", large.groups, large.perGroup), fmt.Sprintf("each of which knows %s people and holds %s MB", rounded(perGroup), rounded(large.memory/(1<<20))),
		fmt.Sprintf("refresh %s tokens a second", rounded(1_000_000*tokenRefreshes/float64(day))),
		fmt.Sprintf("a million mailboxes use %.0f %% of it over a day and %.0f %% in the busiest minute", 100*large.graphMean/graphAllows, 100*large.graphPeak/graphAllows),
	} {
		if !strings.Contains(text, input) {
			t.Errorf("COST.md does not say %q", input)
		}
	}
}

// TestReadmeOfIdle holds what the README takes from the page.
func TestReadmeOfIdle(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("A mailbox in which nothing happens gets %d calls a day", graphLooks+renewals); !strings.Contains(strings.Join(strings.Fields(string(text)), " "), want) {
		t.Errorf("README.md does not say %q", want)
	}
}
