package life_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
)

// TestABrokenRegistrationIsMendedAndNoted has somebody switch the rules off: the
// account of this world may mend that, and the activity log says what was done.
func TestABrokenRegistrationIsMendedAndNoted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		noted := func() (lines []gateway.ActivityLine) {
			t.Helper()
			var all []gateway.ActivityLine
			w.call(http.MethodGet, "/activity", "", http.StatusOK, &all)
			for _, line := range all {
				if strings.HasPrefix(line.Action, "registration") {
					lines = append(lines, line)
				}
			}
			return lines
		}
		time.Sleep(time.Hour)
		if lines := noted(); len(lines) != 0 {
			t.Errorf("while nothing is broken: got %+v, want no line", lines)
		}
		w.rulesOff()
		time.Sleep(15 * time.Minute)
		lines := noted()
		if len(lines) != 1 || lines[0].Action != "registration mended" || lines[0].By != "gateway" || lines[0].Reason == "" {
			t.Errorf("got %+v, want one line that says what was mended", lines)
		}
		w.nightposEvent("alice", "Told again", 3, nil)
		w.settle("alice", "connected")
		w.shows("Told again", 1, 1)
		time.Sleep(time.Hour)
		if again := noted(); len(again) != 1 {
			t.Errorf("later: got %+v, want no more lines", again)
		}
	})
}

// rulesOff archives NightPOS's automation rules, as an administrator can.
func (w *world) rulesOff() {
	w.Helper()
	found := w.nightposCall("base.automation", "search", `[[]]`)
	w.nightposCall("base.automation", "write", fmt.Sprintf(`[%s,{"active":false}]`, found))
}

// nightposCall is a call by the administrator past the gateway; arguments and
// result are JSON.
func (w *world) nightposCall(model, method, arguments string) string {
	w.Helper()
	body := fmt.Sprintf(`{"jsonrpc":"2.0","id":1,"params":{"service":"object","method":"execute_kw","args":["night",2,"admin",%q,%q,%s]}}`, model, method, arguments)
	request, err := http.NewRequestWithContext(w.Context(), http.MethodPost, nightposURL+"/jsonrpc", strings.NewReader(body))
	w.must(err)
	request.Header.Set("Content-Type", "application/json")
	answer, err := w.network.Transport().RoundTrip(request)
	w.must(err)
	defer answer.Body.Close()
	var told struct {
		Result json.RawMessage
		Error  *struct{ Message string }
	}
	w.must(json.NewDecoder(answer.Body).Decode(&told))
	if told.Error != nil {
		w.Fatalf("%s.%s: %s", model, method, told.Error.Message)
	}
	return string(told.Result)
}
