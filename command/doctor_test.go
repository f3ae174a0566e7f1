package command_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// What doctor finds decides its exit code, and is told in one line besides.
func TestDoctor(t *testing.T) {
	environment := complete()
	environment["GATEWAY_DATA_DIR"] = t.TempDir()
	environment["MICROSOFT_LOGIN_URL"], environment["MICROSOFT_GRAPH_URL"] = "http://127.0.0.1:9", "http://127.0.0.1:9/v1.0"
	code, out, said := run(t, environment, "doctor")
	if code != 1 || strings.Count(said, "\n") != 1 || !strings.Contains(said, "checks failed") {
		t.Errorf("got %d and %q, want 1 and one line", code, said)
	}
	for _, text := range []string{"ok       settings", "failed   nightpos.address", "do: start the server there", " failed\n"} {
		if !strings.Contains(out, text) {
			t.Errorf("the table lacks %q:\n%s", text, out)
		}
	}
	code, out, _ = run(t, environment, "doctor", "--json")
	var told struct {
		OK     *bool
		Checks []struct{ Check, Status, Detail, Remedy string }
	}
	if err := json.Unmarshal([]byte(out), &told); err != nil || code != 1 || told.OK == nil || *told.OK || len(told.Checks) < 5 {
		t.Fatalf("got %d, %v, %s", code, err, out)
	}
	for _, one := range told.Checks {
		if one.Check == "" || one.Detail == "" || (one.Status == "ok") == (one.Remedy != "") {
			t.Errorf("got %+v", one)
		}
	}
}
