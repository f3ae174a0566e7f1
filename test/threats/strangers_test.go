package threats_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/world"
)

// TestTheAPIOpensForAdministratorsOnly: every call there is, without a token, with
// a wrong one, with somebody's session, and with an administrator's from a page of
// another site.
func TestTheAPIOpensForAdministratorsOnly(t *testing.T) {
	in(t, func(s *scene) {
		document := s.ask(http.MethodGet, "/api/v1/openapi.json", "").body
		operations := operationsIn(s, document)
		if len(operations) < 15 {
			s.Fatalf("the document has %d calls", len(operations))
		}
		somebody, administrator := s.session("bob"), s.session("admin")
		graph, nightpos := s.Writes(), s.NightPOS.Counts()["door writing"]
		for _, one := range operations {
			method, path, _ := strings.Cut(one, " ")
			path = strings.NewReplacer("{user}", "alice", "{job}", "A").Replace("/api/v1" + path)
			for name, row := range map[string]struct {
				want    int
				headers []string
			}{
				"nobody":                 {http.StatusUnauthorized, nil},
				"a guess":                {http.StatusUnauthorized, []string{"Authorization", "Bearer " + world.AdminToken + "0"}},
				"an empty token":         {http.StatusUnauthorized, []string{"Authorization", "Bearer "}},
				"another way":            {http.StatusUnauthorized, []string{"Authorization", "Basic YWRtaW46YWRtaW4="}},
				"a made-up session":      {http.StatusUnauthorized, []string{"Cookie", "session_id=0123456789abcdef"}},
				"somebody's session":     {http.StatusForbidden, []string{"Cookie", somebody}},
				"somebody with a header": {http.StatusForbidden, []string{"Cookie", somebody, "X-Forwarded-User", "admin", "X-Original-URL", "/healthz"}},
			} {
				if got := s.ask(method, path, "", row.headers...); got.StatusCode != row.want || strings.Contains(got.body, "alice@") {
					s.Errorf("%s of %s %s: got %d %s, want %d", name, method, path, got.StatusCode, got.body, row.want)
				}
			}
			if method == http.MethodGet {
				continue
			}
			for _, foreign := range [][]string{{"Origin", "https://evil.example"}, {"Sec-Fetch-Site", "cross-site"}, {"Sec-Fetch-Site", "same-site"}} {
				if got := s.ask(method, path, "", append([]string{"Cookie", administrator}, foreign...)...); got.StatusCode != http.StatusForbidden {
					s.Errorf("a page of another site: %s %s was answered %d, want 403", method, path, got.StatusCode)
				}
			}
		}
		s.Quiet()
		if got := s.Writes(); got != graph || s.NightPOS.Counts()["door writing"] != nightpos {
			s.Error("what was refused had something written")
		}
		if got := s.ask(http.MethodGet, "/api/v1/users/alice", "", bearer()...); !strings.Contains(got.body, `"connected"`) {
			s.Errorf("Alice is %s", got.body)
		}
	})
}

// TestSecretsCannotBeGuessedAtLeisure: the API tells so many callers in a second
// that they may not, and no more; whoever has the token is served meanwhile.
func TestSecretsCannotBeGuessedAtLeisure(t *testing.T) {
	in(t, func(s *scene) {
		statuses := map[int]int{}
		for index := range 3000 {
			headers := []string{"Authorization", fmt.Sprintf("Bearer %032d", index)}
			if index%3 == 0 {
				headers = nil
			}
			statuses[s.ask(http.MethodGet, "/api/v1/status", "", headers...).StatusCode]++
			if index%100 != 0 {
				continue
			}
			if got := s.ask(http.MethodGet, "/api/v1/users/alice", "", bearer()...).StatusCode; got != http.StatusOK {
				s.Fatalf("an administrator is answered %d after %d guesses of others", got, index+1)
			}
		}
		if statuses[http.StatusTooManyRequests] < 1000 || statuses[http.StatusUnauthorized] > 1500 {
			s.Errorf("3,000 guesses at once: %v", statuses)
		}
		time.Sleep(time.Minute)
		if got := s.ask(http.MethodGet, "/api/v1/status", "", bearer()...).StatusCode; got != http.StatusOK {
			s.Errorf("an administrator is answered %d a minute later", got)
		}
	})
}

// silentAboutSessions is a way to NightPOS on which it does not answer whose a
// session is.
type silentAboutSessions struct {
	http.RoundTripper
	asked atomic.Int64
}

func (s *silentAboutSessions) RoundTrip(request *http.Request) (*http.Response, error) {
	if cookie, err := request.Cookie("session_id"); err != nil || !strings.HasPrefix(cookie.Value, "00000") {
		return s.RoundTripper.RoundTrip(request)
	}
	s.asked.Add(1)
	<-request.Context().Done()
	return nil, request.Context().Err()
}

// TestStrangersKeepNoAdministratorOut: neither made-up sessions, for which NightPOS
// has to be asked, nor more of them than places, stand in the way of the token.
func TestStrangersKeepNoAdministratorOut(t *testing.T) {
	var silent silentAboutSessions
	with := func(options *world.Options) {
		options.Gateway = func(config *service.Config) {
			silent.RoundTripper = config.Transport
			config.Transport = &silent
		}
	}
	inWith(t, with, func(s *scene) {
		var group sync.WaitGroup
		for index := range 100 {
			group.Go(func() {
				got, err := s.try(http.MethodGet, "/api/v1/users", "", "Cookie", fmt.Sprintf("session_id=%040d", index))
				if err != nil || got.StatusCode != http.StatusServiceUnavailable {
					s.Errorf("a session that NightPOS does not know in time: answered %d, %v; want 503", got.StatusCode, err)
				}
			})
		}
		time.Sleep(time.Second)
		if got := s.ask(http.MethodGet, "/api/v1/users/alice", "", bearer()...).StatusCode; got != http.StatusOK {
			s.Errorf("an administrator is answered %d while strangers wait", got)
		}
		group.Wait()
		if silent.asked.Load() == 0 {
			s.Error("NightPOS was asked about no session")
		}
	})
}

// TestNotificationsLeadNowhereElse: neither a forged notification, nor the address
// in a genuine one, nor a handshake has the gateway call anybody but Microsoft and
// NightPOS where they are set to be.
func TestNotificationsLeadNowhereElse(t *testing.T) {
	in(t, func(s *scene) {
		called := make(chan string, 100)
		s.Host("http://evil.sim", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.String() }))
		_, nightpos := s.calls()
		state := s.clientState()
		for _, body := range []string{
			`{"value":[{"clientState":"forged","changeType":"updated","resource":"http://evil.sim/events/e","resourceData":{"@odata.id":"http://evil.sim/e","id":"e"}}]}`,
			`{"value":[{"clientState":"` + state + `","changeType":"updated","resource":"http://evil.sim/events/e","resourceData":{"@odata.id":"http://evil.sim/e","id":"http://evil.sim/x"}}]}`,
			`{"value":[{"clientState":"` + state + `","changeType":"updated","resourceData":{"id":"../../../../evil.sim/e?x=y#z"}}]}`,
			`{"value":[{"clientState":"` + state + `","changeType":"updated","resourceData":{"id":"@evil.sim/e"}}]}`,
			`{"value":[{"clientState":"` + state + `","lifecycleEvent":"missed","resource":"http://evil.sim/"}]}`,
		} {
			for _, route := range []string{"/webhooks/graph", "/webhooks/graph/lifecycle"} {
				if got := s.ask(http.MethodPost, route, body).StatusCode; got != http.StatusAccepted {
					s.Errorf("answered %d", got)
				}
			}
		}
		s.ask(http.MethodPost, "/webhooks/graph?validationToken=http%3A%2F%2Fevil.sim%2F", "")
		s.Quiet()
		select {
		case address := <-called:
			s.Errorf("the gateway called evil.sim%s", address)
		default:
		}
		for call := range s.Outlook.Counts() {
			if strings.Contains(call, "unknown") {
				s.Errorf("an id became a path: %s", call)
			}
		}
		if _, after := s.calls(); after-nightpos > 40 {
			s.Errorf("the notifications caused %d calls to NightPOS", after-nightpos)
		}
	})
}

// TestSettingsHoldNoAddresses: nobody who may change settings can send the gateway
// anywhere, or read a secret back.
func TestSettingsHoldNoAddresses(t *testing.T) {
	in(t, func(s *scene) {
		called := make(chan string, 100)
		s.Host("http://evil.sim", http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { called <- r.URL.String() }))
		for _, body := range []string{
			`{"microsoft_login_url":"http://evil.sim"}`, `{"nightpos_url":"http://evil.sim"}`, `{"tenant":"http://evil.sim"}`,
			`{"client_id":"../../evil.sim"}`, `{"client_id":"http://evil.sim/"}`, `{"client_id":"a\r\nHost: evil.sim"}`,
		} {
			if got := s.ask(http.MethodPut, "/api/v1/settings", body, bearer()...).StatusCode; got != http.StatusBadRequest && got != http.StatusUnprocessableEntity {
				s.Errorf("%s was answered %d", body, got)
			}
		}
		if got := s.ask(http.MethodPut, "/api/v1/settings", `{"client_secret":"a-new-secret-of-microsoft"}`, bearer()...); strings.Contains(got.body, "a-new-secret") {
			s.Errorf("the settings show %s", got.body)
		}
		if got := s.ask(http.MethodGet, "/api/v1/settings", "", bearer()...).body; strings.Contains(got, "secret-of") || strings.Contains(got, "simulated-secret") {
			s.Errorf("the settings show %s", got)
		}
		s.Quiet()
		if len(called) > 0 {
			s.Errorf("the gateway called evil.sim%s", <-called)
		}
	})
}

// clientState is the secret word of Alice's subscription, as Microsoft knows it.
func (s *scene) clientState() string {
	s.Helper()
	senders, err := gateway.NewSenders([][]byte{[]byte("0123456789abcdef0123456789abcdef")}, "night", strings.NewReader(strings.Repeat("x", 64)))
	if err != nil {
		s.Fatal(err)
	}
	state, err := senders.ClientState(fmt.Sprint(s.NightPOS.Member("alice").ID))
	if err != nil {
		s.Fatal(err)
	}
	return state
}

// operationsIn are the calls that the document describes, as "GET /path".
func operationsIn(s *scene, document string) []string {
	s.Helper()
	var described struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal([]byte(document), &described); err != nil {
		s.Fatal(err)
	}
	var found []string
	for path, methods := range described.Paths {
		for method := range methods {
			if method = strings.ToUpper(method); slices.Contains([]string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete}, method) && path != "/openapi.json" {
				found = append(found, method+" "+path)
			}
		}
	}
	slices.Sort(found)
	return found
}

// TestReplayedNotificationsChangeNothing: whoever has heard a genuine notification
// can have an event looked at, and nothing more: a replay costs a call at most.
func TestReplayedNotificationsChangeNothing(t *testing.T) {
	in(t, func(s *scene) {
		start := time.Now().UTC().Truncate(time.Hour).AddDate(0, 0, 3)
		made, err := s.Outlook.Mailbox(world.Alice).Create(context.Background(), map[string]any{
			"subject": "Once", "start": map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
			"end": map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		})
		if err != nil {
			s.Fatal(err)
		}
		s.Quiet()
		writes, written := s.Writes(), s.NightPOS.Counts()["door writing"]
		graph, _ := s.calls()
		body := fmt.Sprintf(`{"value":[{"clientState":%q,"changeType":"updated","resourceData":{"id":%q,"@odata.etag":"W/\"old\""}},{"clientState":%q,"changeType":"deleted","resourceData":{"id":%q}}]}`,
			s.clientState(), made["id"], s.clientState(), made["id"])
		for range 1000 {
			if got := s.ask(http.MethodPost, "/webhooks/graph", body).StatusCode; got != http.StatusAccepted {
				s.Fatalf("answered %d", got)
			}
		}
		s.Quiet()
		if s.Writes() != writes || s.NightPOS.Counts()["door writing"] != written {
			s.Error("a replay had something written")
		}
		after, _ := s.calls()
		if calls := after - graph; calls > 1000 {
			s.Errorf("a thousand replays made %d calls of Graph", calls)
		}
	})
}
