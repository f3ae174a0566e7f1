package bench_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	vegeta "github.com/tsenart/vegeta/v12/lib"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// load is how webhooks are posted.
type load struct {
	name string
	// rate is posts per second; zero for as many as are answered.
	rate int
	// connections post at once when the rate is zero.
	connections int
	// turn is how long the floor and each route are posted to at a time, and
	// turns how often.
	turn  time.Duration
	turns int
	// overload may be more than the machine can take: other answers than 202 are
	// counted instead of failing the test, and there is no floor.
	overload bool
}

// poster makes the next post.
type poster func(target *vegeta.Target)

// acknowledgement is what posting gave: the bare handler and the two routes.
type acknowledgement struct {
	floor, graph, nightpos *latencies
}

// bareHandler does one write to Redis for each post, as any handler must that
// keeps what it acknowledges, and nothing else.
func bareHandler(client *goredis.Client) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err == nil {
			err = client.HSet(r.Context(), "hints", "last", body).Err()
		}
		if err != nil {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
}

// posts are the webhooks of both sides about events of all members in turn, each
// about another event. They share what they are made of with the gateway: its
// keys.
type posts struct {
	base            string
	members         []reconciler.Member
	states          []string
	token           string
	graph, nightpos int
}

func newPosts(t testing.TB, w *world) *posts {
	t.Helper()
	senders, err := gateway.NewSenders([][]byte{secretKey}, database, strings.NewReader(strings.Repeat("nonce", 100*len(w.members))))
	if err != nil {
		t.Fatal(err)
	}
	p := &posts{base: w.config.Settings.PublicURL, members: w.members, token: senders.Token()}
	for _, member := range w.members {
		state, err := senders.ClientState(member.ID)
		if err != nil {
			t.Fatal(err)
		}
		p.states = append(p.states, state)
	}
	return p
}

// toGraph posts a change notification.
func (p *posts) toGraph(target *vegeta.Target) {
	p.graph++
	target.URL = p.base + "/webhooks/graph"
	target.Body = p.notification(p.graph%len(p.states), fmt.Sprintf("AAMkADbench%019d=", p.graph), fmt.Sprintf(`W/"DwAAABYAAAB%d"`, p.graph))
}

// notification tells of an event of a member, in the shape of Microsoft's.
func (p *posts) notification(member int, id, etag string) []byte {
	return fmt.Appendf(nil, `{"value":[{"subscriptionId":"7f105c7d-2dc5-4530-97cd-4e7ae6534c07","subscriptionExpirationDateTime":"2030-01-01T00:00:00Z",`+
		`"changeType":"updated","clientState":%[1]q,"tenantId":"84bd8158-6d4d-4958-8b9f-9d6445542f95","resource":"Users/8d5c2a3e/Events/%[2]s",`+
		`"resourceData":{"@odata.type":"#Microsoft.Graph.Event","@odata.id":"Users/8d5c2a3e/Events/%[2]s","@odata.etag":%[3]q,"id":%[2]q}}]}`,
		p.states[member], id, etag)
}

// toNightPOS posts what an automation rule sends.
func (p *posts) toNightPOS(target *vegeta.Target) {
	p.nightpos++
	member := p.members[p.nightpos%len(p.members)]
	target.URL = p.base + "/webhooks/nightpos/" + p.token + "?on=save"
	target.Body = fmt.Appendf(nil, `{"_action":"Send Webhook Notification(#301)","_id":%[1]d,"_model":"calendar.event","id":%[1]d,`+
		`"partner_ids":[%[2]d],"user_id":%[3]d,"write_date":"2026-11-25 10:00:00.%06[4]d"}`,
		1_000_000+p.nightpos, member.PartnerID, member.UserID, p.nightpos%1_000_000)
}

// acknowledge posts to the bare handler and to both routes of the gateway, turn
// by turn. The bare handler gets the same
// posts as the Graph route.
func acknowledge(t testing.TB, w *world, redisURL string, by load) acknowledgement {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer serve(t, listener, bareHandler(driver(t, redisURL)))()
	made := newPosts(t, w)
	floor := newPosts(t, w)
	bare := func(target *vegeta.Target) {
		floor.toGraph(target)
		target.URL = "http://" + listener.Addr().String()
	}
	measured := acknowledgement{floor: newLatencies(), graph: newLatencies(), nightpos: newLatencies()}
	for range by.turns {
		if !by.overload {
			attack(t, by, bare, measured.floor)
		}
		attack(t, by, made.toGraph, measured.graph)
		attack(t, by, made.toNightPOS, measured.nightpos)
	}
	return measured
}

// attack posts for one turn.
func attack(t testing.TB, by load, next poster, into *latencies) {
	t.Helper()
	options := []func(*vegeta.Attacker){vegeta.Timeout(10 * time.Second), vegeta.KeepAlive(true), vegeta.HTTP2(false)}
	if by.rate == 0 {
		options = append(options, vegeta.Workers(uint64(by.connections)), vegeta.MaxWorkers(uint64(by.connections)), vegeta.Connections(by.connections))
	}
	attacker := vegeta.NewAttacker(options...)
	header := http.Header{"Content-Type": {"application/json"}}
	var mutex sync.Mutex
	targeter := func(target *vegeta.Target) error {
		mutex.Lock()
		defer mutex.Unlock()
		target.Method, target.Header = http.MethodPost, header
		next(target)
		return nil
	}
	began := time.Now()
	for result := range attacker.Attack(targeter, vegeta.Rate{Freq: by.rate, Per: time.Second}, by.turn, by.name) {
		if result.Code == http.StatusAccepted {
			into.add(result.Latency)
			continue
		}
		into.refused++
		if !by.overload && into.refused == 1 {
			t.Errorf("%s: got status %d (%s), want 202", by.name, result.Code, result.Error)
		}
	}
	into.spent += time.Since(began)
}

// arrived says how many hints the store holds for all members: waiting, or in
// the hands of a worker.
func arrived(t testing.TB, w *world) int {
	t.Helper()
	total := 0
	for _, member := range w.members {
		pending, err := w.gateway.Store().Pending(t.Context(), member.ID, time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		total += pending
	}
	return total
}

// TestAcknowledgement posts a few webhooks while both calendars keep the workers
// waiting: all are acknowledged, and all are in the store.
func TestAcknowledgement(t *testing.T) {
	t.Parallel()
	url := startRedis(t)
	w := newWorld(t, wishes{people: 3, redisURL: url})
	defer w.close()
	defer w.hold()()
	// Each lane has its sweep; see hold.
	before := arrived(t, w)
	measured := acknowledge(t, w, url, load{name: "few", rate: 500, turn: 40 * time.Millisecond, turns: 2})
	posted := measured.graph.count() + measured.nightpos.count()
	if posted == 0 || measured.floor.count() == 0 {
		t.Errorf("webhooks acknowledged: got %d by the gateway and %d by the bare handler, want some by each", posted, measured.floor.count())
	}
	if got := arrived(t, w) - before; got != posted {
		t.Errorf("hints in the store: got %d, want as many as were acknowledged: %d", got, posted)
	}
}
