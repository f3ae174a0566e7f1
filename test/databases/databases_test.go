package databases_test

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
	"github.com/nightpos/outlook-gateway/service"
	"github.com/nightpos/outlook-gateway/test/network"
	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	"github.com/nightpos/outlook-gateway/test/world"
)

// database is one NightPOS database with its people's Outlook and its gateway.
type database struct {
	*world.World
	name   string
	events []int
	// mutex guards the webhooks that came.
	mutex    sync.Mutex
	webhooks []webhook
}

type webhook struct {
	address string
	body    []byte
}

func newDatabase(t *testing.T, name string, options world.Options) *database {
	t.Helper()
	d := &database{name: name}
	options.Seed, options.Namespace = 1, "gateway-"+name
	options.NightPOS = func(config *simnightpos.Config) {
		config.Webhook = func(address string, body []byte) simnightpos.WebhookFate {
			d.mutex.Lock()
			defer d.mutex.Unlock()
			d.webhooks = append(d.webhooks, webhook{address, slices.Clone(body)})
			return simnightpos.WebhookFate{}
		}
	}
	d.World = world.New(t, options)
	return d
}

// apart are two databases with a gateway process each, which share a store.
func apart(t *testing.T, engine *redis.InProcess) (day, night *database, end func()) {
	t.Helper()
	day = newDatabase(t, "day", world.Options{Database: "day", Engine: engine})
	night = newDatabase(t, "night", world.Options{Database: "night", Engine: engine})
	return day, night, func() {}
}

// together are two databases of the same name, on two servers, with one gateway
// process for both, and equal in all else that may be equal.
func together(t *testing.T, engine *redis.InProcess) (day, night *database, end func()) {
	t.Helper()
	memory := &network.Network{}
	var all []gateway.Settings
	build := func(name string) *database {
		d := newDatabase(t, name, world.Options{
			Database: "same", Engine: engine, Network: memory, Prefix: name + ".", AdminToken: strings.Repeat(name, 20), Apart: true,
		})
		settings := d.Config().Settings
		settings.Name = name
		all = append(all, settings)
		return d
	}
	day, night = build("day"), build("night")
	listener, err := memory.Listen("day.gateway.sim")
	if err != nil {
		t.Fatal(err)
	}
	memory.Alias("night.gateway.sim", "day.gateway.sim")
	config := day.Config()
	config.Listener = listener
	// Registered before under other keys than those of the list.
	for _, settings := range all {
		one := config
		one.Settings = settings
		if _, err := service.Register(t.Context(), one); err != nil {
			t.Fatal(err)
		}
	}
	fleet, err := service.StartAll(context.Background(), config, all)
	if err != nil {
		t.Fatal(err)
	}
	day.Adopt(fleet.Service("day"), "alice", "bob")
	night.Adopt(fleet.Service("night"), "alice", "bob")
	return day, night, func() {
		if err := fleet.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestDatabasesNeverMix draws edits by people of the same names on both sides of
// two databases, and compares all that either shows with what was done there.
func TestDatabasesNeverMix(t *testing.T) {
	for name, start := range map[string]func(*testing.T, *redis.InProcess) (day, night *database, end func()){
		"two processes": apart, "one process": together,
	} {
		for seed := range uint64(3) {
			t.Run(fmt.Sprint(name, " ", seed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) { neverMix(t, seed, start) })
			})
		}
	}
}

func neverMix(t *testing.T, seed uint64, start func(*testing.T, *redis.InProcess) (day, night *database, end func())) {
	engine, err := redis.NewInProcess("", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := engine.Close(); err != nil {
			t.Error(err)
		}
	}()
	day, night, end := start(t, engine)
	defer night.Close()
	defer day.Close()
	defer end()
	day.Quiet()
	night.Quiet()
	random := rand.New(rand.NewPCG(seed, 5))
	for number := range 40 {
		edited := day
		if random.IntN(2) == 0 {
			edited = night
		}
		edited.edit(t, number, random)
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
		}
	}
	day.Quiet()
	night.Quiet()
	day.check(t, night)
	night.check(t, day)
	writes := day.Writes() + night.Writes()
	day.overhear(t, night)
	day.Sweep()
	night.Sweep()
	if got := day.Writes() + night.Writes() - writes; got != 0 {
		t.Errorf("%d writes though nothing is left to do, want none\n%s\n%s", got, day.Log(), night.Log())
	}
	day.check(t, night)
	night.check(t, day)
	// Who leaves one leaves nothing in the other.
	day.Ask(http.MethodDelete, "/users/alice", "")
	day.Quiet()
	if left := day.members(t); len(left) != 1 {
		t.Errorf("in %s %v are connected, want bob alone", day.name, left)
	}
	if left := night.members(t); len(left) != 2 {
		t.Errorf("in %s %v are connected, want alice and bob", night.name, left)
	}
	night.check(t, day)
	day.stranger(t, night)
	night.stranger(t, day)
}

// edit has alice or bob do something on one side.
func (d *database) edit(t *testing.T, number int, random *rand.Rand) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	login := []string{"alice", "bob"}[random.IntN(2)]
	person := d.NightPOS.Member(login)
	title := fmt.Sprintf("%s %d", d.name, number)
	start := time.Now().UTC().AddDate(0, 0, 7).Truncate(24 * time.Hour).Add(time.Duration(number) * time.Hour)
	box := d.Outlook.Mailbox(world.Address(login))
	own := slices.DeleteFunc(box.Events(), func(event map[string]any) bool { return event["isOrganizer"] != true })
	switch draw := random.IntN(6); {
	case len(d.events) == 0 || draw < 2:
		id, err := person.Create(t.Context(), map[string]any{
			"name": title, "start": start.Format(time.DateTime), "stop": start.Add(time.Hour).Format(time.DateTime),
			"partner_ids": []any{[]any{6, 0, []any{d.NightPOS.Member("alice").PartnerID, d.NightPOS.Member("bob").PartnerID}}},
		})
		must(err)
		d.events = append(d.events, id)
	case draw == 2:
		must(person.Write(t.Context(), []int{d.events[random.IntN(len(d.events))]}, map[string]any{"name": title}))
	case draw == 3 && len(own) > 0:
		_, err := box.Update(t.Context(), own[random.IntN(len(own))]["id"].(string), map[string]any{"subject": title})
		must(err)
	default:
		_, err := box.Create(t.Context(), map[string]any{
			"subject": title,
			"start":   map[string]any{"dateTime": start.Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
			"end":     map[string]any{"dateTime": start.Add(time.Hour).Format("2006-01-02T15:04:05"), "timeZone": "UTC"},
		})
		must(err)
	}
}

// stranger asks the other's gateway with what is good for this one.
func (d *database) stranger(t *testing.T, other *database) {
	t.Helper()
	if d.Config().Settings.AdminToken == other.Config().Settings.AdminToken {
		return // two processes of one administrator
	}
	for path, want := range map[string]int{"/api/v1/users": http.StatusUnauthorized, "/api/v1/activity": http.StatusUnauthorized, "/readyz": http.StatusOK} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, other.Config().Settings.PublicURL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+d.Config().Settings.AdminToken.Reveal())
		answer, err := other.Transport().RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != want {
			t.Errorf("%s of %s answers %s's administrator with %d, want %d", path, other.name, d.name, answer.StatusCode, want)
		}
	}
}

// members are the people that the gateway knows, login to id.
func (d *database) members(t *testing.T) map[string]string {
	t.Helper()
	known, err := d.Gateway.Store().Members(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{}
	for _, member := range known {
		ids[member.Login] = member.ID
	}
	return ids
}

// check fails where the database shows anything of another, or its sides differ,
// or the two do not have the same ids, without which the test would show nothing.
func (d *database) check(t *testing.T, other *database) {
	t.Helper()
	inNightPOS := map[string]bool{}
	for _, event := range d.NightPOS.Events() {
		inNightPOS[event["name"].(string)] = true
	}
	inOutlook := map[string]bool{}
	for _, login := range []string{"alice", "bob"} {
		for _, event := range d.Outlook.Mailbox(world.Address(login)).Events() {
			inOutlook[event["subject"].(string)] = true
		}
	}
	if difference := cmp.Diff(inNightPOS, inOutlook); difference != "" {
		t.Errorf("the sides of %s differ (-NightPOS +Outlook):\n%s\n%s", d.name, difference, d.Log())
	}
	for title := range inNightPOS {
		if !strings.HasPrefix(title, d.name+" ") {
			t.Errorf("%s shows %q", d.name, title)
		}
	}
	for login, id := range d.members(t) {
		lines, err := d.Gateway.Store().Activities(context.Background(), id, time.Time{}, 1000)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range lines {
			if line.RecordID != 0 && !slices.ContainsFunc(d.NightPOS.Events(), func(event map[string]any) bool { return int64(event["id"].(int)) == line.RecordID }) {
				t.Errorf("%s's log in %s has record %d, which is not there", login, d.name, line.RecordID)
			}
		}
	}
	if mine, theirs := d.NightPOS.Member("alice"), other.NightPOS.Member("alice"); mine.ID != theirs.ID || mine.PartnerID != theirs.PartnerID || d.events[0] != other.events[0] {
		t.Errorf("the databases have different ids: alice is %d and %d, the first event %d and %d", mine.ID, theirs.ID, d.events[0], other.events[0])
	}
}

// overhear posts what one NightPOS told its gateway to the other's.
func (d *database) overhear(t *testing.T, other *database) {
	t.Helper()
	d.mutex.Lock()
	heard := slices.Clone(d.webhooks)
	d.mutex.Unlock()
	if len(heard) == 0 {
		t.Fatal("nothing was told")
	}
	for _, one := range heard {
		// The path holds the secret; the host is the other's.
		_, path, _ := strings.Cut(one.address, "/webhooks/")
		request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, other.Config().Settings.PublicURL+"/webhooks/"+path, bytes.NewReader(one.body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Content-Type", "application/json")
		answer, err := other.Transport().RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusNotFound {
			t.Errorf("%s's gateway answers a webhook of %s's with %d, want 404", other.name, d.name, answer.StatusCode)
			return
		}
	}
}
