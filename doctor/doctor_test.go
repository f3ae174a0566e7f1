package doctor_test

import (
	"context"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/doctor"
	"github.com/nightpos/outlook-gateway/gateway"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

func TestAllIsWell(t *testing.T) {
	for _, version := range []int{17, 18, 19} {
		w := newWorld(t, func(made *makeup) { made.nightpos.Version = version })
		seen := map[string]bool{}
		for _, row := range doctor.Run(t.Context(), w.config) {
			seen[row.Check] = true
			inBoth(t, row)
			if row.Status != doctor.OK || row.Remedy != "" {
				t.Errorf("NightPOS %d: %+v, want that it is well", version, row)
			}
		}
		for _, check := range []string{
			"settings", "store.reach", "store.version", "store.persistence", "store.eviction", "store.clock", "store.key",
			"nightpos.address", "nightpos.version", "nightpos.database", "nightpos.login", "nightpos.key", "nightpos.clock", "nightpos.administrator",
			"nightpos.door", "nightpos.rules", "nightpos.base_url", "nightpos.builtin_sync", "nightpos.webhooks",
			"microsoft.login_url", "microsoft.cloud", "microsoft.graph_url", "microsoft.clock", "microsoft.application", "microsoft.redirect_uri",
			"microsoft.tenant", "microsoft.secret_expiry",
			"gateway.public_url", "gateway.identity", "gateway.handshake", "gateway.body_size", "gateway.ready",
		} {
			if !seen[check] {
				t.Errorf("NightPOS %d: there is no row %s", version, check)
			}
		}
		for _, event := range w.nightpos.Events() {
			t.Errorf("NightPOS %d: an event was left behind: %v", version, event["name"])
		}
		if mails := w.nightpos.Mails(); len(mails) > 0 {
			t.Errorf("NightPOS %d: somebody was mailed: %+v", version, mails)
		}
	}
}

// TestAGatewayThatRunsIsExaminedWithItsSettings: the same rows as with the settings
// from outside, told part by part.
func TestAGatewayThatRunsIsExaminedWithItsSettings(t *testing.T) {
	w := newWorld(t, nil)
	names := func(rows []doctor.Row) (names []string) {
		for _, row := range rows {
			names = append(names, row.Check+" "+string(row.Status))
		}
		return names
	}
	want := names(doctor.Run(t.Context(), w.config))
	settings, err := gateway.LoadSettings(w.config.Lookup, "")
	if err != nil {
		t.Fatal(err)
	}
	config := w.config
	config.Lookup, config.Settings = nil, &settings
	var told []doctor.Progress
	config.Told = func(progress doctor.Progress) { told = append(told, progress) }
	rows := doctor.Run(t.Context(), config)
	if got := names(rows); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if len(told) != 7 || len(told[6].Rows) != len(rows) || len(told[0].Rows) != 1 {
		t.Fatalf("%d parts were told", len(told))
	}
	for index, progress := range told {
		if progress.Done != index+1 || progress.Total != 7 || index > 0 && len(progress.Rows) < len(told[index-1].Rows) {
			t.Errorf("part %d is told as %d of %d with %d rows", index+1, progress.Done, progress.Total, len(progress.Rows))
		}
	}
}

// mistake is something planted, the row that must tell of it, and words that its
// detail and its remedy must have.
type mistake struct {
	name   string
	make   func(*makeup)
	plant  func(*world)
	check  string
	status doctor.Status
	says   string
	remedy string
}

func set(name, value string) func(*world) {
	return func(w *world) { w.unlike(name, value) }
}

// holds gives an embedded store a folder with something in it.
func holds(names ...string) func(*world) {
	return func(w *world) {
		folder := w.TempDir()
		for _, name := range names {
			if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
				w.Fatal(err)
			}
		}
		w.unlike("REDIS_URL", "")
		w.unlike("GATEWAY_DATA_DIR", folder)
	}
}

// refusing has the sign-in refuse the application.
func refusing(status int, word string, number int) func(*makeup) {
	return func(made *makeup) {
		made.outlook.SignInFaults = func(simoutlook.SignInCall) *simoutlook.SignInFault {
			return &simoutlook.SignInFault{Status: status, Error: word, Number: number}
		}
	}
}

const (
	failed  = doctor.Failed
	warning = doctor.Warning
)

var mistakes = []mistake{
	// Settings.
	{name: "an address without TLS", plant: set("GATEWAY_PUBLIC_URL", "http://night.example.com"), check: "settings.GATEWAY_PUBLIC_URL", status: failed, says: "http is accepted for loopback hosts only", remedy: "https://"},
	{name: "a short key", plant: set("GATEWAY_SECRET_KEY", "c2hvcnQ="), check: "settings.GATEWAY_SECRET_KEY", status: failed, says: "has 5 bytes and needs 32", remedy: "openssl rand -base64 32"},
	{name: "a key that is no base64", plant: set("GATEWAY_SECRET_KEY", "!!"), check: "settings.GATEWAY_SECRET_KEY", status: failed, says: "not base64", remedy: "openssl rand -base64 32"},
	{name: "Redis without a key", plant: set("GATEWAY_SECRET_KEY", ""), check: "settings.GATEWAY_SECRET_KEY", status: failed, says: "is missing", remedy: "openssl rand -base64 32"},
	{name: "a short admin token", plant: set("GATEWAY_ADMIN_TOKEN", "letmein"), check: "settings.GATEWAY_ADMIN_TOKEN", status: failed, says: "needs at least 32", remedy: "openssl rand -hex 32"},
	{name: "no database", plant: set("NIGHTPOS_DB", ""), check: "settings.NIGHTPOS_DB", status: failed, says: "is missing", remedy: "night"},
	{name: "half an administrator", plant: set("NIGHTPOS_ADMIN_API_KEY", ""), check: "settings.NIGHTPOS_ADMIN_API_KEY", status: failed, says: "is missing", remedy: "API key"},
	{name: "a window that is too large", plant: set("SYNC_FUTURE_DAYS", "1700"), check: "settings.SYNC_FUTURE_DAYS", status: failed, says: "may be 1800", remedy: "730"},

	// Store.
	{name: "no Redis", plant: set("REDIS_URL", "redis://127.0.0.1:1"), check: "store.reach", status: failed, says: "nothing listens", remedy: "REDIS_URL"},
	{name: "a Redis with a password", plant: func(w *world) { w.unlike("REDIS_URL", redisURL(w.T, "--requirepass", "hush")) }, check: "store.reach", status: failed, says: "refuses the user or the password", remedy: "redis://USER:PASSWORD@"},
	{name: "a Redis that forgets", plant: func(w *world) { w.unlike("REDIS_URL", redisURL(w.T)) }, check: "store.persistence", status: failed, says: "no append-only file", remedy: "appendonly yes"},
	{name: "a Redis that syncs seldom", plant: func(w *world) { w.unlike("REDIS_URL", redisURL(w.T, "--appendonly", "yes", "--appendfsync", "no")) }, check: "store.persistence", status: warning, says: "appendfsync no", remedy: "appendfsync always"},
	{name: "a Redis that evicts", plant: func(w *world) {
		w.unlike("REDIS_URL", redisURL(w.T, "--appendonly", "yes", "--maxmemory", "100mb", "--maxmemory-policy", "allkeys-lru"))
	}, check: "store.eviction", status: failed, says: "allkeys-lru", remedy: "maxmemory-policy noeviction"},
	{name: "a replica", plant: func(w *world) { w.unlike("REDIS_URL", redisURL(w.T, "--replicaof", "127.0.0.1 1")) }, check: "store.reach", status: failed, says: "replica", remedy: "primary"},
	{name: "one node of a Cluster", plant: func(w *world) { w.unlike("REDIS_URL", redisURL(w.T, "--cluster-enabled", "yes")) }, check: "store.reach", status: failed, says: "part of a Cluster", remedy: "separated by commas"},
	{name: "Sentinels whose servers take writes alone", plant: func(w *world) { w.unlike("REDIS_URL", sentinelURL(w.T, "--appendonly", "yes")) }, check: "store.failover", status: warning, says: "former master", remedy: "min-replicas-to-write 1"},
	{name: "no redis-server for the embedded store", plant: func(w *world) { w.unlike("REDIS_URL", ""); w.config.RedisServer = "none" }, check: "store.persistence", status: warning, says: "not durable", remedy: "install redis-server"},
	{name: "a folder with a snapshot, and a redis-server", plant: holds("snapshot"), check: "store.folder", status: failed, says: "stored without a redis-server", remedy: "move snapshot away"},
	{name: "a folder of a redis-server that is gone", plant: func(w *world) { holds("appendonly.aof")(w); w.config.RedisServer = "none" }, check: "store.folder", status: failed, says: "none is on PATH", remedy: "backup FILE"},
	{name: "a folder of two stores", plant: holds("snapshot", "appendonly.aof"), check: "store.folder", status: failed, says: "two stores", remedy: "snapshot, appendonly.aof"},
	{name: "a folder that is none", plant: func(w *world) { w.unlike("REDIS_URL", ""); w.unlike("GATEWAY_DATA_DIR", "/dev/null") }, check: "store.folder", status: failed, says: "/dev/null", remedy: "GATEWAY_DATA_DIR"},

	// Clocks.
	{name: "a clock that is an hour late, against Redis", plant: late, check: "store.clock", status: failed, says: "1h0m0s ahead", remedy: "NTP"},
	{name: "the same, against NightPOS", plant: late, check: "nightpos.clock", status: failed, says: "ahead", remedy: "NTP"},
	{name: "the same, against Graph", plant: late, check: "microsoft.clock", status: failed, says: "ahead", remedy: "NTP"},

	// NightPOS.
	{name: "no NightPOS", plant: set("NIGHTPOS_URL", "http://127.0.0.1:1"), check: "nightpos.address", status: failed, says: "nothing listens", remedy: "NIGHTPOS_URL"},
	{name: "a NightPOS elsewhere", plant: func(w *world) {
		server := httptest.NewServer(http.RedirectHandler("https://night.example.com/web", http.StatusMovedPermanently))
		w.Cleanup(server.Close)
		w.unlike("NIGHTPOS_URL", server.URL)
	}, check: "nightpos.address", status: failed, says: "redirects to https://night.example.com", remedy: "set NIGHTPOS_URL to https://night.example.com"},
	{name: "something else than NightPOS", plant: func(w *world) { w.unlike("NIGHTPOS_URL", w.environment["MICROSOFT_LOGIN_URL"]) }, check: "nightpos.address", status: failed, says: "not as NightPOS", remedy: "NIGHTPOS_URL"},
	{name: "a protocol that the version has not", plant: set("NIGHTPOS_PROTOCOL", "json2"), check: "nightpos.address", status: failed, says: "not as NightPOS", remedy: "NIGHTPOS_URL"},
	{name: "another database", plant: set("NIGHTPOS_DB", "day"), check: "nightpos.database", status: failed, says: "no database", remedy: "NIGHTPOS_DB"},
	{name: "a wrong key", plant: set("NIGHTPOS_API_KEY", "hush"), check: "nightpos.login", status: failed, says: "refuses NIGHTPOS_LOGIN", remedy: "Account Security"},
	{name: "a password for json2", make: nineteen, plant: func(w *world) { w.unlike("NIGHTPOS_API_KEY", "the-password"); w.unlike("NIGHTPOS_PROTOCOL", "json2") }, check: "nightpos.login", status: failed, says: "refuses", remedy: "json2 takes no password"},
	{name: "a password in place of a key", plant: set("NIGHTPOS_API_KEY", "the-password"), check: "nightpos.key", status: warning, says: "password", remedy: "make an API key"},
	{name: "the same in 19", make: nineteen, plant: set("NIGHTPOS_API_KEY", "the-password"), check: "nightpos.key", status: warning, says: "password", remedy: "make an API key"},
	{name: "a key about to end", plant: func(w *world) {
		w.unlike("NIGHTPOS_API_KEY", w.nightpos.Member("gateway").APIKey(5*24*time.Hour))
	}, check: "nightpos.key", status: warning, says: "ends on", remedy: "make a new API key"},
	{name: "the gateway as administrator", plant: func(w *world) {
		w.unlike("NIGHTPOS_LOGIN", "admin")
		w.unlike("NIGHTPOS_API_KEY", w.environment["NIGHTPOS_ADMIN_API_KEY"])
	}, check: "nightpos.login", status: warning, says: "taken for the gateway's own", remedy: "ordinary internal user"},
	{name: "no administrator", plant: func(w *world) { w.unlike("NIGHTPOS_ADMIN_LOGIN", ""); w.unlike("NIGHTPOS_ADMIN_API_KEY", "") }, check: "nightpos.administrator", status: warning, says: "not mended", remedy: "NIGHTPOS_ADMIN_LOGIN"},
	{name: "an administrator with a wrong key", plant: set("NIGHTPOS_ADMIN_API_KEY", "hush"), check: "nightpos.administrator", status: failed, says: "refuses", remedy: "NIGHTPOS_ADMIN_API_KEY"},
	{name: "an administrator who is none", plant: func(w *world) {
		w.unlike("NIGHTPOS_ADMIN_LOGIN", "bob")
		w.unlike("NIGHTPOS_ADMIN_API_KEY", "bob")
	}, check: "nightpos.administrator", status: failed, says: "no administrator", remedy: "NIGHTPOS_ADMIN_LOGIN"},
	{name: "no door", plant: func(w *world) {
		w.admin(nil, "ir.actions.server", "unlink", []int{w.find("ir.actions.server", "Outlook gateway: door")})
	}, check: "nightpos.door", status: failed, says: "no server action", remedy: "outlook-gateway register"},
	{name: "a closed door", plant: func(w *world) {
		w.admin(nil, "res.users", "write", []int{w.nightpos.Member("gateway").ID}, map[string]any{"groups_id": []any{[]any{3, w.find("res.groups", "Outlook gateway: account")}}})
	}, check: "nightpos.door", status: failed, says: "closed", remedy: "outlook-gateway register"},
	{name: "a door for everybody", plant: func(w *world) {
		w.admin(nil, "ir.actions.server", "write", []int{w.find("ir.actions.server", "Outlook gateway: door")}, map[string]any{"groups_id": []any{[]any{6, 0, []int{}}}})
	}, check: "nightpos.rules", status: failed, says: "open to every user", remedy: "outlook-gateway register"},
	{name: "an account that may make no contacts", make: nineteen, plant: func(w *world) {
		w.admin(nil, "res.groups", "write", []int{w.find("res.groups", "Outlook gateway: account")}, map[string]any{"implied_ids": []any{[]any{6, 0, []int{}}}})
	}, check: "nightpos.rules", status: failed, says: "make contacts", remedy: "outlook-gateway register"},
	{name: "a rule switched off", plant: rule(map[string]any{"active": false}), check: "nightpos.rules", status: failed, says: "is switched off", remedy: "outlook-gateway register"},
	{name: "a rule edited", plant: rule(map[string]any{"filter_domain": "[]"}), check: "nightpos.rules", status: failed, says: "was edited", remedy: "outlook-gateway register"},
	{name: "a rule deleted", plant: func(w *world) {
		w.admin(nil, "base.automation", "unlink", []int{w.find("base.automation", "Outlook gateway: event deleted")})
	}, check: "nightpos.rules", status: failed, says: `"Outlook gateway: event deleted" is missing`, remedy: "outlook-gateway register"},
	{name: "a rule that nobody can read switched off", plant: func(w *world) {
		w.unlike("NIGHTPOS_ADMIN_LOGIN", "")
		w.unlike("NIGHTPOS_ADMIN_API_KEY", "")
		w.admin(nil, "base.automation", "write", []int{w.find("base.automation", "Outlook gateway: event deleted")}, map[string]any{"active": false})
	}, check: "nightpos.webhooks", status: failed, says: "was not told", remedy: "outlook-gateway register"},
	{name: "webhooks that are lost", make: func(made *makeup) {
		made.nightpos.Webhook = func(string, []byte) simnightpos.WebhookFate { return simnightpos.WebhookFate{Drop: true} }
	}, check: "nightpos.webhooks", status: failed, says: "although every rule is as it should be", remedy: "firewall"},
	{name: "webhooks with another token", plant: func(w *world) {
		w.between(on("/webhooks/nightpos/", func(answer http.ResponseWriter, r *http.Request, next http.Handler) {
			if strings.HasPrefix(r.UserAgent(), "python-requests") {
				r.URL.Path = "/webhooks/nightpos/another"
			}
			next.ServeHTTP(answer, r)
		}))
	}, check: "nightpos.webhooks", status: failed, says: "another token", remedy: "outlook-gateway register"},
	{name: "another web.base.url", make: func(made *makeup) { made.nightpos.BaseURL = "https://erp.example.com" }, check: "nightpos.base_url", status: failed, says: "https://erp.example.com", remedy: "web.base.url.freeze"},
	{name: "a built-in sync that is on", plant: func(w *world) {
		w.admin(nil, "res.users", "write", []int{w.nightpos.Member("alice").ID}, map[string]any{"microsoft_calendar_rtoken": "token"})
		w.admin(nil, "ir.config_parameter", "set_param", "microsoft_calendar_sync_paused", "True")
	}, check: "nightpos.builtin_sync", status: warning, says: "alice", remedy: "Stop Synchronization"},

	// Microsoft.
	{name: "no sign-in", plant: set("MICROSOFT_LOGIN_URL", "http://127.0.0.1:1"), check: "microsoft.login_url", status: failed, says: "nothing listens", remedy: "MICROSOFT_LOGIN_URL"},
	{name: "an unknown tenant", plant: set("MICROSOFT_TENANT", "nowhere.example"), check: "microsoft.tenant", status: failed, says: "no such tenant", remedy: "MICROSOFT_TENANT"},
	{name: "an unknown application", plant: set("MICROSOFT_CLIENT_ID", "11111111-2222-3333-4444-555555555555"), check: "microsoft.application", status: failed, says: "AADSTS700016", remedy: "MICROSOFT_CLIENT_ID"},
	{name: "no application", make: stopped, plant: set("MICROSOFT_CLIENT_ID", ""), check: "microsoft.application", status: failed, says: "is missing", remedy: "register an application"},
	{name: "no secret", make: stopped, plant: set("MICROSOFT_CLIENT_SECRET", ""), check: "microsoft.application", status: failed, says: "is missing", remedy: "client secret"},
	{name: "a wrong secret", plant: set("MICROSOFT_CLIENT_SECRET", "hush"), check: "microsoft.application", status: failed, says: "AADSTS7000215", remedy: "not its id"},
	{name: "an expired secret", make: refusing(http.StatusUnauthorized, "invalid_client", 7000222), check: "microsoft.application", status: failed, says: "has expired", remedy: "make a new client secret"},
	{name: "a disabled application", make: refusing(http.StatusUnauthorized, "invalid_client", 7000112), check: "microsoft.application", status: failed, says: "disabled", remedy: "Enterprise applications"},
	{name: "an application of one tenant", make: func(made *makeup) { made.outlook.Applications[0].SingleTenant = true }, check: "microsoft.tenant", status: failed, says: "one organization alone", remedy: "MICROSOFT_TENANT"},
	{name: "a redirect URI that is not registered", make: func(made *makeup) {
		made.outlook.Applications[0].RedirectURIs = []string{"https://night.example.com/microsoft_account/authentication"}
	}, check: "microsoft.redirect_uri", status: failed, says: "is not registered", remedy: "platform Web"},
	{name: "a redirect URI with a parenthesis", plant: func(w *world) { w.unlike("GATEWAY_PUBLIC_URL", w.environment["GATEWAY_PUBLIC_URL"]+"/(night)") }, check: "microsoft.redirect_uri", status: failed, says: "characters", remedy: "GATEWAY_PUBLIC_URL"},
	{name: "a redirect URI that is too long", plant: func(w *world) {
		w.unlike("GATEWAY_PUBLIC_URL", w.environment["GATEWAY_PUBLIC_URL"]+"/"+strings.Repeat("n", 256))
	}, check: "microsoft.redirect_uri", status: failed, says: "Entra takes 256", remedy: "GATEWAY_PUBLIC_URL"},
	{name: "a redirect URI at [::1]", plant: set("GATEWAY_PUBLIC_URL", "http://[::1]:9"), check: "microsoft.redirect_uri", status: failed, says: "[::1]", remedy: "localhost"},
	{name: "a tenant without organizations", plant: set("MICROSOFT_TENANT", "consumers"), check: "microsoft.tenant", status: warning, says: "work and school accounts cannot", remedy: "common"},
	{name: "a tenant without personal accounts", make: func(made *makeup) {
		made.nightpos.People = append(made.nightpos.People, simnightpos.Person{Name: "Dora", Login: "dora", Address: "dora@hotmail.fr", Password: "dora"})
	}, plant: set("MICROSOFT_TENANT", "organizations"), check: "microsoft.personal_accounts", status: warning, says: "dora", remedy: "common"},
	{name: "a secret about to end", plant: expires(20), check: "microsoft.secret_expiry", status: warning, says: "within 30 day", remedy: "MICROSOFT_CLIENT_SECRET_EXPIRES"},
	{name: "a secret that ends tomorrow", plant: expires(1), check: "microsoft.secret_expiry", status: warning, says: "within 1 day", remedy: "make a new client secret"},
	{name: "a secret that has ended", plant: expires(-1), check: "microsoft.secret_expiry", status: failed, says: "ended on", remedy: "make a new client secret"},
	{name: "a secret whose end nobody knows", make: stopped, plant: set("MICROSOFT_CLIENT_SECRET_EXPIRES", ""), check: "microsoft.secret_expiry", status: warning, says: "not known", remedy: "MICROSOFT_CLIENT_SECRET_EXPIRES"},
	{name: "Graph of another cloud", plant: func(w *world) {
		w.config.Transport = elsewhere{"graph.microsoft.us": w.environment["MICROSOFT_LOGIN_URL"]}
		w.unlike("MICROSOFT_GRAPH_URL", "https://graph.microsoft.us/v1.0")
	}, check: "microsoft.cloud", status: failed, says: "different clouds", remedy: "pair"},
	{name: "a national sign-in with the world's Graph", plant: func(w *world) {
		w.config.Transport = elsewhere{"login.microsoftonline.us": w.environment["MICROSOFT_LOGIN_URL"], "graph.microsoft.com": w.environment["MICROSOFT_LOGIN_URL"]}
		w.unlike("MICROSOFT_LOGIN_URL", "https://login.microsoftonline.us")
		w.unlike("MICROSOFT_GRAPH_URL", "https://graph.microsoft.com/v1.0")
	}, check: "microsoft.cloud", status: failed, says: "different clouds", remedy: "login.microsoftonline.us"},
	{name: "Graph without its version", plant: func(w *world) { w.unlike("MICROSOFT_GRAPH_URL", w.environment["MICROSOFT_LOGIN_URL"]) }, check: "microsoft.graph_url", status: failed, says: "is not Graph", remedy: "/v1.0"},

	// The public URL.
	{name: "no gateway", make: stopped, check: "gateway.public_url", status: failed, says: "502", remedy: "outlook-gateway serve"},
	{name: "no gateway for webhooks", make: stopped, check: "nightpos.webhooks", status: warning, says: "does not run", remedy: "start it"},
	{name: "nothing at the public URL", plant: set("GATEWAY_PUBLIC_URL", "http://127.0.0.1:1"), check: "gateway.public_url", status: failed, says: "nothing listens", remedy: "outlook-gateway serve"},
	{name: "something else at the public URL", plant: func(w *world) { w.between(stranger) }, check: "gateway.public_url", status: failed, says: "something else", remedy: "have the proxy pass"},
	{name: "a public URL that redirects", plant: func(w *world) {
		w.between(func(answer http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(answer, r, "https://night.example.com"+r.URL.Path, http.StatusMovedPermanently)
		})
	}, check: "gateway.public_url", status: failed, says: "redirects to https://night.example.com/healthz", remedy: "without redirects"},
	{name: "a certificate of nobody", plant: func(w *world) {
		server := httptest.NewUnstartedServer(w.gateway)
		server.Config.ErrorLog = log.New(io.Discard, "", 0) // of the handshake that is refused
		server.StartTLS()
		w.Cleanup(server.Close)
		w.unlike("GATEWAY_PUBLIC_URL", server.URL)
	}, check: "gateway.certificate", status: failed, says: "authority that is not known", remedy: "public authority"},
	{name: "another gateway", plant: set("GATEWAY_SECRET_KEY", "YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXowMTIzNDU="), check: "gateway.identity", status: failed, says: "another key", remedy: "GATEWAY_SECRET_KEY"},
	{name: "webhooks behind a login", plant: func(w *world) {
		w.between(on("/webhooks/", func(answer http.ResponseWriter, _ *http.Request, _ http.Handler) {
			answer.WriteHeader(http.StatusForbidden)
		}))
	}, check: "gateway.identity", status: failed, says: "answers 403", remedy: "have the proxy pass"},
	{name: "a proxy that drops queries", plant: func(w *world) {
		w.between(on("/webhooks/", func(answer http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.RawQuery = ""
			next.ServeHTTP(answer, r)
		}))
	}, check: "gateway.identity", status: failed, says: "the query of addresses does not arrive", remedy: "path, query and body"},
	{name: "a proxy that drops Graph's queries", plant: func(w *world) {
		w.between(on("/webhooks/graph", func(answer http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.RawQuery = ""
			next.ServeHTTP(answer, r)
		}))
	}, check: "gateway.handshake", status: failed, says: "does not arrive", remedy: "path, query and body"},
	{name: "a proxy that decodes queries twice", plant: func(w *world) {
		w.between(on("/webhooks/graph", func(answer http.ResponseWriter, r *http.Request, next http.Handler) {
			r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "%2B", "+")
			next.ServeHTTP(answer, r)
		}))
	}, check: "gateway.handshake", status: failed, says: "another token", remedy: "as they are"},
	{name: "a proxy that makes pages of answers", plant: func(w *world) { w.between(on("/webhooks/graph", stranger)) }, check: "gateway.handshake", status: failed, says: "text/plain", remedy: "as they are"},
	{name: "lifecycle notifications that are redirected", plant: func(w *world) {
		w.between(on("/webhooks/graph/lifecycle", func(answer http.ResponseWriter, r *http.Request, _ http.Handler) {
			http.Redirect(answer, r, r.URL.Path+"/", http.StatusPermanentRedirect)
		}))
	}, check: "gateway.handshake", status: failed, says: "/webhooks/graph/lifecycle redirects", remedy: "without redirects"},
	{name: "a proxy with little room", plant: func(w *world) {
		w.between(func(answer http.ResponseWriter, r *http.Request, next http.Handler) {
			if r.ContentLength > 1<<20 {
				answer.WriteHeader(http.StatusRequestEntityTooLarge)
				return
			}
			next.ServeHTTP(answer, r)
		})
	}, check: "gateway.body_size", status: failed, says: "do not pass", remedy: "client_max_body_size"},
	{name: "the real Microsoft with a loopback address", plant: func(w *world) {
		w.config.Transport = elsewhere{"login.microsoftonline.com": w.environment["MICROSOFT_LOGIN_URL"], "graph.microsoft.com": w.environment["MICROSOFT_LOGIN_URL"]}
		w.unlike("MICROSOFT_LOGIN_URL", "")
		w.unlike("MICROSOFT_GRAPH_URL", "")
	}, check: "gateway.public_url", status: failed, says: "loopback", remedy: "the internet reaches"},
	{name: "a host that DNS does not know", plant: func(w *world) {
		w.unlike("GATEWAY_PUBLIC_URL", "https://night.example.invalid")
	}, check: "gateway.public_url", status: failed, says: "is not known", remedy: "DNS"},
	{name: "a private address", plant: func(w *world) {
		w.config.Transport = elsewhere{
			"night.example.com":         w.environment["GATEWAY_PUBLIC_URL"],
			"login.microsoftonline.com": w.environment["MICROSOFT_LOGIN_URL"], "graph.microsoft.com": w.environment["MICROSOFT_LOGIN_URL"],
		}
		w.config.Resolve = func(context.Context, string) ([]netip.Addr, error) { return []netip.Addr{at("10.0.0.5")}, nil }
		w.unlike("GATEWAY_PUBLIC_URL", "https://night.example.com")
		w.unlike("MICROSOFT_LOGIN_URL", "")
		w.unlike("MICROSOFT_GRAPH_URL", "")
	}, check: "gateway.public_dns", status: warning, says: "private addresses only", remedy: "public DNS"},
}

func stopped(made *makeup) { made.stopped = true }

func nineteen(made *makeup) { made.nightpos.Version = 19 }

// late sets this machine's clock an hour back.
func late(w *world) {
	w.config.Now = func() time.Time { return time.Now().Add(-time.Hour) }
}

func expires(days int) func(*world) {
	return set("MICROSOFT_CLIENT_SECRET_EXPIRES", time.Now().AddDate(0, 0, days).Format(time.DateOnly))
}

func rule(values map[string]any) func(*world) {
	return func(w *world) {
		w.admin(nil, "base.automation", "write", []int{w.find("base.automation", "Outlook gateway: event saved")}, values)
	}
}

// elsewhere leads hosts to other addresses, without TLS.
type elsewhere map[string]string

func (e elsewhere) RoundTrip(request *http.Request) (*http.Response, error) {
	if target, known := e[request.URL.Host]; known {
		request = request.Clone(request.Context())
		request.URL.Scheme, request.URL.Host, _ = strings.Cut(target, "://")
		request.Host = request.URL.Host
	}
	return http.DefaultTransport.RoundTrip(request)
}

// An application that is set in the console is looked at as far as it goes.
func TestApplicationOfTheConsole(t *testing.T) {
	w := newWorld(t, nil)
	w.unlike("MICROSOFT_CLIENT_ID", "")
	w.unlike("MICROSOFT_CLIENT_SECRET", "")
	w.unlike("MICROSOFT_CLIENT_SECRET_EXPIRES", "")
	end := time.Now().AddDate(0, 0, 5).Format(time.DateOnly)
	w.between(on("/api/v1/settings", func(answer http.ResponseWriter, r *http.Request, _ http.Handler) {
		if r.Header.Get("Authorization") != "Bearer "+w.environment["GATEWAY_ADMIN_TOKEN"] {
			answer.WriteHeader(http.StatusUnauthorized)
			return
		}
		_, _ = fmt.Fprintf(answer, `{"outlook_sync":true,"client_id":%q,"client_secret_set":true,"client_secret_expires":%q,"entered":["client_id","client_secret"],"configured_client_id":"","conflict":"newest"}`, simoutlook.DefaultApplication.ID, end)
	}))
	found := map[string]doctor.Row{}
	for _, row := range doctor.Run(t.Context(), w.config) {
		found[row.Check] = row
	}
	if row := found["microsoft.application"]; row.Status != doctor.OK || !strings.Contains(row.Detail, "in the console") {
		t.Errorf("got %+v", row)
	}
	if row := found["microsoft.redirect_uri"]; row.Status != doctor.OK {
		t.Errorf("got %+v", row)
	}
	if row := found["microsoft.secret_expiry"]; row.Status != warning || !strings.Contains(row.Detail, end) {
		t.Errorf("got %+v", row)
	}
	w.unlike("MICROSOFT_CLIENT_ID", "11111111-2222-3333-4444-555555555555")
	w.unlike("MICROSOFT_CLIENT_SECRET", "hush")
	for _, row := range doctor.Run(t.Context(), w.config) {
		found[row.Check] = row
	}
	if row := found["microsoft.console"]; row.Status != warning || !strings.Contains(row.Detail, simoutlook.DefaultApplication.ID) {
		t.Errorf("with another application in the console: got %+v", row)
	}
	w.unlike("MICROSOFT_CLIENT_ID", simoutlook.DefaultApplication.ID)
	for _, row := range doctor.Run(t.Context(), w.config) {
		found[row.Check] = row
	}
	if row := found["microsoft.console"]; row.Status != warning || !strings.Contains(row.Detail, "MICROSOFT_CLIENT_SECRET") || !strings.Contains(row.Remedy, "give up") {
		t.Errorf("with another secret in the console: got %+v", row)
	}
}

func TestMistakes(t *testing.T) {
	for _, one := range mistakes {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, one.make)
			if one.plant != nil {
				one.plant(w)
			}
			var rows []doctor.Row
			for _, row := range doctor.Run(t.Context(), w.config) {
				for _, secret := range []string{"GATEWAY_SECRET_KEY", "GATEWAY_ADMIN_TOKEN", "MICROSOFT_CLIENT_SECRET", "NIGHTPOS_API_KEY", "NIGHTPOS_ADMIN_API_KEY"} {
					if value := w.environment[secret]; value != "" && value != "bob" && strings.Contains(row.Detail+row.Remedy, value) {
						t.Errorf("%+v shows %s", row, secret)
					}
				}
				inBoth(t, row)
				if (row.Status == doctor.OK) != (row.Remedy == "") {
					t.Errorf("%+v: a row has a remedy if something is wrong", row)
				}
				if row.Check == one.check && row.Status == one.status && strings.Contains(row.Detail, one.says) && strings.Contains(row.Remedy, one.remedy) {
					return
				}
				rows = append(rows, row)
			}
			t.Errorf("no row %s has %s with %q, and %q to do; there are:", one.check, one.status, one.says, one.remedy)
			for _, row := range rows {
				if row.Status != doctor.OK {
					t.Logf("%+v", row)
				}
			}
		})
	}
}
