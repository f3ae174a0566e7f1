package gateway

import (
	"crypto/hkdf"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// One gateway may serve several NightPOS databases: the file of settings has a
// list `databases`, each with a name and the settings that are its own. What stands
// beside the list, and in the environment, is for all of them, where one does not
// say otherwise; an environment variable with a database's name before it, such as
// DAY_NIGHTPOS_API_KEY, is for that one and wins. Each database has an address, an
// admin token, a part of the store and keys of its own; nothing of one is to be seen
// in another.

const (
	databasesKey = "databases"
	// mostDatabases bounds the list.
	mostDatabases    = 1000
	databasesExample = "databases: [{name: day, gateway_public_url: \"https://day.example.com\", nightpos_db: day}]"
)

// databaseForm is what a name may be: it is part of keys and environment variables.
var databaseForm = regexp.MustCompile(`^[a-z][a-z0-9-]{0,31}$`)

// forAll are the settings of the process, which no database has to itself.
var forAll = []string{"GATEWAY_LISTEN", "GATEWAY_DATA_DIR", "GATEWAY_LOG_LEVEL", "GATEWAY_LOG_FORMAT", "REDIS_URL"}

// databaseEntry is one entry of the list.
type databaseEntry struct {
	name   string
	values map[string]string
}

// settingsFile is what a file says.
type settingsFile struct {
	common    map[string]string
	databases []databaseEntry
}

func openFile(path string) (settingsFile, error) {
	values, err := readFile(path)
	if err != nil {
		return settingsFile{}, err
	}
	list, several := values[databasesKey]
	delete(values, databasesKey)
	where := "--config " + path
	var file settingsFile
	if file.common, err = settingsOf(where, values); err != nil || !several {
		return file, err
	}
	malformed := fmt.Errorf("%s: %s must be a list of databases, each with its name and settings; example: %s", where, databasesKey, databasesExample)
	var entries []map[string]yaml.Node
	if list.Kind != yaml.SequenceNode || list.Decode(&entries) != nil || len(entries) == 0 || len(entries) > mostDatabases {
		return file, malformed
	}
	for index, entry := range entries {
		node, named := entry["name"]
		delete(entry, "name")
		name := node.Value
		if !named || node.Kind != yaml.ScalarNode || !databaseForm.MatchString(name) {
			return file, fmt.Errorf("%s: the name of database %d of the list is missing or wrong: it must be 1 to 32 small letters, digits and hyphens; example: name: day", where, index+1)
		}
		if slices.ContainsFunc(file.databases, func(other databaseEntry) bool { return other.name == name }) {
			return file, fmt.Errorf("%s: there are two databases called %s", where, name)
		}
		own, err := settingsOf(where+", database "+name, entry)
		if err != nil {
			return file, err
		}
		for _, common := range forAll {
			if _, given := own[strings.ToLower(common)]; given {
				return file, fmt.Errorf("%s, database %s: %s is for all databases; put it beside the list", where, name, strings.ToLower(common))
			}
		}
		file.databases = append(file.databases, databaseEntry{name, own})
	}
	return file, nil
}

// examine checks the settings of one database, or of the only one.
func (f settingsFile) examine(lookup func(string) (string, bool), entry databaseEntry) (Settings, []SettingProblem) {
	settings, problems := examine(func(name string) string {
		choices := []func() string{
			func() string { value, _ := lookup(name); return value },
			func() string { return f.common[strings.ToLower(name)] },
		}
		if entry.name != "" {
			prefix := strings.ToUpper(strings.ReplaceAll(entry.name, "-", "_")) + "_"
			choices = slices.Insert(choices, 0,
				func() string { value, _ := lookup(prefix + name); return value },
				func() string { return entry.values[strings.ToLower(name)] },
			)
		}
		for _, choice := range choices {
			if value := strings.TrimSpace(choice()); value != "" {
				return value
			}
		}
		return ""
	})
	if settings.Name = entry.name; entry.name == "" {
		return settings, problems
	}
	if _, own := entry.values["redis_namespace"]; !own {
		settings.RedisNamespace += "-" + entry.name
	}
	if public, err := url.Parse(settings.PublicURL); err == nil && public.Path != "" {
		problems = append(problems, SettingProblem{Name: "GATEWAY_PUBLIC_URL", Text: "is wrong: databases are told apart by the host, so it must be scheme and host only", Example: "https://" + entry.name + ".example.com"})
	}
	for index := range problems {
		problems[index].Database = entry.name
	}
	return settings, problems
}

// CheckDatabase is CheckSettings for one of several databases, by its name; without
// a name, for the only one there is. The error is about the file, and about a name
// that is not in it.
func CheckDatabase(lookup func(string) (string, bool), path, name string) (Settings, []SettingProblem, error) {
	file, err := openFile(path)
	if err != nil {
		return Settings{}, nil, err
	}
	var names []string
	for _, entry := range file.databases {
		if names = append(names, entry.name); entry.name == name {
			settings, problems := file.examine(lookup, entry)
			return settings, problems, nil
		}
	}
	switch {
	case name != "" && len(names) == 0:
		return Settings{}, nil, fmt.Errorf("--database %s: the settings have no list of databases, so leave it out", name)
	case name != "":
		return Settings{}, nil, fmt.Errorf("--database %s is not in the list; there are %s", name, strings.Join(names, ", "))
	case len(names) > 0:
		return Settings{}, nil, fmt.Errorf("the settings are for several databases; say which with --database %s", strings.Join(names, " or "))
	}
	settings, problems := file.examine(lookup, databaseEntry{})
	return settings, problems, nil
}

// LoadDatabase is LoadSettings for one of several databases; see CheckDatabase.
func LoadDatabase(lookup func(string) (string, bool), path, name string) (Settings, error) {
	settings, problems, err := CheckDatabase(lookup, path, name)
	if err == nil && len(problems) > 0 {
		err = &problems[0]
	}
	if err != nil {
		return Settings{}, err
	}
	return settings, nil
}

// LoadDatabases is LoadSettings for everything that one gateway serves: several
// databases, or the only one. What would have two of them share something is an
// error.
func LoadDatabases(lookup func(string) (string, bool), path string) ([]Settings, error) {
	file, err := openFile(path)
	if err != nil {
		return nil, err
	}
	if len(file.databases) == 0 {
		settings, err := LoadSettings(lookup, path)
		return []Settings{settings}, err
	}
	var all []Settings
	for _, entry := range file.databases {
		settings, problems := file.examine(lookup, entry)
		if len(problems) > 0 {
			return nil, &problems[0]
		}
		for _, other := range all {
			if problem := settings.shares(other); problem != nil {
				return nil, problem
			}
		}
		all = append(all, settings)
	}
	return all, nil
}

// shares says what two databases must not have in common.
func (s Settings) shares(other Settings) *SettingProblem {
	problem := func(name, example string) *SettingProblem {
		return &SettingProblem{Name: name, Database: s.Name, Text: "is wrong: it is that of database " + other.Name + ", and each needs one of its own", Example: example}
	}
	switch {
	case strings.EqualFold(hostOf(s.PublicURL), hostOf(other.PublicURL)):
		return problem("GATEWAY_PUBLIC_URL", "https://"+s.Name+".example.com")
	case s.NightPOSURL == other.NightPOSURL && s.NightPOSDatabase == other.NightPOSDatabase:
		return problem("NIGHTPOS_DB", s.Name)
	case s.RedisNamespace == other.RedisNamespace:
		return problem("REDIS_NAMESPACE", "outlook-gateway-"+s.Name)
	case s.AdminToken != "" && s.AdminToken == other.AdminToken:
		return problem("GATEWAY_ADMIN_TOKEN", "the output of `openssl rand -hex 32`")
	}
	return nil
}

func hostOf(address string) string {
	parsed, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return parsed.Host
}

// KeysOf are the keys of one of several databases, made of those of the gateway, so
// that what one encrypts or signs is worth nothing in another. The only database
// uses the gateway's own.
func (s Settings) KeysOf(keys [][]byte) ([][]byte, error) {
	if s.Name == "" {
		return keys, nil
	}
	own := make([][]byte, 0, len(keys))
	for _, key := range keys {
		derived, err := hkdf.Key(sha256.New, key, nil, "database "+s.Name, 32)
		if err != nil {
			return nil, errors.New("deriving the keys of database " + s.Name)
		}
		own = append(own, derived)
	}
	return own, nil
}
