package recurrence

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"testing"

	"github.com/nightpos/outlook-gateway/outlook"
)

// question is one line of oracle.py's input.
type question struct {
	Side       string              `json:"side"`
	Recurrence *outlook.Recurrence `json:"recurrence,omitempty"`
	Values     map[string]any      `json:"values,omitempty"`
	Zone       string              `json:"zone"`
	Clock      string              `json:"clock,omitempty"`
	Start      string              `json:"start,omitempty"`
	AllDay     bool                `json:"allday"`
	Wkst       int                 `json:"wkst"`
	Version    int                 `json:"version,omitempty"`
	Limit      int                 `json:"limit"`
}

// answer is one line of its output.
type answer struct {
	Starts []string        `json:"starts"`
	Row    json.RawMessage `json:"row"`
	Error  string          `json:"error"`
}

// python finds one that has python-dateutil. Debian's is not always the first.
func python(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(t.Context(), name, "-c", "import dateutil.rrule").Run() == nil {
			return name
		}
	}
	t.Fatal("no Python with dateutil is installed: run scripts/install-test-needs")
	return ""
}

// ask puts all questions to one Python process.
func ask(t *testing.T, questions []question) []answer {
	t.Helper()
	var input, output bytes.Buffer
	encoder := json.NewEncoder(&input)
	for _, asked := range questions {
		if err := encoder.Encode(asked); err != nil {
			t.Fatal(err)
		}
	}
	command := exec.CommandContext(t.Context(), python(t), "oracle.py")
	command.Stdin, command.Stdout, command.Stderr = &input, &output, os.Stderr
	if err := command.Run(); err != nil {
		t.Fatalf("oracle.py: %v", err)
	}
	var answers []answer
	lines := bufio.NewScanner(&output)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var got answer
		if err := json.Unmarshal(lines.Bytes(), &got); err != nil {
			t.Fatalf("oracle.py answered %q: %v", lines.Text(), err)
		}
		answers = append(answers, got)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}
