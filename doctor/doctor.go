package doctor

import (
	"context"
	"crypto/rand"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/gateway/findings"
	"github.com/nightpos/outlook-gateway/gateway/languages"
	"github.com/nightpos/outlook-gateway/redis"
)

// Status is how one check ended.
type Status string

// The statuses. A warning stops nothing, or is something that could not be found
// out from here.
const (
	OK      Status = "ok"
	Warning Status = "warning"
	Failed  Status = "failed"
)

// Row is one check.
type Row struct {
	// Check is its stable name, such as store.eviction.
	Check  string `json:"check"`
	Status Status `json:"status"`
	// Detail is what was found, or what is wrong; English.
	Detail string `json:"detail"`
	// Remedy is what to do; empty when all is well.
	Remedy string `json:"remedy,omitempty"`
	// Found and Advice are Detail and Remedy for readers of every language.
	Found  findings.Phrase `json:"-"`
	Advice findings.Phrase `json:"-"`
}

// Config is what an examination needs. Only Lookup has no default, and with
// Settings it is not needed.
type Config struct {
	// Settings are those of a gateway that runs, which were checked when it started.
	Settings *gateway.Settings
	// Told is called, by one goroutine at a time, whenever a part of the examination
	// has ended, with the rows so far; default nobody.
	Told func(progress Progress)
	// Lookup reads an environment variable, File names the YAML file with the
	// rest, if any, and Database one of several; see gateway.CheckDatabase.
	Lookup         func(string) (string, bool)
	File, Database string
	// Transport carries the calls. It must not follow redirects, and no transport
	// does.
	Transport http.RoundTripper
	// Resolve finds the addresses of a host; default the system's resolver.
	Resolve func(ctx context.Context, host string) ([]netip.Addr, error)
	// RedisServer chooses the program of the embedded store; see redis.Config.
	RedisServer string
	// Now tells the time; default time.Now.
	Now func() time.Time
}

// Progress is how far an examination is.
type Progress struct {
	// Done of Total parts have ended. Rows stand in the order of the parts.
	Done, Total int
	Rows        []Row
}

const (
	// TotalTime bounds an examination.
	TotalTime = 90 * time.Second
	// callTime bounds one call to anybody: what Graph gives a validation.
	callTime = 10 * time.Second
)

// Run makes every check that what is set allows. Rows about what depends on a
// failed check are left out.
func Run(ctx context.Context, config Config) []Row {
	if config.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		transport.ResponseHeaderTimeout = callTime
		defer transport.CloseIdleConnections()
		config.Transport = transport
	}
	if config.Resolve == nil {
		config.Resolve = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	if config.Now == nil {
		config.Now = time.Now
	}
	ctx, cancel := context.WithTimeout(ctx, TotalTime)
	defer cancel()
	e := &examiner{Config: config}
	told := &teller{told: config.Told}
	told.part(0, e.checkSettings())
	// The store comes first since the folder of an embedded one holds the key.
	told.part(1, e.checkStore(ctx))
	e.openSenders()
	var group sync.WaitGroup
	for index, part := range []func(context.Context) []Row{e.checkNightPOS, e.checkMicrosoft, e.checkPublicURL} {
		group.Go(func() { told.part(2+index, part(ctx)) })
	}
	group.Wait()
	told.part(5, e.checkPersonalAccounts())
	told.part(6, e.checkWebhooks(ctx))
	return slices.Concat(told.parts[:]...)
}

// teller keeps the rows of the parts, and tells of them.
type teller struct {
	told  func(Progress)
	mutex sync.Mutex
	parts [7][]Row
	done  int
}

func (t *teller) part(index int, rows []Row) {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.parts[index] = rows
	t.done++
	if t.told != nil {
		t.told(Progress{Done: t.done, Total: len(t.parts), Rows: slices.Concat(t.parts[:]...)})
	}
}

// examiner is one examination.
type examiner struct {
	Config
	settings gateway.Settings
	// wrong are the settings that cannot be used.
	wrong map[string]bool
	// keys are the gateway's own; none when they are not known yet.
	keys    [][]byte
	senders *gateway.Senders

	// What later checks build on.
	nightpos nightposKnown
	reached  bool // the public URL leads to this gateway
}

// has says whether settings are there and right.
func (e *examiner) has(names ...string) bool {
	return !slices.ContainsFunc(names, func(name string) bool { return e.wrong[name] })
}

// openSenders derives the secrets of the webhooks from the keys.
func (e *examiner) openSenders() {
	if len(e.keys) == 0 || !e.has("NIGHTPOS_DB") {
		return
	}
	// The keys have been checked, and nothing else can be wrong with them.
	e.senders, _ = gateway.NewSenders(e.keys, e.settings.NightPOSDatabase, rand.Reader)
}

// sheet collects rows of one area.
type sheet struct {
	area string
	rows []Row
}

func (s *sheet) add(check string, status Status, found, advice findings.Phrase) {
	name := s.area
	if check != "" {
		name += "." + check
	}
	row := Row{Check: name, Status: status, Found: found, Advice: advice}
	// Every phrase that is said here is in the catalogue: a test holds them together.
	row.Detail, _ = findings.Text(languages.English, found, nil)
	if advice.Key != "" {
		row.Remedy, _ = findings.Text(languages.English, advice, nil)
	}
	s.rows = append(s.rows, row)
}

func (s *sheet) ok(check string, found findings.Phrase) { s.add(check, OK, found, findings.Phrase{}) }

func (s *sheet) warn(check string, found, advice findings.Phrase) {
	s.add(check, Warning, found, advice)
}

func (s *sheet) fail(check string, found, advice findings.Phrase) {
	s.add(check, Failed, found, advice)
}

// checkSettings has a row for each setting that is wrong, or one for all.
func (e *examiner) checkSettings() []Row {
	s := &sheet{area: "settings"}
	if e.Settings != nil {
		e.settings = *e.Settings
		e.wrong = map[string]bool{"GATEWAY_DATA_DIR": e.settings.DataDir == "", "GATEWAY_PUBLIC_URL": e.settings.PublicURL == ""}
		s.ok("", findings.Say("settings.running"))
		return s.rows
	}
	settings, problems, err := gateway.CheckDatabase(e.Lookup, e.File, e.Database)
	if err != nil {
		s.fail("file", findings.Say("settings.file", "Error", err), findings.Say("settings.file.todo"))
		// Without the file nothing is known of what it would have set.
		settings, problems, _ = gateway.CheckSettings(e.Lookup, "")
	}
	e.settings, e.wrong = settings, map[string]bool{}
	for _, problem := range problems {
		e.wrong[problem.Name] = true
		s.fail(problem.Name, findings.Say("settings.wrong", "Name", problem.Name, "Error", problem.Text), findings.Say("settings.wrong.todo", "Example", problem.Example))
	}
	switch {
	case len(s.rows) > 0:
	case settings.AdminToken == "":
		s.ok("", findings.Say("settings.right.no_token"))
	default:
		s.ok("", findings.Say("settings.right"))
	}
	return s.rows
}

// checkStore looks at the store.
func (e *examiner) checkStore(ctx context.Context) []Row {
	s := &sheet{area: "store"}
	e.keys = e.keysOf(e.settings.SecretKeys)
	switch {
	case !e.has("REDIS_URL"):
	case e.settings.RedisURL != "":
		e.checkRedis(ctx, s)
	case e.has("GATEWAY_DATA_DIR"):
		e.checkFolder(s)
	}
	return s.rows
}

// keysOf are the keys that the gateway uses for this database.
func (e *examiner) keysOf(keys [][]byte) [][]byte {
	own, _ := e.settings.KeysOf(keys) // keys of 32 bytes always have others derived of them
	return own
}

func (e *examiner) checkFolder(s *sheet) {
	folder, err := redis.ExamineFolder(e.settings.DataDir, e.RedisServer)
	var foreign *redis.ForeignDataError
	if errors.As(err, &foreign) {
		folder, names := e.settings.DataDir, strings.Join(foreign.Names, ", ")
		switch {
		case foreign.Both:
			s.fail("folder", findings.Say("store.folder.foreign.both", "Folder", folder), findings.Say("store.folder.foreign.both.todo", "Names", names))
		case foreign.Server:
			s.fail("folder", findings.Say("store.folder.foreign.snapshot", "Folder", folder), findings.Say("store.folder.foreign.snapshot.todo", "Names", names))
		default:
			s.fail("folder", findings.Say("store.folder.foreign.server", "Folder", folder), findings.Say("store.folder.foreign.server.todo", "Names", names))
		}
		return
	}
	if err != nil {
		s.fail("folder", findings.Say("store.folder.unusable", "Folder", e.settings.DataDir, "Error", err), findings.Say("store.folder.unusable.todo"))
		return
	}
	if len(e.keys) == 0 && len(folder.Key) > 0 && e.has("GATEWAY_SECRET_KEY") {
		e.keys = e.keysOf([][]byte{folder.Key})
	}
	if folder.Fresh {
		s.ok("folder", findings.Say("store.folder.fresh", "Folder", e.settings.DataDir))
	} else {
		s.ok("folder", findings.Say("store.folder", "Folder", e.settings.DataDir))
	}
	if folder.Program == "" {
		s.warn("persistence", findings.Say("store.persistence.none"), findings.Say("store.persistence.none.todo"))
		return
	}
	s.ok("persistence", findings.Say("store.persistence.own", "Program", folder.Program))
}
