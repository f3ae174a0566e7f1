package gateway_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/zap/zapcore"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// required is the least that serve can start with.
func required() map[string]string {
	return map[string]string{
		"GATEWAY_PUBLIC_URL": "https://night.example.com",
		"NIGHTPOS_URL":       "https://night.example.com", "NIGHTPOS_DB": "night", "NIGHTPOS_LOGIN": "gateway", "NIGHTPOS_API_KEY": "hush-nightpos",
	}
}

func load(environment map[string]string, file string) (gateway.Settings, error) {
	return gateway.LoadSettings(func(name string) (string, bool) {
		value, given := environment[name]
		return value, given
	}, file)
}

func yamlFile(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func encoded(fill byte) string { return base64.StdEncoding.EncodeToString(key(fill)) }

func TestSettingsDefaults(t *testing.T) {
	want := gateway.Settings{
		Listen: ":8080", PublicURL: "https://night.example.com", DataDir: "./data", LogLevel: zapcore.InfoLevel, RedisNamespace: "outlook-gateway",
		MicrosoftTenant: "common", MicrosoftLoginURL: "https://login.microsoftonline.com", MicrosoftGraphURL: "https://graph.microsoft.com/v1.0",
		NightPOSURL: "https://night.example.com", NightPOSDatabase: "night", NightPOSLogin: "gateway", NightPOSAPIKey: "hush-nightpos", NightPOSProtocol: "auto",
		PastDays: 365, FutureDays: 730, Conflict: "newest", QuietFirstSync: true, ChecksPerHour: 600,
		CreateContacts: "known_domains", OnlineMeetings: "when_asked", PrivateEvents: "full",
	}
	blank := required()
	for _, name := range []string{"GATEWAY_LISTEN", "SYNC_PAST_DAYS", "GATEWAY_SECRET_KEY", "REDIS_URL"} {
		// As a compose file leaves what it passes on and nobody has set.
		blank[name] = ""
	}
	spaces := required()
	spaces["GATEWAY_LISTEN"], spaces["SYNC_PAST_DAYS"], spaces["NIGHTPOS_API_KEY"] = " ", "\t", "hush-nightpos\n"
	for name, environment := range map[string]map[string]string{"nothing else": required(), "blank": blank, "spaces": spaces} {
		got, err := load(environment, "")
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

func TestSettingsGiven(t *testing.T) {
	environment := map[string]string{
		"GATEWAY_LISTEN": "[::1]:9000", "GATEWAY_PUBLIC_URL": "HTTPS://Night.Example.com:8443/gateway/",
		"GATEWAY_SECRET_KEY": encoded(1) + ", " + encoded(2), "GATEWAY_ADMIN_TOKEN": strings.Repeat("a", 32),
		"GATEWAY_DATA_DIR": "/data", "GATEWAY_LOG_LEVEL": "debug", "GATEWAY_LOG_FORMAT": "console", "REDIS_URL": "rediss://:hush@one:6379,rediss://:hush@two:6379",
		"REDIS_NAMESPACE":     "outlook-gateway-2",
		"MICROSOFT_CLIENT_ID": "11111111-2222-3333-4444-555555555555", "MICROSOFT_CLIENT_SECRET": "hush-microsoft", "MICROSOFT_CLIENT_SECRET_EXPIRES": "2028-11-22",
		"MICROSOFT_TENANT": "contoso.onmicrosoft.com", "MICROSOFT_LOGIN_URL": "http://localhost:8365/", "MICROSOFT_GRAPH_URL": "http://127.0.0.1:8365/v1.0",
		"NIGHTPOS_URL": "http://[::1]:8069", "NIGHTPOS_DB": "night", "NIGHTPOS_LOGIN": "gateway", "NIGHTPOS_API_KEY": "hush-nightpos",
		"NIGHTPOS_ADMIN_LOGIN": "admin", "NIGHTPOS_ADMIN_API_KEY": "hush-admin", "NIGHTPOS_PROTOCOL": "jsonrpc",
		"SYNC_PAST_DAYS": "1", "SYNC_FUTURE_DAYS": "1799", "SYNC_CONFLICT": "outlook", "SYNC_QUIET_FIRST_SYNC": "off", "SYNC_CHECKS_PER_HOUR": "60", "SYNC_RICH_NOTIFICATIONS": "on",
		"SYNC_CREATE_CONTACTS": "never", "SYNC_ONLINE_MEETINGS": "always",
		"SYNC_PRIVATE_EVENTS": "busy_only", "SYNC_SKIP_CATEGORIES": "Travel, Personal,travel,", "SYNC_ONLY_CATEGORIES": "Work",
	}
	want := gateway.Settings{
		Listen: "[::1]:9000", PublicURL: "https://night.example.com:8443/gateway", SecretKeys: [][]byte{key(1), key(2)},
		AdminToken: gateway.Secret(strings.Repeat("a", 32)), DataDir: "/data", LogLevel: zapcore.DebugLevel, LogFormat: "console",
		RedisURL:          "rediss://:hush@one:6379,rediss://:hush@two:6379",
		RedisNamespace:    "outlook-gateway-2",
		MicrosoftClientID: "11111111-2222-3333-4444-555555555555", MicrosoftClientSecret: "hush-microsoft",
		MicrosoftClientSecretExpires: time.Date(2028, 11, 22, 0, 0, 0, 0, time.UTC),
		MicrosoftTenant:              "contoso.onmicrosoft.com", MicrosoftLoginURL: "http://localhost:8365", MicrosoftGraphURL: "http://127.0.0.1:8365/v1.0",
		NightPOSURL: "http://[::1]:8069", NightPOSDatabase: "night", NightPOSLogin: "gateway", NightPOSAPIKey: "hush-nightpos",
		NightPOSAdminLogin: "admin", NightPOSAdminAPIKey: "hush-admin", NightPOSProtocol: "jsonrpc",
		PastDays: 1, FutureDays: 1799, Conflict: "outlook", ChecksPerHour: 60, RichNotifications: true,
		CreateContacts: "never", OnlineMeetings: "always",
		PrivateEvents: "busy_only", SkipCategories: []string{"Personal", "Travel"}, OnlyCategories: []string{"Work"},
	}
	got, err := load(environment, "")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("from the environment: %v (-want +got):\n%s", err, diff)
	}
	var file strings.Builder
	for name, value := range environment {
		fmt.Fprintf(&file, "%s: %q\n", strings.ToLower(name), value)
	}
	got, err = load(nil, yamlFile(t, file.String()))
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("from a file: %v (-want +got):\n%s", err, diff)
	}
	// Whatever shows settings shows no secret.
	text, err := json.Marshal(got)
	if shown := fmt.Sprintf("%v %+v %#v %s", got, got, got, text); err != nil || strings.Contains(shown, "hush") {
		t.Errorf("a secret shows: %v %s", err, shown)
	}
}

func TestTheCertificateIsReadAndNeverShown(t *testing.T) {
	_, content, err := outlook.ApplicationCertificate("gateway", time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "application.pem")
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	environment := required()
	environment["MICROSOFT_CLIENT_CERTIFICATE"] = path
	got, err := load(environment, "")
	if err != nil || got.MicrosoftClientCertificate.Reveal() != string(content) {
		t.Fatalf("got %v, want the file's content", err)
	}
	if shown := fmt.Sprintf("%v %+v %#v", got, got, got); strings.Contains(shown, "PRIVATE KEY") {
		t.Error("the key shows")
	}
}

func TestEnvironmentWinsOverTheFile(t *testing.T) {
	path := yamlFile(t, "# comment\ngateway_listen: :9001\nsync_past_days: 30\nsync_quiet_first_sync: off\nmicrosoft_client_secret_expires: 2028-11-22\nredis_url:\nnightpos_db: other\n")
	environment := required()
	environment["GATEWAY_LISTEN"] = ":9002"
	environment["SYNC_PAST_DAYS"] = "" // set to nothing is not set
	got, err := load(environment, path)
	if err != nil {
		t.Fatal(err)
	}
	if got.Listen != ":9002" || got.PastDays != 30 || got.QuietFirstSync || got.NightPOSDatabase != "night" || got.MicrosoftClientSecretExpires.Year() != 2028 || got.RedisURL != "" {
		t.Errorf("got %+v", got)
	}
}

func TestWrongSettingsAreNamed(t *testing.T) {
	cases := []struct {
		name, value string
		// says is part of what is wrong.
		says string
	}{
		{"GATEWAY_PUBLIC_URL", "", "is missing"},
		{"NIGHTPOS_URL", "", "is missing"},
		{"NIGHTPOS_DB", " ", "is missing"},
		{"NIGHTPOS_LOGIN", "", "is missing"},
		{"NIGHTPOS_API_KEY", "", "is missing"},
		{"GATEWAY_LISTEN", "8080", "host:port"},
		{"GATEWAY_LISTEN", "localhost:http:", "host:port"},
		{"GATEWAY_LISTEN", ":99999", "host:port"},
		{"GATEWAY_LISTEN", "two\nlines", "host:port"},
		{"GATEWAY_PUBLIC_URL", "night.example.com", "https://"},
		{"GATEWAY_PUBLIC_URL", "https://", "https://"},
		{"GATEWAY_PUBLIC_URL", "https://:8443", "https://"},
		{"GATEWAY_PUBLIC_URL", "ftp://night.example.com", "https://"},
		{"GATEWAY_PUBLIC_URL", "https://hush:hush@night.example.com", "only"},
		{"GATEWAY_PUBLIC_URL", "https://night.example.com?", "only"},
		{"GATEWAY_PUBLIC_URL", "https://night.example.com/#", "only"},
		{"GATEWAY_PUBLIC_URL", "http://night.example.com", "loopback"},
		{"GATEWAY_PUBLIC_URL", "http://127.0.0.1.example.com", "loopback"},
		{"GATEWAY_PUBLIC_URL", "http://localhost.example.com", "loopback"},
		{"GATEWAY_PUBLIC_URL", "http://10.0.0.1", "loopback"},
		{"NIGHTPOS_URL", "http://nightpos:8069", "loopback"},
		{"MICROSOFT_LOGIN_URL", "http://login.microsoftonline.com", "loopback"},
		{"MICROSOFT_GRAPH_URL", "http://graph.microsoft.com", "loopback"},
		{"GATEWAY_SECRET_KEY", "hush not base64 hush", "key 1"},
		{"GATEWAY_SECRET_KEY", base64.StdEncoding.EncodeToString([]byte("hush")), "needs 32"},
		{"GATEWAY_SECRET_KEY", encoded(1) + "," + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte("h"), 33)), "key 2"},
		{"GATEWAY_SECRET_KEY", encoded(1) + ",", "key 2"},
		{"GATEWAY_ADMIN_TOKEN", "hush", "at least 32"},
		{"GATEWAY_LOG_LEVEL", "fatal", "one of"},
		{"GATEWAY_LOG_LEVEL", "loud", "one of"},
		{"GATEWAY_LOG_FORMAT", "xml", "one of"},
		{"REDIS_URL", "localhost:6379", "redis://"},
		{"REDIS_NAMESPACE", "two:databases", "letters"},
		{"REDIS_NAMESPACE", "all*", "letters"},
		{"REDIS_URL", "redis://:hush@one:6379,two:6379", "redis://"},
		{"MICROSOFT_CLIENT_ID", "two words", "application"},
		{"MICROSOFT_CLIENT_SECRET_EXPIRES", "22.11.2028", "date"},
		{"MICROSOFT_CLIENT_SECRET_EXPIRES", "2028-02-30", "date"},
		{"MICROSOFT_CLIENT_CERTIFICATE", "/no/such/file.pem", "cannot be read"},
		{"MICROSOFT_CLIENT_CERTIFICATE", "settings_test.go", "private key"},
		{"MICROSOFT_TENANT", "../common", "tenant"},
		{"NIGHTPOS_PROTOCOL", "xmlrpc", "one of"},
		{"NIGHTPOS_ADMIN_LOGIN", "admin", "NIGHTPOS_ADMIN_API_KEY is missing"},
		{"NIGHTPOS_ADMIN_API_KEY", "hush", "NIGHTPOS_ADMIN_LOGIN is missing"},
		{"SYNC_PAST_DAYS", "0", "from 1"},
		{"SYNC_PAST_DAYS", "-1", "from 1"},
		{"SYNC_PAST_DAYS", "a year", "from 1"},
		{"SYNC_FUTURE_DAYS", "1801", "to 1800"},
		{"SYNC_FUTURE_DAYS", "1800", "together"},
		{"SYNC_CONFLICT", "oldest", "one of"},
		{"SYNC_CREATE_CONTACTS", "sometimes", "one of never, known_domains, always"},
		{"SYNC_ONLINE_MEETINGS", "teams", "one of never, when_asked, always"},
		{"SYNC_PRIVATE_EVENTS", "busy", "one of full, busy_only, skip"},
		{"SYNC_SKIP_CATEGORIES", "Personal,two\nlines", "one line"},
		{"SYNC_ONLY_CATEGORIES", strings.Repeat("w", 256), "255 letters"},
		{"SYNC_QUIET_FIRST_SYNC", "true", "one of"},
		{"SYNC_RICH_NOTIFICATIONS", "true", "one of"},
	}
	for _, one := range cases {
		environment := required()
		environment[one.name] = one.value
		_, err := load(environment, "")
		if err == nil {
			t.Errorf("%s=%q was taken", one.name, one.value)
			continue
		}
		said := err.Error()
		if strings.Contains(said, "\n") || !strings.Contains(said, one.name) || !strings.Contains(said, one.says) || !strings.Contains(said, "; example: ") {
			t.Errorf("%s=%q: got %q, want one line with the name, %q and an example", one.name, one.value, said, one.says)
		}
		if strings.Contains(said, "hush") || strings.Contains(said, "aHVzaA") || strings.Contains(said, encoded(1)) {
			t.Errorf("%s: the message shows a secret: %s", one.name, said)
		}
	}
	environment := required()
	environment["REDIS_URL"] = "redis://:hush@store:6379"
	if _, err := load(environment, ""); err == nil || !strings.HasPrefix(err.Error(), "GATEWAY_SECRET_KEY is missing") {
		t.Errorf("an external store without a key: got %v", err)
	}
}

func TestWrongFilesAreNamed(t *testing.T) {
	for name, one := range map[string]struct{ content, says string }{
		"unknown name":     {"gateway_lisen: :80\n", `"gateway_lisen" is not a setting`},
		"upper case":       {"GATEWAY_LISTEN: :80\n", "lower case"},
		"a list":           {"gateway_secret_key: [hush, hush]\n", "gateway_secret_key must be a single value; example: gateway_secret_key: \"the output of"},
		"a map":            {"gateway: {listen: hush}\n", "not a setting"},
		"no map at all":    {"- hush\n", "is not YAML of the form"},
		"broken":           {"nightpos_api_key: \"hush\n", "is not YAML of the form"},
		"twice":            {"nightpos_api_key: hush\nnightpos_api_key: hush\n", "is not YAML of the form"},
		"a text":           {"hush", "is not YAML of the form"},
		"a wrong value":    {"sync_conflict: hush\n", "SYNC_CONFLICT is wrong"},
		"a reference":      {"nightpos_db: &a hush\nnightpos_login: *a\n", "single value"},
		"a value in lines": {"gateway_listen: |\n  a\n  b\n", "GATEWAY_LISTEN is wrong"},
	} {
		_, err := load(required(), yamlFile(t, one.content))
		if err == nil || !strings.Contains(err.Error(), one.says) || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v, want one line with %q and no value", name, err, one.says)
		}
	}
	for _, path := range []string{filepath.Join(t.TempDir(), "absent.yaml"), t.TempDir()} {
		if _, err := load(required(), path); err == nil || !strings.Contains(err.Error(), "--config "+path) {
			t.Errorf("%s: got %v, want an error that names it", path, err)
		}
	}
	if _, err := load(required(), yamlFile(t, "")); err != nil {
		t.Errorf("an empty file: %v", err)
	}
}

func TestSecretComparesAndHides(t *testing.T) {
	secret := gateway.Secret("hush")
	if !secret.Equal("hush") || secret.Equal("hus") || secret.Equal("") || secret.Reveal() != "hush" {
		t.Error("a secret does not equal itself alone")
	}
	if got := gateway.Secret("").String(); got != "" {
		t.Errorf("no secret shows as %q", got)
	}
}
