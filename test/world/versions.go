package world

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// VersionsVariable names the environment variable that has suites made for several
// versions of NightPOS run with some of them alone, such as 18 or 17,19.
const VersionsVariable = "NIGHTPOS_VERSIONS"

// Versions are those of the usual ones that the environment names; all of them when it
// names none. A name that is no version stops everything: a run without any would show
// nothing.
func Versions(usual ...int) []int {
	named := os.Getenv(VersionsVariable)
	if named == "" {
		return usual
	}
	var chosen []int
	for _, text := range strings.Split(named, ",") {
		version, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil || !slices.Contains([]int{17, 18, 19}, version) {
			panic(fmt.Sprintf("%s=%s: there is no version %q, only 17, 18 and 19", VersionsVariable, named, text))
		}
		chosen = append(chosen, version)
	}
	return chosen
}
