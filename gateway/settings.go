package gateway

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap/zapcore"
	"gopkg.in/yaml.v3"

	"github.com/nightpos/outlook-gateway/outlook"
)

// Settings are the gateway's settings, checked. Which environment variable sets
// which is in the table below and in the README.
type Settings struct {
	// Name is that of the database in the list of several; empty for the only one.
	Name      string
	Listen    string
	PublicURL string
	// SecretKeys has 32 bytes each; the first encrypts and signs, all decrypt
	// and verify. It is empty when none was given.
	SecretKeys [][]byte
	AdminToken Secret
	DataDir    string
	LogLevel   zapcore.Level
	// LogFormat is "json" or "console"; empty when not given: console on a
	// terminal, json elsewhere.
	LogFormat string
	// RedisURL is empty for the embedded store.
	RedisURL Secret
	// RedisNamespace is the first part of every key in the store.
	RedisNamespace string

	MicrosoftClientID            string
	MicrosoftClientSecret        Secret
	MicrosoftClientSecretExpires time.Time
	// MicrosoftClientCertificate is the content of the PEM file with the key and
	// the certificate that stand in for the secret; empty for none.
	MicrosoftClientCertificate Secret
	MicrosoftTenant            string
	MicrosoftLoginURL          string
	MicrosoftGraphURL          string

	NightPOSURL         string
	NightPOSDatabase    string
	NightPOSLogin       string
	NightPOSAPIKey      Secret
	NightPOSAdminLogin  string
	NightPOSAdminAPIKey Secret
	NightPOSProtocol    string

	PastDays, FutureDays int
	Conflict             string
	QuietFirstSync       bool
	// ChecksPerHour is how many linked events all replicas together compare in an
	// hour; zero for none.
	ChecksPerHour int
	// RichNotifications have Microsoft send what changed with its notifications.
	RichNotifications bool
	// CreateContacts says which attendees become contacts in NightPOS, and
	// OnlineMeetings which events the gateway makes Teams meetings.
	CreateContacts, OnlineMeetings string
	// PrivateEvents, SkipCategories and OnlyCategories are for people who have not chosen
	// otherwise; see reconciler.Choices.
	PrivateEvents                  string
	SkipCategories, OnlyCategories []string
}

// setting is one row of the table: how a value is read and what a right one
// looks like.
type setting struct {
	name     string
	fallback string
	example  string
	required bool
	read     func(*Settings, string) error
}

// Example: base64 of 32 bytes, as `openssl rand -base64 32` prints it.
const secretKeyExample = "the output of `openssl rand -base64 32`" // #nosec G101 -- an explanation, not a key

// namespaceForm leaves out what has a meaning in a key or a pattern of keys.
var namespaceForm = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)

// nameBegin is as much of a name as may be shown: no name holds anything else.
var nameBegin = regexp.MustCompile(`^[A-Za-z0-9_]*`)

var table = []setting{
	{name: "GATEWAY_LISTEN", fallback: ":8080", example: ":8080", read: func(s *Settings, v string) error {
		s.Listen = v
		_, port, err := net.SplitHostPort(v)
		if number, wrong := strconv.Atoi(port); err != nil || wrong != nil || number < 0 || number > 65_535 {
			return errors.New("it must be host:port or :port")
		}
		return nil
	}},
	{name: "GATEWAY_PUBLIC_URL", example: "https://night.example.com", required: true, read: func(s *Settings, v string) (err error) {
		s.PublicURL, err = address(v)
		return err
	}},
	{name: "GATEWAY_SECRET_KEY", example: secretKeyExample, read: func(s *Settings, v string) (err error) {
		s.SecretKeys, err = secretKeys(v)
		return err
	}},
	{name: "GATEWAY_ADMIN_TOKEN", example: "the output of `openssl rand -hex 32`", read: func(s *Settings, v string) error {
		s.AdminToken = Secret(v)
		if len(v) < 32 {
			return fmt.Errorf("it has %d characters and needs at least 32", len(v))
		}
		return nil
	}},
	{name: "GATEWAY_DATA_DIR", fallback: "./data", example: "/var/lib/outlook-gateway", read: func(s *Settings, v string) error {
		s.DataDir = v
		return nil
	}},
	{name: "GATEWAY_LOG_LEVEL", fallback: "info", example: "info", read: func(s *Settings, v string) (err error) {
		if _, err = oneOf(strings.ToLower(v), "debug", "info", "warn", "error"); err == nil {
			s.LogLevel, err = zapcore.ParseLevel(v)
		}
		return err
	}},
	{name: "GATEWAY_LOG_FORMAT", example: "json", read: func(s *Settings, v string) (err error) {
		s.LogFormat, err = oneOf(v, "json", "console")
		return err
	}},
	{name: "REDIS_URL", example: "redis://localhost:6379/0", read: func(s *Settings, v string) error {
		s.RedisURL = Secret(v)
		for _, part := range strings.Split(v, ",") {
			if !strings.HasPrefix(part, "redis://") && !strings.HasPrefix(part, "rediss://") {
				return errors.New("it must start with redis:// or rediss://")
			}
		}
		return nil
	}},
	{name: "REDIS_NAMESPACE", fallback: "outlook-gateway", example: "outlook-gateway", read: func(s *Settings, v string) error {
		s.RedisNamespace = v
		if !namespaceForm.MatchString(v) {
			return errors.New("it must be 1 to 64 letters, digits, hyphens and underscores")
		}
		return nil
	}},
	{name: "MICROSOFT_CLIENT_ID", example: "11111111-2222-3333-4444-555555555555", read: func(s *Settings, v string) error {
		s.MicrosoftClientID = v
		if strings.ContainsAny(v, " \t\n/") {
			return errors.New("it must be the application (client) id of the registration in Entra")
		}
		return nil
	}},
	{name: "MICROSOFT_CLIENT_SECRET", example: "the value (not the id) of a client secret of the registration", read: func(s *Settings, v string) error {
		s.MicrosoftClientSecret = Secret(v)
		return nil
	}},
	{name: "MICROSOFT_CLIENT_SECRET_EXPIRES", example: "2028-11-22", read: func(s *Settings, v string) (err error) {
		s.MicrosoftClientSecretExpires, err = time.Parse(time.DateOnly, v)
		if err != nil {
			return errors.New("it must be a date, year-month-day")
		}
		return nil
	}},
	{name: "MICROSOFT_CLIENT_CERTIFICATE", example: "/etc/outlook-gateway/application.pem", read: func(s *Settings, v string) error {
		content, err := os.ReadFile(v) // #nosec G304 -- the administrator names the file
		var pathError *fs.PathError
		if errors.As(err, &pathError) {
			return fmt.Errorf("the file cannot be read: %w", pathError.Err)
		}
		if err != nil {
			return fmt.Errorf("the file cannot be read: %w", err)
		}
		s.MicrosoftClientCertificate = Secret(content)
		_, err = outlook.ParseCertificate(content)
		return err
	}},
	{name: "MICROSOFT_TENANT", fallback: "common", example: "common", read: func(s *Settings, v string) error {
		s.MicrosoftTenant = v
		if !tenant.MatchString(v) {
			return errors.New("it must be common, organizations, consumers, a tenant id or a verified domain")
		}
		return nil
	}},
	{name: "MICROSOFT_LOGIN_URL", fallback: "https://login.microsoftonline.com", example: "https://login.microsoftonline.us", read: func(s *Settings, v string) (err error) {
		s.MicrosoftLoginURL, err = address(v)
		return err
	}},
	{name: "MICROSOFT_GRAPH_URL", fallback: "https://graph.microsoft.com/v1.0", example: "https://graph.microsoft.us/v1.0", read: func(s *Settings, v string) (err error) {
		s.MicrosoftGraphURL, err = address(v)
		return err
	}},
	{name: "NIGHTPOS_URL", example: "https://night.example.com", required: true, read: func(s *Settings, v string) (err error) {
		s.NightPOSURL, err = address(v)
		return err
	}},
	{name: "NIGHTPOS_DB", example: "night", required: true, read: func(s *Settings, v string) error {
		s.NightPOSDatabase = v
		return nil
	}},
	{name: "NIGHTPOS_LOGIN", example: "outlook.gateway@night.example.com", required: true, read: func(s *Settings, v string) error {
		s.NightPOSLogin = v
		return nil
	}},
	{name: "NIGHTPOS_API_KEY", example: "an API key of the gateway's own account (its preferences, Account Security)", required: true, read: func(s *Settings, v string) error {
		s.NightPOSAPIKey = Secret(v)
		return nil
	}},
	{name: "NIGHTPOS_ADMIN_LOGIN", example: "admin", read: func(s *Settings, v string) error {
		s.NightPOSAdminLogin = v
		return nil
	}},
	{name: "NIGHTPOS_ADMIN_API_KEY", example: "an API key of that administrator", read: func(s *Settings, v string) error {
		s.NightPOSAdminAPIKey = Secret(v)
		return nil
	}},
	{name: "NIGHTPOS_PROTOCOL", fallback: "auto", example: "auto", read: func(s *Settings, v string) (err error) {
		s.NightPOSProtocol, err = oneOf(v, "auto", "jsonrpc", "json2")
		return err
	}},
	{name: "SYNC_PAST_DAYS", fallback: "365", example: "365", read: func(s *Settings, v string) (err error) {
		s.PastDays, err = days(v)
		return err
	}},
	{name: "SYNC_FUTURE_DAYS", fallback: "730", example: "730", read: func(s *Settings, v string) (err error) {
		s.FutureDays, err = days(v)
		return err
	}},
	{name: "SYNC_CONFLICT", fallback: "newest", example: "newest", read: func(s *Settings, v string) (err error) {
		s.Conflict, err = oneOf(v, "newest", "outlook", "nightpos")
		return err
	}},
	{name: "SYNC_CHECKS_PER_HOUR", fallback: "600", example: "600", read: func(s *Settings, v string) error {
		number, err := strconv.Atoi(v)
		if err != nil || number < 0 || number > 36_000 {
			return errors.New("it must be a whole number from 0 to 36000")
		}
		s.ChecksPerHour = number
		return nil
	}},
	{name: "SYNC_RICH_NOTIFICATIONS", fallback: "off", example: "off", read: func(s *Settings, v string) error {
		value, err := oneOf(v, "on", "off")
		s.RichNotifications = value == "on"
		return err
	}},
	{name: "SYNC_QUIET_FIRST_SYNC", fallback: "on", example: "on", read: func(s *Settings, v string) error {
		value, err := oneOf(v, "on", "off")
		s.QuietFirstSync = value == "on"
		return err
	}},
	{name: "SYNC_CREATE_CONTACTS", fallback: "known_domains", example: "known_domains", read: func(s *Settings, v string) (err error) {
		s.CreateContacts, err = oneOf(v, "never", "known_domains", "always")
		return err
	}},
	{name: "SYNC_ONLINE_MEETINGS", fallback: "when_asked", example: "when_asked", read: func(s *Settings, v string) (err error) {
		s.OnlineMeetings, err = oneOf(v, "never", "when_asked", "always")
		return err
	}},
	{name: "SYNC_PRIVATE_EVENTS", fallback: "full", example: "full", read: func(s *Settings, v string) (err error) {
		s.PrivateEvents, err = oneOf(v, "full", "busy_only", "skip")
		return err
	}},
	{name: "SYNC_SKIP_CATEGORIES", example: "Personal, Travel", read: func(s *Settings, v string) (err error) {
		s.SkipCategories, err = CategoryList(strings.Split(v, ","))
		return err
	}},
	{name: "SYNC_ONLY_CATEGORIES", example: "Work, Customers", read: func(s *Settings, v string) (err error) {
		s.OnlyCategories, err = CategoryList(strings.Split(v, ","))
		return err
	}},
}

var tenant = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$`)

// LoadSettings reads the settings from the environment and, where that is
// silent, from a YAML file with the same names in lower case; an empty path
// means no file. The error is one line that names the setting, what is wrong
// with it and an example; it never holds a secret's value.
func LoadSettings(lookup func(string) (string, bool), path string) (Settings, error) {
	return LoadDatabase(lookup, path, "")
}

// SettingProblem is what is wrong with one setting. It never holds a secret's
// value.
type SettingProblem struct {
	// Name is the environment variable, Database the database that it is about, where
	// there are several.
	Name, Database string
	// Text is what is wrong, to be read behind the name.
	Text string
	// Example is what a right value looks like.
	Example string
}

func (p *SettingProblem) Error() string {
	text := p.Name + " " + p.Text + "; example: " + p.Example
	if p.Database != "" {
		text = "database " + p.Database + ": " + text
	}
	return text
}

// CheckSettings is LoadSettings for whoever wants to know everything that is
// wrong: the settings without a problem are as LoadSettings would have them. The
// error is about the file.
func CheckSettings(lookup func(string) (string, bool), path string) (Settings, []SettingProblem, error) {
	return CheckDatabase(lookup, path, "")
}

// examine reads every setting and checks it.
func examine(given func(name string) string) (Settings, []SettingProblem) {
	var settings Settings
	var problems []SettingProblem
	wrong := func(name, example, format string, arguments ...any) {
		problems = append(problems, SettingProblem{Name: name, Text: fmt.Sprintf(format, arguments...), Example: example})
	}
	for _, row := range table {
		value := given(row.name)
		if value == "" {
			value = row.fallback
		}
		switch {
		case value == "" && row.required:
			wrong(row.name, row.example, "is missing")
			continue
		case value == "":
			continue
		}
		if err := row.read(&settings, value); err != nil {
			wrong(row.name, row.example, "is wrong: %s", err)
		}
	}
	if settings.PastDays+settings.FutureDays > maxWindow {
		wrong("SYNC_FUTURE_DAYS", "730", "is wrong: together with SYNC_PAST_DAYS it is %d days and may be %d, which is all that Outlook lists at once",
			settings.PastDays+settings.FutureDays, maxWindow)
	}
	switch {
	case settings.NightPOSAdminLogin != "" && settings.NightPOSAdminAPIKey == "":
		wrong("NIGHTPOS_ADMIN_API_KEY", "an API key of that administrator", "is missing: NIGHTPOS_ADMIN_LOGIN is of no use without it")
	case settings.NightPOSAdminLogin == "" && settings.NightPOSAdminAPIKey != "":
		wrong("NIGHTPOS_ADMIN_LOGIN", "admin", "is missing: NIGHTPOS_ADMIN_API_KEY is of no use without it")
	}
	keyRefused := slices.ContainsFunc(problems, func(problem SettingProblem) bool { return problem.Name == "GATEWAY_SECRET_KEY" })
	if settings.RedisURL != "" && len(settings.SecretKeys) == 0 && !keyRefused {
		wrong("GATEWAY_SECRET_KEY", secretKeyExample, "is missing: with REDIS_URL set, what is stored there must be encrypted with a key of yours")
	}
	return settings, problems
}

func readFile(path string) (map[string]yaml.Node, error) {
	if path == "" {
		return nil, nil
	}
	content, err := os.ReadFile(path) // #nosec G304 -- the administrator names the file
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return nil, fmt.Errorf("--config %s cannot be read: %w", path, pathError.Err)
	}
	if err != nil {
		return nil, fmt.Errorf("--config %s cannot be read: %w", path, err)
	}
	var values map[string]yaml.Node
	if err := yaml.Unmarshal(content, &values); err != nil {
		// The library's message may quote the file, and with it a secret.
		return nil, fmt.Errorf("--config %s is not YAML of the form `gateway_listen: \":8080\"`", path)
	}
	return values, nil
}

// settingsOf are the settings among the values of a file, or of a part of it.
func settingsOf(where string, values map[string]yaml.Node) (map[string]string, error) {
	found := map[string]string{}
	for name, node := range values {
		index := slices.IndexFunc(table, func(row setting) bool { return strings.ToLower(row.name) == name })
		if index < 0 {
			// Where the blank behind a colon is missing, the value is part of the name.
			shown := nameBegin.FindString(name)
			return nil, fmt.Errorf("%s: %q is not a setting; the names are those of the environment variables in lower case, for example gateway_listen, with a colon and a blank behind them", where, shown)
		}
		if node.Kind != yaml.ScalarNode {
			return nil, fmt.Errorf("%s: %s must be a single value; example: %s: %q", where, name, name, table[index].example)
		}
		if node.Tag != "!!null" {
			found[name] = node.Value
		}
	}
	return found, nil
}

// address checks an address of a server; http is for loopback hosts only.
func address(value string) (string, error) {
	parsed, err := url.Parse(value)
	switch {
	case err != nil || parsed.Hostname() == "" || (parsed.Scheme != "https" && parsed.Scheme != "http"):
		return "", errors.New("it must be an address that starts with https://")
	case parsed.User != nil || strings.ContainsAny(value, "?#"):
		return "", errors.New("it must be scheme, host and path only")
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		return "", errors.New("http is accepted for loopback hosts only, use https")
	}
	// The scheme and the host are the same in any case; what compares addresses
	// should not have to know.
	return parsed.Scheme + "://" + strings.ToLower(parsed.Host) + strings.TrimRight(parsed.EscapedPath(), "/"), nil
}

func loopback(host string) bool {
	if host == "localhost" || strings.HasSuffix(host, ".localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

func secretKeys(value string) ([][]byte, error) {
	var keys [][]byte
	for index, part := range strings.Split(value, ",") {
		key, err := base64.StdEncoding.DecodeString(strings.TrimSpace(part))
		if err != nil {
			return nil, fmt.Errorf("key %d of the list is not base64", index+1)
		}
		if len(key) != 32 {
			return nil, fmt.Errorf("key %d of the list has %d bytes and needs 32", index+1, len(key))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func oneOf(value string, allowed ...string) (string, error) {
	if slices.Contains(allowed, value) {
		return value, nil
	}
	return "", fmt.Errorf("it must be one of %s", strings.Join(allowed, ", "))
}

// maxWindow is in days: Graph refuses calendar views of more than 1,825 days.
const maxWindow = 1800

func days(value string) (int, error) {
	number, err := strconv.Atoi(value)
	if err != nil || number < 1 || number > maxWindow {
		return 0, fmt.Errorf("it must be a number of days from 1 to %d", maxWindow)
	}
	return number, nil
}
