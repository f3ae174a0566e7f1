package demo_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zaptest"

	"github.com/nightpos/outlook-gateway/demo"
)

// inMemory runs a tour in virtual time over two memories; join, if set, puts
// something between them.
func inMemory(t *testing.T, join func(*testing.T, *memory, *memory)) (report demo.Report) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		outlook, nightpos := newMemory(demo.Outlook), newMemory(demo.NightPOS)
		world := demo.NewWorld(t.Context(), demo.World{Members: members, Outlook: outlook, NightPOS: nightpos}, zaptest.NewLogger(t))
		defer world.Close()
		if join != nil {
			join(t, outlook, nightpos)
		}
		tour, err := demo.NewTour(world)
		if err != nil {
			t.Fatal(err)
		}
		told, start := 0, time.Now()
		report = tour.Run(t.Context(), func(demo.Step) { told++ })
		if took := time.Since(start); took >= 30*time.Second {
			t.Errorf("the tour took %s, want less than 30 s whatever fails", took)
		}
		if told != len(report.Steps) {
			t.Errorf("told of %d steps, reported %d", told, len(report.Steps))
		}
	})
	return report
}

// TestTheTourSeesWhatIsMissing runs it over a mirror that carries content and
// nothing else: whatever needs a mail or an answer must be found missing.
func TestTheTourSeesWhatIsMissing(t *testing.T) {
	report := inMemory(t, func(t *testing.T, outlook, nightpos *memory) { newMirror(t, outlook, nightpos) })
	if report.OK {
		t.Error("the tour found nothing wrong with a mirror that mails nobody")
	}
	// Without anybody invited there is no mail to miss.
	right := map[string]bool{"private event": true, "edit private event": true, "create alone": true, "archive": true, "bring back": true, "20 at once": true}
	seen := map[string]int{}
	for _, step := range report.Steps {
		seen[step.Name]++
		if right[step.Name] && !step.OK {
			t.Errorf("%s from %s: got %q, want it to be right", step.Name, step.From, step.Note)
		}
		if step.Name == "create" && (step.OK || !strings.Contains(step.Note, "mails")) {
			t.Errorf("create from %s: got ok=%t %q, want the missing mail to be named", step.From, step.OK, step.Note)
		}
		if step.Name == "answer" && step.OK {
			t.Errorf("answer from %s: got ok, want the missing answer to be noticed", step.From)
		}
	}
	for _, name := range []string{"create", "move", "all day", "answer", "invite", "take out", "delete"} {
		if seen[name] != 2 {
			t.Errorf("%s: got %d steps, want one from each side", name, seen[name])
		}
	}
}

func TestTheTourEndsWithNothingBetweenTheSides(t *testing.T) {
	report := inMemory(t, nil)
	for _, step := range report.Steps {
		if step.OK {
			t.Errorf("%s from %s: got ok with no gateway at all", step.Name, step.From)
		}
	}
	if len(report.Steps) < 20 {
		t.Errorf("got %d steps, want all of them although each failed", len(report.Steps))
	}
}

func TestTheOutcomeAsJSONHasTheFieldsOfTheContract(t *testing.T) {
	var out bytes.Buffer
	if err := json.NewEncoder(&out).Encode(demo.Report{OK: true, Steps: []demo.Step{{Name: "create", From: demo.Outlook, OK: true, Lag: 212, Mails: 1, Note: "n"}}}); err != nil {
		t.Fatal(err)
	}
	want := `{"ok":true,"steps":[{"name":"create","from":"outlook","ok":true,"lag_ms":212,"mails":1,"note":"n"}]}`
	if got := strings.TrimSpace(out.String()); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
