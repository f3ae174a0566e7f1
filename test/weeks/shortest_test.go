package weeks_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var shorten = flag.Bool("shorten", false, "find the shortest part of the week of -seed that still fails")

// TestShortest leaves out of a week that fails whatever it can while the week
// still fails, and prints what is left: a few edits under some weather. Each
// attempt is a process of its own.
func TestShortest(t *testing.T) {
	if !*shorten {
		t.Skip("run make shorten SEED=… when a week has failed")
	}
	failed, output := attempt(t, nil)
	if !failed {
		t.Fatalf("the week of seed %d does not fail", *seed)
	}
	parts := allParts(*seed, lastEpisode(t, output))
	shortest := shortestOf(parts, func(kept []string) bool {
		failed, shown := attempt(t, kept)
		if failed {
			output = shown
			t.Logf("fails with %d of %d parts", len(kept), len(parts))
		}
		return failed
	})
	t.Logf("%s\n-seed=%d -keep=%s", output, *seed, strings.Join(shortest, ","))
}

// allParts names everything that happens until an episode.
func allParts(seed uint64, episodes int) []string {
	var parts []string
	for number := 1; number <= episodes; number++ {
		drawn := (&week{seed: seed, number: number}).course()
		if drawn.weather != fair {
			parts = append(parts, fmt.Sprintf("%d.w", number))
		}
		for edit := range drawn.edits {
			parts = append(parts, fmt.Sprintf("%d.%d", number, edit+1))
		}
	}
	return parts
}

// attempt lives the week of -seed, with these parts of it, all if nil, and says
// whether it failed.
func attempt(t *testing.T, parts []string) (failed bool, output string) {
	t.Helper()
	list := strings.Join(parts, ",")
	if parts != nil && list == "" {
		list = "nothing"
	}
	command := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWeeks$", "-test.timeout=5m", "-seeds=1",
		fmt.Sprintf("-seed=%d", *seed), "-keep="+list)
	content, err := command.CombinedOutput()
	return err != nil && strings.Contains(string(content), "--- FAIL: TestWeeks"), string(content)
}

var episodeLine = regexp.MustCompile(`seed \d+, episode (\d+), with`)

func lastEpisode(t *testing.T, output string) int {
	t.Helper()
	found := episodeLine.FindStringSubmatch(output)
	if found == nil {
		t.Fatalf("the week did not fail in one of its episodes:\n%s", output)
	}
	number, err := strconv.Atoi(found[1])
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// shortestOf leaves parts out, many at a time at first, as long as the rest still
// fails (delta debugging, Zeller and Hildebrandt 2002). No single part of what it
// returns can be left out.
func shortestOf(parts []string, fails func([]string) bool) []string {
	for size := (len(parts) + 1) / 2; size > 0; {
		left := false
		for start := 0; start < len(parts); {
			without := slices.Delete(slices.Clone(parts), start, min(start+size, len(parts)))
			if fails(without) {
				parts, left = without, true
			} else {
				start += size
			}
		}
		if !left || size > 1 {
			if size == 1 {
				break
			}
			size = (size + 1) / 2
		}
	}
	return parts
}

// TestShortestOf finds the two parts that fail together among a hundred.
func TestShortestOf(t *testing.T) {
	var parts []string
	for number := range 100 {
		parts = append(parts, strconv.Itoa(number))
	}
	attempts := 0
	got := shortestOf(parts, func(kept []string) bool {
		attempts++
		return slices.Contains(kept, "17") && slices.Contains(kept, "71")
	})
	if want := []string{"17", "71"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if attempts > 100 {
		t.Errorf("it took %d attempts, want at most 100", attempts)
	}
}
