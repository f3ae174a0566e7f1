package gateway_test

import (
	"bytes"
	"maps"
	"strings"
	"testing"

	"github.com/nightpos/outlook-gateway/gateway"
)

// two is a right list of two databases.
const two = `
gateway_secret_key: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="
redis_url: "redis://store:6379"
sync_conflict: outlook
microsoft_client_id: shared
databases:
  - name: day
    gateway_public_url: https://day.example.com
    gateway_admin_token: day-day-day-day-day-day-day-day-day
    nightpos_url: https://nightpos.example.com
    nightpos_db: day
    nightpos_login: gateway
    nightpos_api_key: day-key
    sync_conflict: newest
  - name: night-2
    gateway_public_url: https://night.example.com
    gateway_admin_token: night-night-night-night-night-night
    nightpos_url: https://nightpos.example.com
    nightpos_db: night
    nightpos_login: gateway
    nightpos_api_key: night-key
    microsoft_client_id: of-its-own
`

func lookupIn(environment map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, given := environment[name]
		return value, given
	}
}

func TestSeveralDatabases(t *testing.T) {
	path := yamlFile(t, two)
	environment := lookupIn(map[string]string{"GATEWAY_LISTEN": ":9000", "NIGHT_2_NIGHTPOS_API_KEY": "from the environment", "DAY_SYNC_PAST_DAYS": "30"})
	all, err := gateway.LoadDatabases(environment, path)
	if err != nil || len(all) != 2 {
		t.Fatalf("got %d databases, %v, want two", len(all), err)
	}
	day, night := all[0], all[1]
	for what, pair := range map[string][2]string{
		"the names":                        {day.Name + " " + night.Name, "day night-2"},
		"the address to listen on":         {day.Listen + night.Listen, ":9000:9000"},
		"namespaces":                       {day.RedisNamespace + " " + night.RedisNamespace, "outlook-gateway-day outlook-gateway-night-2"},
		"what is for all":                  {night.Conflict, "outlook"},
		"what one says otherwise":          {day.Conflict, "newest"},
		"what the list inherits":           {day.MicrosoftClientID, "shared"},
		"what one has to itself":           {night.MicrosoftClientID, "of-its-own"},
		"an environment variable of one":   {night.NightPOSAPIKey.Reveal(), "from the environment"},
		"what no environment variable has": {day.NightPOSAPIKey.Reveal(), "day-key"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", what, pair[0], pair[1])
		}
	}
	if day.PastDays != 30 || night.PastDays != 365 {
		t.Errorf("days: got %d and %d, want 30 and 365", day.PastDays, night.PastDays)
	}
	keys, err := day.KeysOf(day.SecretKeys)
	others, failed := night.KeysOf(night.SecretKeys)
	if err != nil || failed != nil || bytes.Equal(keys[0], others[0]) || bytes.Equal(keys[0], day.SecretKeys[0]) {
		t.Errorf("the databases have keys in common, or %v, %v", err, failed)
	}
	if one, err := gateway.LoadDatabase(environment, path, "night-2"); err != nil || one.NightPOSDatabase != "night" {
		t.Errorf("one of them: got %q, %v, want night", one.NightPOSDatabase, err)
	}
	if only, err := gateway.LoadDatabases(lookupIn(required()), ""); err != nil || len(only) != 1 || only[0].Name != "" || only[0].RedisNamespace != "outlook-gateway" {
		t.Errorf("without a list: got %+v, %v, want the only one, without a name", only, err)
	}
}

func TestWrongListsOfDatabases(t *testing.T) {
	for name, one := range map[string]struct {
		change func(string) string
		// database is asked for instead of all.
		database string
		says     string
	}{
		"no list":                {change: func(string) string { return "databases: day\n" }, says: "must be a list of databases"},
		"an empty list":          {change: func(string) string { return "databases: []\n" }, says: "must be a list of databases"},
		"a list of texts":        {change: func(string) string { return "databases: [day]\n" }, says: "must be a list of databases"},
		"no name":                {change: replaced("  - name: day\n    gateway_public_url", "  - gateway_public_url"), says: "the name of database 1 of the list is missing"},
		"a name of capitals":     {change: replaced("name: day\n", "name: Day\n"), says: "small letters"},
		"a name twice":           {change: replaced("name: night-2", "name: day"), says: "two databases called day"},
		"an unknown setting":     {change: replaced("    nightpos_db: day\n", "    nightpos_database: day\n"), says: `database day: "nightpos_database" is not a setting`},
		"a setting of all":       {change: replaced("    nightpos_db: day\n", "    nightpos_db: day\n    redis_url: redis://hush\n"), says: "database day: redis_url is for all databases"},
		"a list of values":       {change: replaced("nightpos_api_key: night-key", "nightpos_api_key: [hush]"), says: "database night-2: nightpos_api_key must be a single value"},
		"a missing setting":      {change: replaced("    nightpos_db: night\n", ""), says: "database night-2: NIGHTPOS_DB is missing"},
		"a wrong setting":        {change: replaced("sync_conflict: newest", "sync_conflict: hush"), says: "database day: SYNC_CONFLICT is wrong"},
		"an address with a path": {change: replaced("https://day.example.com", "https://example.com/day"), says: "database day: GATEWAY_PUBLIC_URL is wrong: databases are told apart by the host"},
		"one address for two":    {change: replaced("https://night.example.com", "https://DAY.example.com"), says: "database night-2: GATEWAY_PUBLIC_URL is wrong: it is that of database day"},
		"one token for two":      {change: replaced("night-night-night-night-night-night", "day-day-day-day-day-day-day-day-day"), says: "database night-2: GATEWAY_ADMIN_TOKEN is wrong: it is that of database day"},
		"one database twice":     {change: replaced("nightpos_db: night", "nightpos_db: day"), says: "database night-2: NIGHTPOS_DB is wrong: it is that of database day"},
		"one namespace for two": {
			change: replaced("nightpos_db: night\n", "nightpos_db: night\n    redis_namespace: outlook-gateway-day\n"), says: "database night-2: REDIS_NAMESPACE is wrong",
		},
		"no database named":       {change: replaced("", ""), database: "-", says: "say which with --database day or night-2"},
		"another database named":  {change: replaced("", ""), database: "noon", says: "--database noon is not in the list; there are day, night-2"},
		"a database without list": {change: func(string) string { return "sync_conflict: newest\n" }, database: "day", says: "--database day: the settings have no list of databases"},
	} {
		path := yamlFile(t, one.change(two))
		var err error
		switch one.database {
		case "":
			_, err = gateway.LoadDatabases(lookupIn(nil), path)
		case "-":
			_, err = gateway.LoadSettings(lookupIn(nil), path)
		default:
			environment := maps.Clone(required())
			_, err = gateway.LoadDatabase(lookupIn(environment), path, one.database)
		}
		if err == nil || !strings.Contains(err.Error(), one.says) || strings.ContainsAny(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v, want one line with %q and no value", name, err, one.says)
		}
	}
}

func replaced(old, with string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, with, 1) }
}
