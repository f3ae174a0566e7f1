package doctor

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
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
	// Detail is what was found, or what is wrong.
	Detail string `json:"detail"`
	// Remedy is what to do; empty when all is well.
	Remedy string `json:"remedy,omitempty"`
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

func (s *sheet) add(check string, status Status, detail, remedy string) {
	name := s.area
	if check != "" {
		name += "." + check
	}
	s.rows = append(s.rows, Row{Check: name, Status: status, Detail: detail, Remedy: remedy})
}

func (s *sheet) ok(check, format string, arguments ...any) {
	s.add(check, OK, fmt.Sprintf(format, arguments...), "")
}

func (s *sheet) warn(check, detail, remedy string) { s.add(check, Warning, detail, remedy) }
func (s *sheet) fail(check, detail, remedy string) { s.add(check, Failed, detail, remedy) }

// checkSettings has a row for each setting that is wrong, or one for all.
func (e *examiner) checkSettings() []Row {
	s := &sheet{area: "settings"}
	if e.Settings != nil {
		e.settings = *e.Settings
		e.wrong = map[string]bool{"GATEWAY_DATA_DIR": e.settings.DataDir == "", "GATEWAY_PUBLIC_URL": e.settings.PublicURL == ""}
		s.ok("", "every setting is right; the gateway runs with them")
		return s.rows
	}
	settings, problems, err := gateway.CheckDatabase(e.Lookup, e.File, e.Database)
	if err != nil {
		s.fail("file", err.Error(), "correct the file, or leave --config out and set environment variables")
		// Without the file nothing is known of what it would have set.
		settings, problems, _ = gateway.CheckSettings(e.Lookup, "")
	}
	e.settings, e.wrong = settings, map[string]bool{}
	for _, problem := range problems {
		e.wrong[problem.Name] = true
		s.fail(problem.Name, problem.Name+" "+problem.Text, "set it; example: "+problem.Example)
	}
	switch {
	case len(s.rows) > 0:
	case settings.AdminToken == "":
		s.ok("", "every setting is right; GATEWAY_ADMIN_TOKEN is not set, so that only an administrator's NightPOS session opens the admin API")
	default:
		s.ok("", "every setting is right")
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
	if err != nil {
		s.fail("folder", "GATEWAY_DATA_DIR "+e.settings.DataDir+" cannot be used: "+err.Error(),
			"make it a folder that the gateway's user owns, or name another one with GATEWAY_DATA_DIR, or set REDIS_URL")
		return
	}
	if len(e.keys) == 0 && len(folder.Key) > 0 && e.has("GATEWAY_SECRET_KEY") {
		e.keys = e.keysOf([][]byte{folder.Key})
	}
	if folder.Fresh {
		s.ok("folder", "%s will be made at the first start", e.settings.DataDir)
	} else {
		s.ok("folder", "%s can be written to", e.settings.DataDir)
	}
	if folder.Program == "" {
		s.warn("persistence", "the embedded store is not durable: no redis-server was found on PATH, so that what is acknowledged in the last seconds before a crash is lost",
			"install redis-server on this machine, or set REDIS_URL")
		return
	}
	s.ok("persistence", "a redis-server of the gateway's own keeps every write on disk (%s)", folder.Program)
}
