package gateway_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
)

// FuzzSettingsFile reads whatever a file of settings holds: it is an error of one
// line that shows no secret, or settings within their limits.
func FuzzSettingsFile(f *testing.F) {
	f.Add("gateway_public_url: https://night.example.com\nnightpos_url: https://night.example.com\nnightpos_db: night\nnightpos_login: gateway\nnightpos_api_key: hush-hush\n")
	f.Add("nightpos_api_key: [hush-hush]\nsync_past_days: 1e3\n")
	f.Add("gateway_secret_key: hush-hush\nredis_url: redis://:hush-hush@x:y/0\n")
	f.Add("&a [*a, *a]: *a\n")
	f.Add("a: &b {<<: *b}\n---\nx")
	f.Add("sync_checks_per_hour: -1\nsync_future_days: 99999999999999999999\n")
	path := filepath.Join(f.TempDir(), "settings.yaml")
	f.Fuzz(func(t *testing.T, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		settings, err := gateway.LoadSettings(func(string) (string, bool) { return "", false }, path)
		if err != nil {
			if text := err.Error(); strings.Contains(text, "\n") || strings.Contains(text, "hush-hush") {
				t.Errorf("the error is %q", text)
			}
			return
		}
		if settings.PastDays < 0 || settings.FutureDays < 0 || settings.PastDays+settings.FutureDays > 1825 || settings.ChecksPerHour < 0 || settings.PublicURL == "" || settings.NightPOSAPIKey == "" {
			t.Errorf("taken as %+v", settings)
		}
	})
}

// unasked fails the test whenever somebody looks for a ticket, or for people.
type unasked struct{ asked *atomic.Int64 }

func (u unasked) SaveTicket(context.Context, string, []byte, time.Duration) error { return nil }

func (u unasked) Ticket(context.Context, string) ([]byte, error) {
	u.asked.Add(1)
	return nil, gateway.ErrSpent
}

func (u unasked) TakeTicket(context.Context, string) ([]byte, error) {
	u.asked.Add(1)
	return nil, gateway.ErrSpent
}

func (u unasked) AtBrowser(context.Context, string) (gateway.Person, error) {
	return gateway.Person{}, gateway.ErrNobody
}

func (u unasked) Find(context.Context, string) (gateway.Person, error) {
	u.asked.Add(1)
	return gateway.Person{}, gateway.ErrNobody
}

func (u unasked) SignInURL(string, string, string) string { return "https://login.example/" }

func (u unasked) Connect(context.Context, gateway.Person, string, string, gateway.Choice) (string, error) {
	u.asked.Add(1)
	return "", errors.New("nobody")
}

// FuzzConnectLink opens made-up links and states: none is good, and none costs as
// much as a look into the store.
func FuzzConnectLink(f *testing.F) {
	for _, pass := range []string{"", ".", "a.b", strings.Repeat("A", 32) + "." + strings.Repeat("A", 43), "%00", strings.Repeat("x", 200), "a b", "é.é", strings.Repeat("A", 32) + ".A=="} {
		f.Add(pass)
	}
	asked := new(atomic.Int64)
	w := newWorld(f, func(config *gateway.Config) {
		config.Connections = &gateway.Connections{
			People: unasked{asked}, Tickets: unasked{asked}, PublicURL: "https://night.example.com", NightPOSURL: "https://night.example.com",
			LoginURL: "https://login.example", ClientID: func() string { return "x" }, Keys: [][]byte{key(1)}, Random: rand.NewChaCha8([32]byte{}),
		}
	})
	f.Fuzz(func(t *testing.T, pass string) {
		for _, path := range []string{"/microsoft_account/connect?link=", "/microsoft_account/authentication?code=x&state="} {
			answer := w.at(t).do(http.MethodGet, path+url.QueryEscape(pass), "")
			if answer.Code < http.StatusBadRequest || answer.Code >= http.StatusInternalServerError || answer.Header().Get("Location") != "" {
				t.Errorf("%s answered %d", path, answer.Code)
			}
		}
		if asked.Load() != 0 {
			t.Error("a made-up pass was looked up")
		}
	})
}
