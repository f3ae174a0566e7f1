package process_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/demo"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

const (
	adminToken = "the-administrator-of-three-gateways-0123456789"
	gateways   = 3
)

// world is all the processes.
type world struct {
	t         *testing.T
	folder    string
	outlook   string
	nightpos  string
	public    string
	secretKey string
	// login and apiKey are the gateway's account in NightPOS, and account its user id.
	login, apiKey string
	account       int
	told          *told
	store         store
	// logins are the people who are connected.
	logins    []string
	simulated []*program
	gateways  []*program
	addresses []string
	people    *people
	client    *http.Client
}

// newWorld starts everything and connects two people.
func newWorld(t *testing.T, setUp string) *world {
	t.Helper()
	w := &world{t: t, folder: t.TempDir(), client: &http.Client{Timeout: 40 * time.Second}}
	w.secretKey = base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef"))
	w.store = newStore(t, w.folder, setUp)
	w.outlook = w.simulator("outlook")
	w.nightpos = w.simulator("nightpos")
	for range gateways {
		w.addresses = append(w.addresses, freeAddress(t))
	}
	w.told = &told{}
	w.public = serveBalancer(t, w.addresses, w.told)
	w.register()
	for index, address := range w.addresses {
		w.serve(fmt.Sprintf("gateway-%d", index), address)
	}
	w.ready()
	w.meetPeople()
	return w
}

// register makes an ordinary account for the gateway, and has an administrator
// register it, as in a real set-up.
func (w *world) register() {
	w.t.Helper()
	var key string
	eventually(w.t, "the key of admin", 10*time.Second, func() error {
		if key = lineWith(w.simulated[1].written(), "API key of admin:"); key == "" {
			return errors.New("the simulator has not said it")
		}
		return nil
	})
	w.login, w.apiKey = "gateway", "the-password-of-the-account-of-three-gateways"
	user, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "id": 1, "params": map[string]any{
		"service": "object", "method": "execute_kw", "args": []any{
			"night", administrator, key, "res.users", "create",
			[]any{map[string]any{"name": "Gateway", "login": w.login, "email": "gateway@nightpos.example", "password": w.apiKey}},
		},
	}})
	w.must(err)
	answer, err := w.client.Post(w.nightpos+"/jsonrpc", "application/json", bytes.NewReader(user))
	w.must(err)
	defer answer.Body.Close()
	var made struct {
		Result int
		Error  any
	}
	if w.must(json.NewDecoder(answer.Body).Decode(&made)); made.Result == 0 {
		w.t.Fatalf("making the gateway's account: %v", made.Error)
	}
	w.account = made.Result
	registering := self(w.t, w.folder, "register", append(w.settings(w.addresses[0]), "NIGHTPOS_ADMIN_LOGIN=admin", "NIGHTPOS_ADMIN_API_KEY="+key), "register")
	registering.run()
	select {
	case <-registering.ended:
	case <-time.After(40 * time.Second):
		w.t.Fatal("registering does not end")
	}
	if code := registering.command.ProcessState.ExitCode(); code != 0 {
		w.t.Fatalf("registering ends with %d:\n%s", code, registering.written())
	}
}

// administrator is the id of the first user of every NightPOS database.
const administrator = 2

// settings are the environment of a gateway that listens there.
func (w *world) settings(address string) []string {
	return []string{
		"GATEWAY_LISTEN=" + address, "GATEWAY_PUBLIC_URL=" + w.public, "GATEWAY_SECRET_KEY=" + w.secretKey, "GATEWAY_ADMIN_TOKEN=" + adminToken,
		"GATEWAY_LOG_LEVEL=debug", "GATEWAY_LOG_FORMAT=json", "GATEWAY_DATA_DIR=" + w.folder, "REDIS_URL=" + w.store.url,
		"MICROSOFT_CLIENT_ID=" + simoutlook.DefaultApplication.ID, "MICROSOFT_CLIENT_SECRET=" + simoutlook.DefaultApplication.Secret,
		"MICROSOFT_LOGIN_URL=" + w.outlook, "MICROSOFT_GRAPH_URL=" + w.outlook + "/v1.0",
		"NIGHTPOS_URL=" + w.nightpos, "NIGHTPOS_DB=night", "NIGHTPOS_LOGIN=" + w.login, "NIGHTPOS_API_KEY=" + w.apiKey,
	}
}

// serve starts a gateway. What the environment says besides comes last, and wins.
func (w *world) serve(name, address string, environment ...string) {
	gateway := self(w.t, w.folder, name, append(w.settings(address), environment...), "serve")
	gateway.run()
	w.gateways = append(w.gateways, gateway)
}

// simulator starts one of them and returns its address.
func (w *world) simulator(name string) string {
	address := freeAddress(w.t)
	simulated := self(w.t, w.folder, name, nil, "sim", name, "--listen", address)
	simulated.run()
	w.simulated = append(w.simulated, simulated)
	eventually(w.t, name, 20*time.Second, answers("http://"+address+"/simulator"))
	return "http://" + address
}

// ready waits until every gateway answers.
func (w *world) ready() {
	w.t.Helper()
	for index, address := range w.addresses {
		eventually(w.t, w.gateways[index].name, 40*time.Second, answers("http://"+address+"/readyz"))
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// meetPeople signs two people in on both sides and connects them.
func (w *world) meetPeople() {
	day := time.Now().UTC().Truncate(24 * time.Hour)
	w.people = &people{
		t: w.t, ledger: &ledger{made: map[string]string{}, edits: map[string]int{}, gone: map[string]bool{}},
		boxes: map[string]*mailbox{}, from: day.AddDate(0, 0, -1), to: day.AddDate(0, 0, 90),
	}
	members := []demo.Member{
		{Login: "alice", Name: "Alice", Address: "alice@nightpos.example", Zone: "UTC", Password: "alice"},
		{Login: "bob", Name: "Bob", Address: "bob@nightpos.example", Zone: "UTC", Password: "bob"},
	}
	w.people.nightpos = demo.NewNightPOS(demo.NightPOSCalendar{URL: w.nightpos, Database: "night", Members: members})
	for _, member := range members {
		box, err := openMailbox(w.t.Context(), w.outlook, member.Address)
		w.must(err)
		w.people.boxes[member.Login] = box
		w.logins = append(w.logins, member.Login)
		w.connect(member.Login)
	}
	eventually(w.t, "connecting", time.Minute, func() error {
		for _, user := range w.users() {
			if user.State != "connected" {
				return fmt.Errorf("%s is %s", user.Login, user.State)
			}
		}
		return nil
	})
}

// connect follows a connect link to its end, as a program that follows links.
func (w *world) connect(login string) {
	var link struct{ URL string }
	w.must(json.Unmarshal(w.ask(http.MethodPost, "/users/"+login+"/connect-link"), &link))
	jar, err := cookiejar.New(nil)
	w.must(err)
	answer, err := (&http.Client{Jar: jar, Timeout: 30 * time.Second}).Get(link.URL)
	w.must(err)
	defer answer.Body.Close()
	if shown, err := io.ReadAll(answer.Body); err != nil || answer.StatusCode != http.StatusOK {
		w.t.Fatalf("connecting %s: %s %v\n%s", login, answer.Status, err, shown)
	}
}

// ask asks the admin API, again where no gateway could answer.
func (w *world) ask(method, path string) []byte {
	w.t.Helper()
	var said []byte
	eventually(w.t, method+" "+path, time.Minute, func() error {
		request, err := http.NewRequestWithContext(w.t.Context(), method, w.public+"/api/v1"+path, bytes.NewReader(nil))
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "Bearer "+adminToken)
		answer, err := w.client.Do(request)
		if err != nil {
			return err
		}
		defer answer.Body.Close()
		if said, err = io.ReadAll(answer.Body); err == nil && answer.StatusCode >= http.StatusBadRequest {
			err = fmt.Errorf("%s %s", answer.Status, said)
		}
		return err
	})
	return said
}

// user is a person as the admin API tells.
type user struct {
	Login, State string
	Pending      int
	LastError    any `json:"last_error"`
}

func (w *world) users() []user {
	w.t.Helper()
	var found []user
	w.must(json.Unmarshal(w.ask(http.MethodGet, "/users"), &found))
	return found
}

// scenes is what a simulator tells behind the scenes.
type scenes struct {
	Mails []struct {
		From, To, Kind, Subject string
		User                    int
	}
	Counts   map[string]int
	Delivery struct{ Waiting int }
}

func (w *world) scenes(address string) scenes {
	w.t.Helper()
	answer, err := w.client.Get(address + "/simulator")
	w.must(err)
	defer answer.Body.Close()
	var told scenes
	w.must(json.NewDecoder(answer.Body).Decode(&told))
	return told
}

// live has people edit while everything that can be killed is, and then waits
// until all is well again.
func (w *world) live(random *rand.Rand, how time.Duration) {
	editing, stop := context.WithCancel(w.t.Context())
	var group sync.WaitGroup
	for _, side := range []demo.Side{demo.Outlook, demo.NightPOS} {
		own := rand.New(rand.NewPCG(random.Uint64(), 1))
		group.Go(func() { w.people.edit(editing, side, own) })
	}
	var frozen sync.WaitGroup
	long := how > 2*lease
	for end := time.Now().Add(how); time.Now().Before(end); {
		time.Sleep(time.Duration(200+random.IntN(2000)) * time.Millisecond)
		gateway := w.gateways[random.IntN(len(w.gateways))]
		switch fate := random.IntN(20); {
		case fate < 9:
			w.note(gateway.name + " is killed")
			gateway.replace(syscall.SIGKILL, time.Duration(random.IntN(1500))*time.Millisecond)
		case fate < 12:
			w.note(gateway.name + " is replaced")
			gateway.replace(syscall.SIGTERM, 0)
		case fate < 15:
			w.note(gateway.name + " hangs")
			gateway.freeze(time.Duration(500+random.IntN(3000)) * time.Millisecond)
		case fate < 16 && long:
			w.note(gateway.name + " hangs past its leases")
			frozen.Go(func() { gateway.freeze(lease + 5*time.Second) })
		case fate < 17:
			w.note("all are killed")
			for _, one := range w.gateways {
				one.replace(syscall.SIGKILL, 0)
			}
		default:
			w.note("the store fails")
			w.store.fault(random)
			w.note("the store is well")
		}
	}
	stop()
	group.Wait()
	frozen.Wait()
	w.note("it is over")
	w.ready()
}

// lease is how long a gateway holds a lane without saying so again.
const lease = 30 * time.Second

// note writes down what befell the processes, between what people did.
func (w *world) note(what string) {
	w.people.ledger.mutex.Lock()
	defer w.people.ledger.mutex.Unlock()
	w.people.ledger.lines = append(w.people.ledger.lines, time.Now().Format("15:04:05.000 ")+what)
}

// quietTime is how long everything may take to come to rest: a lease that a dead
// gateway held ends by itself, and what failed is tried again at growing steps.
const quietTime = 3 * time.Minute

// quiet waits until nothing is on its way anywhere.
func (w *world) quiet() {
	w.t.Helper()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	calm, since := 0, time.Now()
	for calm < 20 {
		<-tick.C
		waiting := w.scenes(w.outlook).Delivery.Waiting
		users := w.users()
		for _, user := range users {
			waiting += user.Pending
		}
		if calm++; waiting > 0 {
			calm = 0
		}
		if time.Since(since) > quietTime {
			w.t.Errorf("not at rest after %s: %d wait: %+v\n%s", quietTime, waiting, users, w.store.lanes())
			return
		}
	}
}

// sync compares both calendars of everybody as a whole.
func (w *world) sync() {
	w.t.Helper()
	for _, login := range w.logins {
		w.ask(http.MethodPost, "/users/"+login+"/sync")
	}
	w.quiet()
}

// keep leaves what the processes wrote where it can be looked at.
func (w *world) keep() {
	folder, err := os.MkdirTemp("", "outlook-gateway-processes-")
	w.must(err)
	for _, one := range append(append([]*program{}, w.simulated...), w.gateways...) {
		w.must(os.WriteFile(filepath.Join(folder, one.name+".log"), []byte(one.written()), 0o600))
	}
	for _, login := range w.logins {
		w.must(os.WriteFile(filepath.Join(folder, login+".json"), w.ask(http.MethodGet, "/activity?limit=1000&user="+login), 0o600))
	}
	w.must(os.WriteFile(filepath.Join(folder, "lanes"), []byte(w.store.lanes()), 0o600))
	if w.people != nil {
		w.must(os.WriteFile(filepath.Join(folder, "history"), []byte(strings.Join(w.people.ledger.lines, "\n")), 0o600))
	}
	w.t.Logf("what was written is in %s", folder)
}
