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
	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestABrokenRegistrationIsMendedAndNoted has somebody switch the rules off: an
// administrator's account mends that, and so does the ordinary one that it is for;
// the activity log says what was done. What only an administrator can mend is said.
func TestABrokenRegistrationIsMendedAndNoted(t *testing.T) {
	for name, account := range map[string]func(*testing.T) *world{
		"administrator": func(t *testing.T) *world { return newWorld(t, nil) },
		"ordinary":      func(t *testing.T) *world { return ordinaryWorld(t) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := account(t)
				w.connect("alice", "")
				w.settle("alice", "connected")
				time.Sleep(time.Hour)
				if lines := w.noted(); len(lines) != 0 {
					t.Errorf("while nothing is broken: got %+v, want no line", lines)
				}
				w.rulesOff()
				time.Sleep(15 * time.Minute)
				lines := w.noted()
				if len(lines) != 1 || lines[0].Action != "registration mended" || lines[0].By != "gateway" || lines[0].Reason == "" {
					t.Errorf("got %+v, want one line that says what was mended", lines)
				}
				w.nightposEvent("alice", "Told again", 3, nil)
				w.settle("alice", "connected")
				w.shows("Told again", 1, 1)
				time.Sleep(time.Hour)
				if again := w.noted(); len(again) != 1 {
					t.Errorf("later: got %+v, want no more lines", again)
				}
			})
		})
	}
}

// TestADeletedDoorIsReported deletes what the ordinary account cannot make again.
func TestADeletedDoorIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := ordinaryWorld(t)
		door := w.nightposCall("ir.actions.server", "search", `[[["name","=","Outlook gateway: door"]]]`)
		w.nightposCall("ir.actions.server", "unlink", `[`+door+`]`)
		time.Sleep(15 * time.Minute)
		lines := w.noted()
		if len(lines) != 1 || lines[0].Action != "registration found broken" || !strings.Contains(lines[0].Reason, "outlook-gateway register") {
			t.Errorf("got %+v, want one line that says what to do", lines)
		}
		if _, err := service.Register(t.Context(), w.config); err != nil {
			t.Fatal(err)
		}
		time.Sleep(15 * time.Minute)
		if lines := w.noted(); len(lines) != 2 || lines[0].Action != "registration in place again" {
			t.Errorf("got %+v, want that it is in place again", lines)
		}
	})
}

// ordinaryWorld is one whose gateway has an ordinary account; an administrator has
// registered it.
func ordinaryWorld(t *testing.T, changes ...func(*service.Config)) *world {
	t.Helper()
	people := []simnightpos.Person{{Name: "Gateway", Login: "gateway", Address: "gateway@nightpos.example", Password: "the-password-of-the-account"}}
	return newWorldWith(t, simoutlook.Config{}, simnightpos.Config{People: people}, func(config *service.Config) {
		for _, change := range changes {
			change(config)
		}
		config.Settings.NightPOSLogin, config.Settings.NightPOSAPIKey = "gateway", "the-password-of-the-account"
		config.Settings.NightPOSAdminLogin, config.Settings.NightPOSAdminAPIKey = "admin", "admin"
		if _, err := service.Register(t.Context(), *config); err != nil {
			t.Fatal(err)
		}
	})
}

// noted are the lines about the registration, newest first.
func (w *world) noted() (lines []gateway.ActivityLine) {
	w.Helper()
	var all []gateway.ActivityLine
	w.call(http.MethodGet, "/activity", "", http.StatusOK, &all)
	for _, line := range all {
		if strings.HasPrefix(line.Action, "registration") {
			lines = append(lines, line)
		}
	}
	return lines
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
