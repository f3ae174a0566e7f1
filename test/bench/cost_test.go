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
// the README's numbers come from. The calls are held by TestIdleDay and
// TestCallsOfOneChange as well.
const (
	graphIdle, nightposIdle, nightposIdlePerson = 25.3, 672, 26  // calls a day
	tokenRefreshes                              = 24             // a day and person
	renewals                                    = 0.5            // of a subscription, a day
	redisPerEvent, redisPerLog                  = 560, 260 << 10 // bytes
	memoryBase, memoryPerPerson                 = 34 << 20, 8 << 10
	acknowledged                                = 11_800 // webhooks a second and process
	lanesAtOnce                                 = 16
	secondsPerChange                            = 0.2
)

// What it assumes.
const (
	changes, busySeconds, peak         = 10, 8 * 3600, 3
	tellings                           = 3 // of Graph, for each change and each write
	events                             = 500
	redisNode, used            float64 = 25 << 30, 0.5
)

// costOf is what a number of mailboxes takes: the columns of the page, in its order.
func costOf(mailboxes float64) []string {
	graphMean := mailboxes * (graphIdle + changes*1.5) / 86400
	graphPeak := mailboxes*graphIdle/86400 + mailboxes*changes*1.5/busySeconds*peak
	nightposPeak := mailboxes*nightposIdlePerson/86400 + mailboxes*changes*1.5/busySeconds*peak
	changesPeak := mailboxes * changes / busySeconds * peak
	webhooksPeak := changesPeak * (tellings + 1)
	redis := mailboxes * (events*redisPerEvent + redisPerLog)
	shards := math.Ceil(redis / (redisNode * used))
	processes := 1 + math.Max(math.Ceil(webhooksPeak/(acknowledged*used)), math.Ceil(changesPeak*secondsPerChange/(lanesAtOnce*used)))
	memory := memoryBase + memoryPerPerson*mailboxes
	return []string{
		rounded(graphMean), rounded(graphPeak), rounded(nightposPeak), rounded(webhooksPeak),
		rounded(mailboxes * renewals / 1440), rounded(mailboxes * tokenRefreshes / 1440),
		rounded(redis/(1<<30)) + " GB", rounded(shards), rounded(processes), rounded(memory/(1<<20)) + " MB",
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
	columns := [][]string{costOf(1_000), costOf(100_000), costOf(1_000_000)}
	for index, name := range []string{
		"calls to Graph a second, over a day", "the same, in the busiest minute", "calls to NightPOS a second, all databases, in the busiest minute",
		"webhooks a second, in the busiest minute", "subscriptions renewed a minute", "tokens refreshed a minute",
		"Redis", "nodes of Redis, without their replicas", "gateways", "memory of each gateway",
	} {
		row := fmt.Sprintf("| %s | %s | %s | %s |", name, columns[0][index], columns[1][index], columns[2][index])
		if !strings.Contains(string(page), row+"\n") {
			t.Errorf("COST.md has no line\n%s", row)
		}
	}
	for _, input := range []string{
		fmt.Sprintf("| %v a day: a look", graphIdle), fmt.Sprintf("| %d a day, and %d a day for each person |", nightposIdle, nightposIdlePerson),
		fmt.Sprintf("| %d bytes |", redisPerEvent), fmt.Sprintf("| %d KB at most", redisPerLog>>10),
		fmt.Sprintf("| %d MB, and %d KB for each", memoryBase>>20, memoryPerPerson>>10),
		fmt.Sprintf("| %s a second, on two cores", rounded(acknowledged)),
	} {
		if !strings.Contains(string(page), input) {
			t.Errorf("COST.md does not say %q", input)
		}
	}
}
