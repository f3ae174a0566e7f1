package meetings_test

import (
	"flag"
	"fmt"
	"maps"
	"net/http"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/test/world"
)

var table = flag.String("table", "", "the file into which TestMatrix writes its table")

// TestMatrix plays every cell and compares both sides' end state, the writes and
// the exact multiset of mails with what the rules say.
func TestMatrix(t *testing.T) {
	groups := matrix()
	cells := 0
	for _, group := range groups {
		cells += len(group.cells)
	}
	if cells < 400 {
		t.Errorf("the matrix has %d cells, want at least 400", cells)
	}
	t.Logf("%d cells in %d groups", cells, len(groups))
	var mutex sync.Mutex
	lines := map[string][]string{}
	t.Cleanup(func() { writeTable(t, groups, lines) })
	for index, group := range groups {
		if index%everyNthGroup != 0 {
			continue
		}
		t.Run(group.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				played := play(t, group, uint64(index+1))
				mutex.Lock()
				defer mutex.Unlock()
				lines[group.String()] = played
			})
		})
	}
}

// play plays one group and returns the lines of its cells for the table.
func play(t *testing.T, group *group, seed uint64) []string {
	w := world.New(t, world.Options{Version: group.version, Seed: seed, Connect: append([]string{}, group.before...), Colleagues: colleagues})
	defer w.Close()
	s := &scene{World: w, T: t}
	s.Quiet()
	for _, cell := range group.cells {
		s.make(cell)
	}
	s.Quiet()
	for _, login := range group.after {
		s.Connect(login)
		s.Quiet()
		// What was there before is sent when somebody says so.
		s.Ask(http.MethodPost, "/users/"+login+"/first-sync", `{"send":["mine_with_attendees","mine_alone"]}`)
		s.Quiet()
	}
	var lines []string
	for _, cell := range group.cells {
		before := s.look(cell, 0, 0, 0)
		s.agree(cell, before)
		mails, inOutlook, inNightPOS, since := len(s.Outlook.Mails()), s.Writes(), s.transactions(), time.Now()
		s.act(cell)
		s.Quiet()
		if cell.untold() {
			s.Sweep()
		}
		seen, want := s.look(cell, mails, inOutlook, inNightPOS), cell.expect(before)
		if difference := cmp.Diff(want, seen); difference != "" {
			t.Errorf("%s, %s: %s in %s, NightPOS %d: want -, seen +\n%s\n%s", group, cell.tag, cell.action, cell.side, group.version, difference, s.calls(since))
		}
		lines = append(lines, line(cell, seen))
	}
	inOutlook, inNightPOS := s.Writes(), s.transactions()
	s.Sweep()
	if s.Writes() != inOutlook || s.transactions() != inNightPOS {
		t.Errorf("%s: a sweep made %d more writes into Outlook and %d into NightPOS\n%s", group, s.Writes()-inOutlook, s.transactions()-inNightPOS, s.Log())
	}
	s.wantNoMailOfTheGateway()
	return lines
}

// calls are those of the gateway that write into Outlook.
func (s *scene) calls(since time.Time) string {
	var lines []string
	for _, call := range s.Outlook.Calls() {
		if call.Method != http.MethodGet && strings.HasPrefix(call.Path, "/me/events") && !call.Time.Before(since) {
			lines = append(lines, fmt.Sprintf("%s: %s %s answered %d", call.Mailbox, call.Method, call.Template, call.Status))
		}
	}
	return strings.Join(lines, "\n")
}

// line is a cell in the table.
func line(c *cell, seen state) string {
	var mails []string
	for _, mail := range slices.Sorted(maps.Keys(seen.Mails)) {
		mails = append(mails, fmt.Sprintf("%d × %s", seen.Mails[mail], mail))
	}
	if len(mails) == 0 {
		mails = []string{"none"}
	}
	return fmt.Sprintf("  %-18s in %-8s | writes: %d to Outlook, %d to NightPOS | shown: %d in NightPOS, %d by the organizer, %d by bob | mails: %s",
		c.action, c.side, seen.InOutlook, seen.InNightPOS, len(seen.NightPOS), len(seen.Organizer), len(seen.Invited), strings.Join(mails, ", "))
}

func writeTable(t *testing.T, groups []*group, lines map[string][]string) {
	if *table == "" {
		return
	}
	var text strings.Builder
	for _, group := range groups {
		fmt.Fprintf(&text, "%s (NightPOS %d)\n%s\n\n", group, group.version, strings.Join(lines[group.String()], "\n"))
	}
	if err := os.WriteFile(*table, []byte(text.String()), 0o644); err != nil { //nolint:gosec // a table is for everybody to read
		t.Error(err)
	}
}
