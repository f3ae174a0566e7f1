package console_test

import (
	"fmt"
	"testing"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/service"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestAnAdministrator signs in with the admin token and does what administrators
// do: looks around, answers a question, changes settings, resets somebody.
func TestAnAdministrator(t *testing.T) {
	languages(t, func(t *testing.T, b *tab, x texts) {
		w := newWorld(t, func(config *service.Config) { config.Guard = reconciler.Guard{AtOnce: 3, Small: 2} })
		for index := range 6 {
			w.nightposEvent("alice", fmt.Sprintf("Event %d", index), 2+index, nil)
		}
		w.nightposEvent("alice", "The doctor", 9, map[string]any{"privacy": "private"})
		w.connect("alice")
		w.connect("bob")
		w.settle("alice", "connected")
		w.settle("bob", "connected")

		b.open(w.address+"/", x.of(t, "signin.title"))
		b.page("sign-in")
		b.fill("token", "not the token")
		b.press(x.of(t, "button.sign_in"))
		b.says(x.of(t, "signin.wrong"))
		b.fill("token", adminToken)
		b.press(x.of(t, "button.sign_in"))
		b.headed(x.of(t, "nav.gateway"))

		// Many events go at once, and nobody tells.
		w.outlook.Silence(true)
		for _, shown := range w.outlook.Mailbox(alice).Events()[:5] {
			w.must(w.outlook.Mailbox(alice).Delete(t.Context(), fmt.Sprint(shown["id"])))
		}
		w.outlook.Silence(false)
		b.open(w.address+root+"/people/alice", "Alice")
		b.says(x.of(t, "event.private"))
		if got := b.value("String(document.body.innerText.includes('doctor'))"); got != "false" {
			t.Error("a private event is named to an administrator")
		}
		b.press(x.of(t, "button.sync"))
		b.says(x.of(t, "done.sync"))
		b.says(x.of(t, "state.question", "Count", "5", "Of", "7", "Side", "Outlook"))
		b.page("question")
		b.open(w.address+root+"/gateway", x.of(t, "nav.gateway"))
		b.says(x.of(t, "questions.title"))
		// The lag as a chart, and as a table for those who do not see it.
		b.until(`document.querySelector("#lag-chart canvas") !== null`)
		if got := b.value(`String(document.querySelectorAll("#lag-chart .u-legend tr").length)`); got != "5" {
			t.Errorf("the chart has %s rows in its legend, want the hour and four lines", got)
		}
		b.page("gateway")
		b.press(x.of(t, "lag.table"))
		b.page("lag-table")
		b.press(x.of(t, "lag.table"))
		b.dress("dark")
		b.page("gateway-dark")
		b.dress("light")
		b.press(x.of(t, "button.answer"), true)
		b.headed("Alice")
		b.press(x.of(t, "question.keep"))
		b.says(x.of(t, "done.answer"))
		w.until("alice", "is asked nothing", func(user gateway.User) bool { return user.Question == nil })

		b.open(w.address+root+"/people", x.of(t, "nav.people"))
		b.page("people")
		b.fill("text", "bob")
		b.press(x.of(t, "button.search"))
		b.until("document.querySelectorAll('table.people tbody tr').length === 1")
		b.open(w.address+root+"/activity", x.of(t, "nav.activity"))
		b.page("activity")
		b.open(w.address+root+"/doctor", x.of(t, "nav.doctor"))
		b.says(x.of(t, "doctor.never"))
		b.page("doctor-never")
		b.press(x.of(t, "doctor.begin"))
		b.says("gateway.public_url")
		b.until(`document.querySelector("#live progress") === null && document.querySelectorAll("#live li.ok").length > 20`)
		b.says(x.of(t, "doctor.warning", "Count", b.value(`String(document.querySelectorAll("#live li.warning").length)`)))
		b.page("doctor")
		b.open(w.address+root+"/guide", x.of(t, "guide.title"))
		b.page("guide")

		b.open(w.address+root+"/settings", x.of(t, "nav.settings"))
		b.page("settings")
		b.value(`document.querySelector("input[name=outlook_sync][value=off]").click(); "off"`)
		b.press(x.of(t, "button.save"))
		b.says(x.of(t, "done.settings"))
		b.open(w.address+root+"/gateway", x.of(t, "nav.gateway"))
		b.says(x.of(t, "gateway.stopped"))
		b.page("stopped")
		b.open(w.address+root+"/settings", x.of(t, "nav.settings"))
		b.value(`document.querySelector("input[name=outlook_sync][value=on]").click(); document.getElementById("conflict").value = "outlook"; "on"`)
		b.press(x.of(t, "button.save"))
		b.says(x.of(t, "done.settings"))
		w.until("alice", "is connected", func(user gateway.User) bool { return user.State == reconciler.PhaseConnected })
		// A secret that is entered stands before the one of the start, until it is given up.
		b.fill("client_secret", simoutlook.DefaultApplication.Secret)
		b.press(x.of(t, "button.save"))
		b.says(x.of(t, "settings.entered", "Names", "MICROSOFT_CLIENT_ID, MICROSOFT_CLIENT_SECRET, MICROSOFT_CLIENT_SECRET_EXPIRES"))
		b.page("settings-entered")
		b.value(`document.querySelector("input[name=use_configured]").click(); "given up"`)
		b.press(x.of(t, "button.save"))
		b.until(`document.querySelector("input[name=client_secret]") !== null && document.querySelector("input[name=use_configured]") === null`)

		// The Reset Account dialog: two choices, what would happen, the button.
		b.open(w.address+root+"/people/alice", "Alice")
		b.press(x.of(t, "button.reset"), true)
		b.headed(x.of(t, "reset.title"))
		b.page("reset")
		b.value(`document.querySelector("input[name=events][value=both]").click(); document.querySelector("input[name=next_sync][value=new]").click(); "chosen"`)
		b.press(x.of(t, "reset.look"))
		b.says(x.of(t, "reset.would"))
		b.page("reset-preview")
		b.value(`document.querySelector("input[name=sure]").click(); "sure"`)
		b.press(x.of(t, "button.reset"))
		b.headed(x.of(t, "job.kind.reset"))
		b.says(x.of(t, "job.state.done"))
		b.page("job")
		b.open(w.address+root+"/people/alice", "Alice")
		b.says(x.of(t, "state.needs_reconnect"))
		b.page("needs-reconnect")
		b.open(w.address+root+"/gateway", x.of(t, "nav.gateway"))
		b.says(x.of(t, "cause.reset"))
		b.page("troubles")
		b.press(x.of(t, "button.sign_out"))
		b.headed(x.of(t, "signin.title"))
	})
}
