package weeks_test

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/nightpos/outlook-gateway/redis"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// state is how the connection of a lane stands.
func (w *world) state(lane string) redis.MemberState {
	w.t.Helper()
	states, err := w.replicas[0].Store().MemberStates(w.context)
	w.must(err)
	for _, member := range states {
		if member.ID == lane {
			return member
		}
	}
	w.t.Fatalf("lane %s is nobody's", lane)
	return redis.MemberState{}
}

// health is how the gateway says a dependency is.
func (w *world) health(name string) (status, problem string) {
	w.t.Helper()
	for _, dependency := range w.replicas[0].Health(w.context) {
		if dependency.Name == name {
			return dependency.Status, dependency.Error
		}
	}
	w.t.Fatalf("there is no dependency %s", name)
	return "", ""
}

// metric says whether the gateway shows a line.
func (w *world) metric(line string) bool {
	w.t.Helper()
	return strings.Contains(w.metrics(), "\n"+line+"\n")
}

// value is that of a metric without labels.
func (w *world) value(name string) float64 {
	w.t.Helper()
	found := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(w.metrics())
	if found == nil {
		w.t.Fatalf("there is no metric %s", name)
	}
	value, err := strconv.ParseFloat(found[1], 64)
	w.must(err)
	return value
}

func (w *world) metrics() string {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.context, http.MethodGet, gatewayURL+"/metrics", nil)
	w.must(err)
	answer, err := w.network.Transport().RoundTrip(request)
	w.must(err)
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	w.must(err)
	return string(content)
}

// asked counts what reached Microsoft for a mailbox: calls to Graph, and calls
// for tokens.
func (w *world) asked(mailbox string) (graph, signIn int) {
	for _, call := range w.outlook.Calls() {
		if call.Mailbox == mailbox {
			graph++
		}
	}
	for _, call := range w.outlook.SignIns() {
		if call.Mailbox == mailbox {
			signIn++
		}
	}
	return graph, signIn
}

// titles are what a mailbox and NightPOS show, deleted and archived events left
// out.
func (w *world) titles(mailbox string) (outlook, nightpos map[string]bool) {
	outlook, nightpos = map[string]bool{}, map[string]bool{}
	for _, shown := range w.outlook.Mailbox(mailbox).Events() {
		outlook[textIn(shown, "subject")] = true
	}
	for _, shown := range w.nightpos.Events() {
		if active, _ := shown["active"].(bool); active {
			nightpos[textIn(shown, "name")] = true
		}
	}
	return outlook, nightpos
}

func (w *world) outlookEvent(mailbox, title string) string {
	w.t.Helper()
	start := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, 20)
	made, err := w.outlook.Mailbox(mailbox).Create(w.context, map[string]any{
		"subject": title,
		"start":   map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		"end":     map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
	})
	w.must(err)
	return textIn(made, "id")
}

func (w *world) nightposEvent(login, title string) {
	w.t.Helper()
	start := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, 20)
	_, err := w.nightpos.Member(login).Create(w.context, map[string]any{
		"name": title, "start": start.Format(time.DateTime), "stop": start.Add(time.Hour).Format(time.DateTime),
	})
	w.must(err)
}

// TestAPersonWhoMustConnectAgain: the reason is kept with the person, nothing is
// asked for in vain meanwhile, and nothing that came is lost.
func TestAPersonWhoMustConnectAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(firstMonday))
		w := newWorld(t, 3, 2)
		defer w.close()
		lane := fmt.Sprint(w.nightpos.Member("alice").ID)
		leaving := w.outlookEvent(alice, "Leaving")
		w.quiet()
		if got, _ := w.titles(alice); !got["Leaving"] {
			t.Fatalf("before: %v, want the event on both sides", got)
		}
		w.outlook.Revoke(alice)
		w.outlookEvent(alice, "Told before it shows")
		time.Sleep(3 * time.Hour)
		state := w.state(lane)
		if !strings.Contains(state.Refused, "AADSTS50173") || !strings.Contains(state.Refused, "invalid_grant") {
			t.Fatalf("alice is refused because of %q, want Microsoft's word and number", state.Refused)
		}
		if !w.metric(`outlook_gateway_members{state="needs_reconnect"} 1`) {
			t.Error("the metrics do not count her")
		}
		graph, signIn := w.asked(alice)
		for day := range 3 {
			w.outlookEvent(alice, fmt.Sprint("Outlook ", day))
			w.nightposEvent("alice", fmt.Sprint("NightPOS ", day))
			w.nightposEvent("bob", fmt.Sprint("Bob ", day))
			time.Sleep(24 * time.Hour)
		}
		w.must(w.outlook.Mailbox(alice).Delete(w.context, leaving))
		time.Sleep(time.Hour)
		if nowGraph, nowSignIn := w.asked(alice); nowGraph != graph || nowSignIn != signIn {
			t.Errorf("in three days %d calls to Graph and %d for tokens were made for her, want none", nowGraph-graph, nowSignIn-signIn)
		}
		if outlook, _ := w.titles(bob); !outlook["Bob 0"] || !outlook["Bob 2"] {
			t.Errorf("bob's calendar shows %v, want his own events", outlook)
		}
		if status, problem := w.health("application"); status != "ok" {
			t.Errorf("the application is %s, %s, want ok", status, problem)
		}
		w.connect("alice", alice)
		w.quiet()
		outlook, nightpos := w.titles(alice)
		for day := range 3 {
			for _, title := range []string{fmt.Sprint("Outlook ", day), fmt.Sprint("NightPOS ", day)} {
				if !outlook[title] || !nightpos[title] {
					t.Errorf("%s: in Outlook %t, in NightPOS %t, want both", title, outlook[title], nightpos[title])
				}
			}
		}
		if outlook["Leaving"] || nightpos["Leaving"] || !nightpos["Told before it shows"] {
			t.Errorf("Outlook %v, NightPOS %v: want what was deleted to be gone, and what was made to be there", outlook, nightpos)
		}
		if state := w.state(lane); state.Refused != "" {
			t.Errorf("alice is refused because of %q, want her connected", state.Refused)
		}
		if live := w.subscriptions(alice); live != 1 {
			t.Errorf("%d live subscriptions, want one", live)
		}
	})
}

// TestTrap13_21AWrongClientSecretLosesNobody: days with a secret that Microsoft does not
// take are one alarm and few calls, and end when the right one is set.
func TestTrap13_21AWrongClientSecretLosesNobody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(firstMonday))
		w := newWorld(t, 1, 1)
		defer w.close()
		w.quiet()
		right := w.config.Settings.MicrosoftClientSecret
		w.stop()
		w.config.Settings.MicrosoftClientSecret = "the former one"
		w.start(1)
		time.Sleep(30 * time.Hour) // until every access token has ended, long-lived ones too
		refusals := func() int {
			return w.logs.FilterLevelExact(zapcore.ErrorLevel).FilterMessageSnippet("does not accept the application").Len()
		}
		before := len(w.outlook.SignIns())
		for day := range 2 {
			w.outlookEvent(alice, fmt.Sprint("Outlook ", day))
			w.nightposEvent("bob", fmt.Sprint("NightPOS ", day))
			time.Sleep(24 * time.Hour)
		}
		if calls, most := len(w.outlook.SignIns())-before, 2*24*6+10; calls == 0 || calls > most {
			t.Errorf("sign-in was asked %d times in two days, want at most %d", calls, most)
		}
		if status, problem := w.health("application"); status != "failed" || !strings.Contains(problem, "AADSTS7000215") || !strings.Contains(problem, "MICROSOFT_CLIENT_SECRET") {
			t.Errorf("the application is %s, %q; want it failed, with Microsoft's number and the setting", status, problem)
		}
		if !w.metric("outlook_gateway_application_accepted 0") {
			t.Error("the metrics say nothing of it")
		}
		for _, login := range []string{"alice", "bob"} {
			if state := w.state(fmt.Sprint(w.nightpos.Member(login).ID)); state.Refused != "" {
				t.Errorf("%s must connect again because of %q, want nobody to", login, state.Refused)
			}
		}
		if got := refusals(); got != 1 {
			t.Errorf("logged %d times, want once", got)
		}
		w.stop()
		w.config.Settings.MicrosoftClientSecret = right
		w.start(1)
		w.quiet()
		for _, address := range []string{alice, bob} {
			outlook, nightpos := w.titles(address)
			for day := range 2 {
				title := fmt.Sprint("Outlook ", day)
				if address == bob {
					title = fmt.Sprint("NightPOS ", day)
				}
				if !outlook[title] || !nightpos[title] {
					t.Errorf("%s: in Outlook %t, in NightPOS %t, want both", title, outlook[title], nightpos[title])
				}
			}
		}
		if status, problem := w.health("application"); status != "ok" || !w.metric("outlook_gateway_application_accepted 1") {
			t.Errorf("the application is %s, %q, want it ok", status, problem)
		}
	})
}

// TestTrap13_21TheClientSecretsEndIsCountedDown: once at each step, however often the
// clock is looked at.
func TestTrap13_21TheClientSecretsEndIsCountedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		time.Sleep(time.Until(firstMonday))
		w := newWorldWith(t, 1, 1, simoutlook.Switches{AnyAddress: true})
		defer w.close()
		w.stop()
		// Without people nothing else happens in two months.
		seal, err := redis.NewSealer(w.config.Settings.SecretKeys...)
		w.must(err)
		store, err := redis.Open(w.context, redis.Config{Engine: w.engine, Seal: seal})
		w.must(err)
		for _, login := range []string{"alice", "bob"} {
			w.must(store.RemoveMember(w.context, fmt.Sprint(w.nightpos.Member(login).ID)))
		}
		w.must(store.Close())
		w.config.Settings.MicrosoftClientSecretExpires = firstMonday.AddDate(0, 0, 62)
		w.start(1)
		if left := w.value("outlook_gateway_client_secret_seconds_left"); left > (62*24*time.Hour).Seconds() || left < (61*24*time.Hour).Seconds() {
			t.Errorf("the metrics show that %f seconds are left, want almost 62 days", left)
		}
		w.logs.TakeAll()
		for _, c := range []struct {
			day, logged int
			status      string
		}{{1, 0, "ok"}, {3, 1, "warning"}, {20, 1, "warning"}, {33, 2, "warning"}, {54, 2, "warning"}, {56, 3, "warning"}, {61, 4, "warning"}, {63, 5, "warning"}, {70, 5, "warning"}} {
			time.Sleep(time.Until(firstMonday.AddDate(0, 0, c.day).Add(time.Hour)))
			logged := w.logs.Filter(func(entry observer.LoggedEntry) bool { return strings.HasPrefix(entry.Message, "the client secret") }).All()
			status, problem := w.health("application")
			if len(logged) != c.logged || status != c.status || (c.logged > 0) != strings.Contains(problem, "make a new one") {
				t.Errorf("on day %d: logged %d times, %s %q; want %d and %s", c.day, len(logged), status, problem, c.logged, c.status)
			}
		}
	})
}
