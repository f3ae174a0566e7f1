package process_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// The full size is -events=10000 -latency=100ms -deaths=2 -homes=single. By default
// the store is one that forgets with the gateway, which then starts anew at once: any
// other keeps the lane until the lease of the killed one is over.
var (
	events  = flag.Int("events", 500, "how many events each side of TestFirstSync has; nine of ten are on both")
	latency = flag.Duration("latency", 5*time.Millisecond, "how long both calendars of TestFirstSync take for each call")
	deaths  = flag.Int("deaths", 1, "how often the gateway of TestFirstSync is killed")
	homes   = flag.String("homes", "memory", "where the gateway of TestFirstSync has its store: single, sentinel, cluster, embedded, memory, separated by commas")
)

const (
	alice = "alice@nightpos.example"
	// guestEvery is how many events there are for each one with a guest.
	guestEvery = 10
	// patience is for a first sync on a machine that has much else to do.
	patience = 30 * time.Minute
	// mostLag is how long what somebody changes meanwhile may take, in the median of
	// at least so many changes.
	mostLag    = 2 * time.Second
	enoughLags = 20
)

// mostCalls is what a first sync may cost of so many events on each side: an
// eighth of a call for each, for those on both sides and those on one, and what
// every start and every round cost.
func mostCalls(events int) int64 { return 150 + int64(events*11/10)/8 }

// callsOfChange is what a change made meanwhile may cost.
const callsOfChange = 6

// TestFirstSync has a gateway killed with SIGKILL in the middle of the first sync
// of a large calendar, each time within the very call that makes an event, which
// is made and never acknowledged. The next one finishes it: whatever was on one
// side alone is on the other once, and nobody was mailed.
func TestFirstSync(t *testing.T) {
	t.Parallel()
	for _, home := range strings.Split(*homes, ",") {
		t.Run(home, func(t *testing.T) {
			s := newFirstSync(t, home)
			defer func() {
				if t.Failed() {
					s.keep()
				}
			}()
			s.live()
			s.check()
		})
	}
}

// firstSync is one gateway that is a process, between both calendars.
type firstSync struct {
	*world
	mail  *simoutlook.Server
	suite *simnightpos.Server
	// calls are those that the gateway has made, however much each carries.
	calls atomic.Int64
	// pause is how long each of them takes.
	pause atomic.Int64
	// connecting says that Alice is signing in, which no death interrupts.
	connecting atomic.Bool
	// deaths are the processes that were killed and what came after them.
	deaths sync.WaitGroup

	mutex sync.Mutex
	// made are the events that the gateway has made on either side, by their ids,
	// and when.
	made map[string]time.Time
	// changed are how often it has changed or deleted others, side by side.
	changed map[string]int
	killed  []time.Time
	// meanwhile is when somebody made an event while the first sync ran, by title.
	meanwhile map[string]time.Time
}

func newFirstSync(t *testing.T, home string) *firstSync {
	t.Helper()
	s := &firstSync{
		world: &world{t: t, folder: t.TempDir(), client: &http.Client{Timeout: 40 * time.Second}, secretKey: "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=", logins: []string{"alice"}, login: "admin", account: administrator},
		made:  map[string]time.Time{}, changed: map[string]int{}, meanwhile: map[string]time.Time{},
	}
	var environment []string
	switch home {
	case "embedded":
		// A redis-server that the gateway itself starts, and that ends with it.
	case "memory":
		// Where no redis-server is to be found, the store is in the gateway's memory,
		// and in a file that is written every few seconds.
		environment = []string{"PATH="}
	default:
		s.store = newStore(t, s.folder, home)
	}
	wait := func(string, string) time.Duration { return time.Duration(s.pause.Load()) }
	listener := s.listen()
	s.outlook = "http://" + listener.Addr().String()
	var err error
	s.mail, err = simoutlook.New(simoutlook.Config{BaseURL: s.outlook, Seed: *seed, Latency: wait, People: []simoutlook.Person{{Name: "Alice", Address: alice}}})
	s.must(err)
	t.Cleanup(s.mail.Close)
	s.host(listener, s.mail.Handler(), func() any {
		return map[string]any{"mails": s.mail.Mails(), "counts": s.mail.Counts(), "delivery": s.mail.Delivery()}
	})
	listener = s.listen()
	s.nightpos = "http://" + listener.Addr().String()
	s.suite, err = simnightpos.New(simnightpos.Config{BaseURL: s.nightpos, Seed: *seed, Latency: wait})
	s.must(err)
	t.Cleanup(s.suite.Close)
	s.host(listener, s.suite.Handler(), func() any {
		return map[string]any{"mails": s.suite.Mails(), "counts": s.suite.Counts()}
	})
	s.apiKey = s.suite.Member("admin").APIKey(0)
	s.seed()
	s.addresses = []string{freeAddress(t)}
	s.public = "http://" + s.addresses[0]
	s.serve("gateway", s.addresses[0], environment...)
	s.ready()
	return s
}

func (s *firstSync) listen() net.Listener {
	listener, err := new(net.ListenConfig).Listen(s.t.Context(), "tcp", "127.0.0.1:0")
	s.must(err)
	return listener
}

// host serves one of the simulators until the end, with the page that shows what is
// behind the scenes, and counts the calls.
func (s *firstSync) host(listener net.Listener, simulated http.Handler, seen func() any) {
	mux := http.NewServeMux()
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		s.calls.Add(1)
		simulated.ServeHTTP(w, r)
	})
	mux.HandleFunc("GET /simulator", func(w http.ResponseWriter, _ *http.Request) {
		if err := json.NewEncoder(w).Encode(seen()); err != nil {
			s.t.Error(err)
		}
	})
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	s.t.Cleanup(func() { s.must(server.Close()); <-ended })
}

// when is the time of an event; no two of one title fall on one day.
func (s *firstSync) when(index int) time.Time {
	const days, perDay = 600, 40
	return time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, 3+index%days-days/3).Add(8 * time.Hour).Add(time.Duration(index/days%perDay) * 15 * time.Minute)
}

// inOutlook makes an event in Alice's mailbox as she would.
func (s *firstSync) inOutlook(title string, start time.Time, guests ...string) {
	attendees := []any{}
	for _, guest := range guests {
		attendees = append(attendees, map[string]any{"type": "required", "emailAddress": map[string]any{"address": guest, "name": guest}})
	}
	_, err := s.mail.Mailbox(alice).Create(s.t.Context(), map[string]any{
		"subject": title, "attendees": attendees, "isReminderOn": false,
		"start": map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		"end":   map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
	})
	s.must(err)
}

// record is what NightPOS is told to make an event of.
func (s *firstSync) record(title string, start time.Time, guests ...string) map[string]any {
	partners := []any{s.suite.Member("alice").PartnerID}
	for _, guest := range guests {
		partners = append(partners, s.suite.Contact(guest))
	}
	return map[string]any{
		"name": title, "start": start.Format(time.DateTime), "stop": start.Add(time.Hour).Format(time.DateTime),
		"partner_ids": []any{[]any{6, 0, partners}},
	}
}

// seed fills both calendars, with nine of ten events on both sides, and has a few
// of them with guests: those on both sides, and those in Outlook alone.
func (s *firstSync) seed() {
	const guest = "carol@customer.example"
	var records []map[string]any
	alone := s.alone()
	for index := range *events {
		var guests []string
		if index%guestEvery == 0 {
			guests = []string{guest}
		}
		if index < *events-alone {
			s.inOutlook(fmt.Sprintf("Both %d", index), s.when(index), guests...)
			records = append(records, s.record(fmt.Sprintf("Both %d", index), s.when(index), guests...))
			continue
		}
		s.inOutlook(fmt.Sprintf("There %d", index), s.when(index), guests...)
		records = append(records, s.record(fmt.Sprintf("Here %d", index), s.when(index)))
	}
	for chunk := range slices.Chunk(records, 500) {
		_, err := s.suite.Member("alice").CreateAll(s.t.Context(), chunk...)
		s.must(err)
	}
	s.mail.OnChange(func(change simoutlook.Change) {
		switch {
		case strings.HasPrefix(change.Actor, "person:"):
		case change.Kind == "created":
			s.arrived("Outlook "+change.EventID, change.Time)
		default:
			s.altered("Outlook: " + change.Kind)
		}
	})
	old := map[int]bool{}
	for _, shown := range s.suite.Events() {
		id, _ := shown["id"].(int)
		old[id] = true
	}
	s.suite.OnChange(func(change simnightpos.Change) {
		switch {
		case change.User != s.account:
		case !old[change.Event]:
			s.arrived(fmt.Sprintf("NightPOS %d", change.Event), change.Time)
		default:
			s.altered("NightPOS")
		}
	})
	s.pause.Store(int64(*latency))
}

func (s *firstSync) alone() int { return *events / 10 }

// altered notes that the gateway changed what was there before it.
func (s *firstSync) altered(what string) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	s.changed[what]++
}

// arrived notes what the gateway made, and kills it when it is time to, which is
// before it can learn that this was made: once at a third of all, or at a quarter
// and at half of it, and so on.
func (s *firstSync) arrived(key string, at time.Time) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if !s.made[key].IsZero() {
		return
	}
	s.made[key] = at
	if s.connecting.Load() || len(s.killed) == *deaths || len(s.made) < (len(s.killed)+1)*2*s.alone()/(*deaths+2) {
		return
	}
	gateway := s.gateways[0]
	gateway.mutex.Lock()
	gateway.end(syscall.SIGKILL)
	gateway.mutex.Unlock()
	s.killed = append(s.killed, time.Now())
	s.deaths.Go(gateway.run)
}

// live connects Alice, who makes events on both sides until the first sync is done.
func (s *firstSync) live() {
	s.t.Helper()
	before := s.calls.Load()
	began := time.Now()
	s.signIn()
	tick := time.NewTicker(1700 * time.Millisecond)
	defer tick.Stop()
	for count := 0; !s.connected(); count++ {
		if time.Since(began) > patience {
			s.t.Fatalf("after %s it is not done: %s", patience, s.ask(http.MethodGet, "/users/alice"))
		}
		title := fmt.Sprintf("Meanwhile %d", count)
		s.mutex.Lock()
		s.meanwhile[title] = time.Now()
		s.mutex.Unlock()
		if start := time.Now().UTC().Truncate(time.Hour).Add(48 * time.Hour); count%2 == 0 {
			s.inOutlook(title, start)
		} else {
			_, err := s.suite.Member("alice").Create(s.t.Context(), s.record(title, start))
			s.must(err)
		}
		<-tick.C
	}
	took := time.Since(began)
	s.deaths.Wait()
	s.quiet()
	calls := s.calls.Load() - before
	// What a webhook of NightPOS's told while no gateway ran is found by this.
	s.sync()
	free, hindered := s.lags()
	s.t.Logf("%d events on each side, %d of them on both: %s, %d calls; killed %d times; %d changes meanwhile: while nothing was in the way %d, with a median lag of %s, and about a kill %d, of %s at most; Graph counted %v",
		*events, *events-s.alone(), took.Round(100*time.Millisecond), calls, len(s.killed), len(s.meanwhile),
		len(free), median(free), len(hindered), longest(hindered), s.mail.Counts())
	if len(s.killed) != *deaths {
		s.t.Errorf("the gateway was killed %d times, want %d", len(s.killed), *deaths)
	}
	if most := mostCalls(*events) + int64(callsOfChange*len(s.meanwhile)); calls > most {
		s.t.Errorf("%d calls were made, want at most %d", calls, most)
	}
	if got := median(free); got > mostLag && len(free) >= enoughLags {
		s.t.Errorf("the median lag meanwhile is %s, want at most %s", got, mostLag)
	}
}

// signIn connects Alice.
func (s *firstSync) signIn() {
	s.t.Helper()
	s.connecting.Store(true)
	s.connect("alice")
	s.connecting.Store(false)
}

// connected says whether the first sync is done. Whoever is forgotten with a store
// that is not durable connects again.
func (s *firstSync) connected() bool {
	users := s.users()
	if len(users) == 0 {
		s.signIn()
		return false
	}
	return users[0].State == "connected"
}

func median(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)/2].Round(time.Millisecond)
}

func longest(sorted []time.Duration) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[len(sorted)-1].Round(time.Millisecond)
}

// lags are how long what was made meanwhile took to the other side, in order:
// while nothing was in the way, and about the time when a gateway was killed. Its
// lane is left to it until its lease is over.
func (s *firstSync) lags() (free, hindered []time.Duration) {
	inOutlook, inNightPOS := s.mail.Mailbox(alice).Events(), s.suite.Events()
	s.mutex.Lock()
	defer s.mutex.Unlock()
	arrivals := map[string]time.Time{}
	for _, shown := range inOutlook {
		arrivals[fmt.Sprint(shown["subject"])] = s.made[fmt.Sprintf("Outlook %v", shown["id"])]
	}
	for _, shown := range inNightPOS {
		if at := s.made[fmt.Sprintf("NightPOS %v", shown["id"])]; !at.IsZero() {
			arrivals[fmt.Sprint(shown["name"])] = at
		}
	}
	for title, at := range s.meanwhile {
		arrived := arrivals[title]
		if arrived.IsZero() {
			continue
		}
		about := slices.ContainsFunc(s.killed, func(killed time.Time) bool {
			return at.After(killed.Add(-mostLag)) && at.Before(killed.Add(lease+mostLag))
		})
		if about {
			hindered = append(hindered, arrived.Sub(at))
		} else {
			free = append(free, arrived.Sub(at))
		}
	}
	slices.Sort(free)
	slices.Sort(hindered)
	return free, hindered
}

// check counts: everything once on both sides, nothing made but what was missing,
// nothing changed, nobody mailed, and a second sync writes nothing.
func (s *firstSync) check() {
	s.t.Helper()
	outlook, nightpos := map[string]int{}, map[string]int{}
	for _, shown := range s.mail.Mailbox(alice).Events() {
		outlook[fmt.Sprint(shown["subject"])]++
	}
	for _, shown := range s.suite.Events() {
		nightpos[fmt.Sprint(shown["name"])]++
	}
	want := map[string]int{}
	for title := range s.meanwhile {
		want[title] = 1
	}
	for index := range *events {
		if index < *events-s.alone() {
			want[fmt.Sprintf("Both %d", index)] = 1
		} else {
			want[fmt.Sprintf("There %d", index)], want[fmt.Sprintf("Here %d", index)] = 1, 1
		}
	}
	s.compare("Outlook", want, outlook)
	s.compare("NightPOS", want, nightpos)
	made := map[string]int{}
	s.mutex.Lock()
	for key := range s.made {
		side, _, _ := strings.Cut(key, " ")
		made[side]++
	}
	changed := maps.Clone(s.changed)
	s.mutex.Unlock()
	for index, side := range []string{"Outlook", "NightPOS"} {
		// Every other change meanwhile was made on that side.
		if want := s.alone() + (len(s.meanwhile)+index)/2; made[side] != want {
			s.t.Errorf("the gateway made %d events in %s, want %d", made[side], side, want)
		}
	}
	if len(changed) > 0 {
		s.t.Errorf("the gateway changed what there was: %v", changed)
	}
	for _, mail := range s.mail.Mails() {
		if !strings.HasPrefix(mail.Actor, "person:") {
			s.t.Errorf("Outlook mailed %s for the gateway: %s", mail.To, mail.Subject)
		}
	}
	for _, mail := range s.suite.Mails() {
		if mail.User == s.account {
			s.t.Errorf("NightPOS mailed %s for the gateway: %s", mail.To, mail.Subject)
		}
	}
	s.checkSecondSync()
}

// compare holds how often each title is on a side against how often it should be.
func (s *firstSync) compare(side string, want, found map[string]int) {
	s.t.Helper()
	const most = 20
	wrong := 0
	all := maps.Clone(want)
	maps.Copy(all, found)
	for _, title := range slices.Sorted(maps.Keys(all)) {
		if found[title] == want[title] {
			continue
		}
		if wrong++; wrong <= most {
			s.t.Errorf("%q is %d times in %s, want %d", title, found[title], side, want[title])
		}
	}
	if wrong > most {
		s.t.Errorf("%d titles are wrong in %s", wrong, side)
	}
}
