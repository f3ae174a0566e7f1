package monitoring_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// exported are the metrics that a gateway between both simulators tells once it has
// seen everything happen, each with its labels.
func exported(t *testing.T) map[string][]string {
	t.Helper()
	address, mend := start(t)
	get := func(method, path string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), method, address+path, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		content, err := io.ReadAll(answer.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(content)
	}
	get(http.MethodPost, "/webhooks/nightpos/wrong")
	// until waits until some metrics are told.
	until := func(names ...string) string {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			text := get(http.MethodGet, "/metrics")
			missing := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return strings.Contains(text, "\noutlook_gateway_"+name) })
			if len(missing) == 0 {
				return text
			}
			if time.Now().After(end) {
				t.Fatalf("there is no %s in\n%s", missing, text)
			}
		}
	}
	until("failures_total")
	mend()
	text := until("changes_synced_total", "conflicts_total", "webhooks_rejected_total", "calls_seconds_count", "members", "queue_lanes")
	reader := expfmt.NewTextParser(model.LegacyValidation)
	families, err := reader.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	found := map[string][]string{}
	for name, family := range families {
		var names []string
		for _, metric := range family.GetMetric() {
			for _, label := range metric.GetLabel() {
				names = append(names, label.GetName())
			}
		}
		if family.GetType() != dto.MetricType_HISTOGRAM {
			found[name] = names
			continue
		}
		found[name+"_bucket"] = append(names, "le")
		found[name+"_sum"], found[name+"_count"] = names, names
	}
	return found
}

// start starts a gateway, connects Alice, and has a meeting of hers changed on both
// sides while it reaches neither, until mend is called.
func start(t *testing.T) (address string, mend func()) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(err)
	address = "http://" + listener.Addr().String()
	serve := func(build func(address string) http.Handler) string {
		server := httptest.NewUnstartedServer(nil)
		address := "http://" + server.Listener.Addr().String()
		server.Config.Handler = build(address)
		server.Start()
		t.Cleanup(server.Close)
		return address
	}
	var mail *simoutlook.Server
	var suite *simnightpos.Server
	microsoft := serve(func(address string) http.Handler {
		mail, err = simoutlook.New(simoutlook.Config{
			BaseURL: address, Seed: 1, Switches: simoutlook.Switches{AnyAddress: true}, People: []simoutlook.Person{{Name: "Alice", Address: "alice@nightpos.example"}},
		})
		must(err)
		t.Cleanup(mail.Close)
		return mail.Handler()
	})
	nightpos := serve(func(address string) http.Handler {
		suite, err = simnightpos.New(simnightpos.Config{BaseURL: address, Seed: 1})
		must(err)
		t.Cleanup(suite.Close)
		return suite.Handler()
	})
	engine, err := redis.NewInProcess("", nil)
	must(err)
	application := simoutlook.DefaultApplication
	failing := &failing{next: http.DefaultTransport}
	running, err := service.Start(context.WithoutCancel(t.Context()), service.Config{
		Listener: listener, Engine: engine, Workers: 2, Transport: failing,
		Settings: gateway.Settings{
			PublicURL: address, SecretKeys: [][]byte{[]byte("0123456789abcdef0123456789abcdef")},
			MicrosoftClientID: application.ID, MicrosoftClientSecret: gateway.Secret(application.Secret),
			MicrosoftTenant: "common", MicrosoftLoginURL: microsoft, MicrosoftGraphURL: microsoft + "/v1.0",
			NightPOSURL: nightpos, NightPOSDatabase: "night", NightPOSLogin: "admin", NightPOSAPIKey: "admin", NightPOSProtocol: "auto",
			PastDays: 365, FutureDays: 730, Conflict: "newest", QuietFirstSync: true,
		},
	})
	must(err)
	t.Cleanup(func() { must(running.Close()); must(engine.Close()) })
	scopes := []string{"openid", "offline_access", "User.Read", "Calendars.ReadWrite"}
	access, refresh, expires := mail.Token(t.Context(), "alice@nightpos.example", application.ID, scopes)
	_, err = running.Connect(t.Context(), "alice", outlook.Token{AccessToken: access, RefreshToken: refresh, Expires: expires, Scopes: scopes})
	must(err)
	quiet := func() {
		t.Helper()
		for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if still, err := running.Quiet(t.Context()); err == nil && still && len(suite.Events()) == len(mail.Mailbox("alice@nightpos.example").Events()) {
				return
			}
			if time.Now().After(end) {
				t.Fatal("the gateway is never quiet")
			}
		}
	}
	member := suite.Member("alice")
	begin := time.Now().UTC().AddDate(0, 0, 2)
	record, err := member.Create(t.Context(), map[string]any{
		"name": "Before", "start": begin.Format(time.DateTime), "stop": begin.Add(time.Hour).Format(time.DateTime), "partner_ids": []any{[]any{6, 0, []any{member.PartnerID}}},
	})
	must(err)
	quiet()
	failing.cut.Store(true)
	must(member.Write(t.Context(), []int{record}, map[string]any{"name": "By NightPOS"}))
	for _, shown := range mail.Mailbox("alice@nightpos.example").Events() {
		_, err := mail.Mailbox("alice@nightpos.example").Update(t.Context(), shown["id"].(string), map[string]any{"subject": "By Outlook"})
		must(err)
	}
	return address, func() { failing.cut.Store(false) }
}

// failing is a way to NightPOS and Microsoft that can be cut.
type failing struct {
	next http.RoundTripper
	cut  atomic.Bool
}

var errCut = errors.New("the connection is cut")

// RoundTrip implements http.RoundTripper.
func (f *failing) RoundTrip(request *http.Request) (*http.Response, error) {
	if f.cut.Load() {
		return nil, errCut
	}
	return f.next.RoundTrip(request)
}
