package bench_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/test/network"
)

// traffic counts what each mailbox is asked for. An access token stands for its
// mailbox: the simulator's live for a year.
type traffic struct {
	mutex    sync.Mutex
	requests map[string]int
	inFlight map[string]int
	// signedIn is how often tokens were asked for, since the start.
	signedIn int
	// most is how many calls for one mailbox there have been at once: a batch is as
	// many as Graph carries out of it at a time.
	most int
}

func (t *traffic) reset() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.requests, t.inFlight, t.most = map[string]int{}, map[string]int{}, 0
}

// watch wraps what answers for Graph.
func (t *traffic) watch(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, calls := r.Header.Get("Authorization"), callsAtOnce(r)
		t.mutex.Lock()
		if strings.HasSuffix(r.URL.Path, "/oauth2/v2.0/token") {
			t.signedIn++
		}
		t.requests[token]++
		t.inFlight[token] += calls
		t.most = max(t.most, t.inFlight[token])
		t.mutex.Unlock()
		defer func() {
			t.mutex.Lock()
			t.inFlight[token] -= calls
			t.mutex.Unlock()
		}()
		next.ServeHTTP(w, r)
	})
}

// callsAtOnce is how many calls Graph carries out at a time for a request. It leaves
// the body as it was.
func callsAtOnce(request *http.Request) int {
	if !strings.HasSuffix(request.URL.Path, "/$batch") {
		return 1
	}
	content, err := io.ReadAll(request.Body)
	request.Body = io.NopCloser(io.MultiReader(bytes.NewReader(content), failing{err}))
	var batch struct{ Requests []json.RawMessage }
	if err := json.Unmarshal(content, &batch); err != nil {
		return 1 // refused as a whole
	}
	return min(max(len(batch.Requests), 1), mostAtOnce)
}

// failing is the end of a body, which may be an error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) {
	if f.err != nil {
		return 0, f.err
	}
	return 0, io.EOF
}

func (t *traffic) signIns() int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return t.signedIn
}

// counts are how many requests each mailbox got that got any, fewest first.
func (t *traffic) counts() []int {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	var counts []int
	for _, count := range t.requests {
		counts = append(counts, count)
	}
	slices.Sort(counts)
	return counts
}

// deafness keeps the simulator's own notifications from the gateway while it is
// on; they are taken as delivered.
type deafness struct {
	on   atomic.Bool
	next http.RoundTripper
}

func (d *deafness) RoundTrip(request *http.Request) (*http.Response, error) {
	if !d.on.Load() {
		return d.next.RoundTrip(request)
	}
	if request.Body != nil {
		request.Body.Close()
	}
	return &http.Response{
		StatusCode: http.StatusAccepted, Status: "202 Accepted", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{}, Body: http.NoBody, Request: request,
	}, nil
}

// flooded is what a flood of notifications led to.
type flooded struct {
	posts int
	// acknowledged are the times until each post was answered.
	acknowledged *latencies
	// posting is how long all posts took, and drained until every change was in
	// NightPOS and nothing was left to do, both since the first post.
	posting, drained time.Duration
	// requests are how many each mailbox got, fewest first, and mostAtOnce how
	// many calls for one there were at a time, those inside of batches included.
	requests   []int
	mostAtOnce int
	// nightposReads and nightposWrites are the requests to NightPOS.
	nightposReads, nightposWrites int
}

// flood changes every event of every mailbox, with Graph silent about it, and then
// has it tell of each change that many times, in random order, from many
// connections at once. It fails unless every change arrives.
func (w *world) flood(times, connections int) flooded {
	w.t.Helper()
	w.deaf.on.Store(true)
	made := newPosts(w.t, w)
	var bodies [][]byte
	events := 0
	for number, member := range w.members {
		box := w.outlook.Mailbox(mailbox(number))
		// Applications know events by other ids than their owner.
		ids := map[string]string{}
		w.must(w.gateway.Store().AllLinks(w.t.Context(), member.ID, func(link reconciler.Link) error {
			ids[link.ICalUID] = link.GraphID
			return nil
		}))
		for index, event := range box.Events() {
			changed, err := box.Update(w.t.Context(), event["id"].(string), map[string]any{"subject": floodTitle(number, index)})
			w.must(err)
			events++
			body := made.notification(number, ids[event["iCalUId"].(string)], changed["@odata.etag"].(string))
			for range times {
				bodies = append(bodies, body)
			}
		}
	}
	for w.outlook.Delivery().Waiting > 0 {
		time.Sleep(settleStep)
	}
	w.deaf.on.Store(false)
	shuffle := rand.New(rand.NewPCG(1, 2))
	shuffle.Shuffle(len(bodies), func(i, j int) { bodies[i], bodies[j] = bodies[j], bodies[i] })
	before := w.cost()
	w.traffic.reset()
	result := flooded{posts: len(bodies), acknowledged: newLatencies()}
	began := time.Now()
	w.post(bodies, connections, result.acknowledged)
	result.posting = time.Since(began)
	w.settle()
	// Settling looks for a while at what is quiet already.
	result.drained = time.Since(began)
	result.requests = w.traffic.counts()
	w.traffic.mutex.Lock()
	result.mostAtOnce = w.traffic.most
	w.traffic.mutex.Unlock()
	spent := w.cost().minus(before)
	result.nightposReads, result.nightposWrites = spent.nightposReads, spent.nightposWrites
	if spent.graphWrites != 0 {
		w.t.Errorf("a flood of changes made in Outlook: %d writes there, want none", spent.graphWrites)
	}
	arrived := map[string]bool{}
	for _, event := range w.nightpos.Events() {
		title, _ := event["name"].(string)
		arrived[title] = true
	}
	for number := range w.members {
		for index := range events / len(w.members) {
			if title := floodTitle(number, index); !arrived[title] {
				w.t.Errorf("%q has not arrived in NightPOS", title)
			}
		}
	}
	return result
}

func floodTitle(person, event int) string { return fmt.Sprintf("Flood %d of %d", event, person) }

// post posts notifications and fails unless each is acknowledged.
func (w *world) post(bodies [][]byte, connections int, into *latencies) {
	transport := w.config.Transport
	if transport == nil {
		transport = &http.Transport{MaxIdleConnsPerHost: connections}
	}
	client := &http.Client{Transport: transport, Timeout: time.Minute}
	queue := make(chan []byte)
	var group sync.WaitGroup
	for range connections {
		group.Go(func() {
			for body := range queue {
				began := time.Now()
				answer, err := client.Post(w.config.Settings.PublicURL+"/webhooks/graph", "application/json", bytes.NewReader(body))
				if err != nil {
					w.t.Errorf("a notification: %v", err)
					continue
				}
				answer.Body.Close()
				if answer.StatusCode != http.StatusAccepted {
					w.t.Errorf("a notification: got status %d, want 202", answer.StatusCode)
				}
				into.add(time.Since(began))
			}
		})
	}
	for _, body := range bodies {
		queue <- body
	}
	close(queue)
	group.Wait()
}

// TestCallsAtOnce holds that a batch weighs what Graph carries out of it at a time,
// beside whatever else is under way for that mailbox.
func TestCallsAtOnce(t *testing.T) {
	t.Parallel()
	for _, one := range []struct {
		name        string
		batched     int
		beside, own int
	}{
		{"two in a batch", 2, 0, 2},
		{"twenty in a batch", 20, 0, 4},
		{"twenty in a batch, and another call", 20, 1, 5},
		{"no batch", 0, 2, 3},
	} {
		t.Run(one.name, func(t *testing.T) {
			t.Parallel()
			watched, nested := &traffic{}, one.beside
			watched.reset()
			var handler http.Handler
			handler = watched.watch(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				content, err := io.ReadAll(r.Body)
				if err != nil || strings.HasSuffix(r.URL.Path, "/$batch") && !json.Valid(content) {
					t.Errorf("the batch arrives as %q, %v", content, err)
				}
				if nested--; nested >= 0 {
					handler.ServeHTTP(nil, httptest.NewRequest(http.MethodGet, "/v1.0/me/events", http.NoBody))
				}
			}))
			path, body := "/v1.0/me/events", ""
			if one.batched > 0 {
				path, body = "/v1.0/$batch", `{"requests":[`+strings.TrimSuffix(strings.Repeat(`{"id":"1"},`, one.batched), ",")+`]}`
			}
			handler.ServeHTTP(nil, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
			if watched.most != one.own {
				t.Errorf("calls at once: got %d, want %d", watched.most, one.own)
			}
		})
	}
}

// TestFlood has Graph tell of each change five times, all at once: what comes
// while a mailbox is being read waits for the next reading, so that two suffice
// for any number, and no mailbox is asked for much at once.
func TestFlood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, wishes{people: 10, events: 4, network: &network.Network{}, graphTime: graphTime, nightposTime: nightposTime})
		defer w.close()
		got := w.flood(5, 32)
		if got.posts != 200 || got.acknowledged.count() != 200 {
			t.Errorf("notifications: got %d posted and %d acknowledged, want 200", got.posts, got.acknowledged.count())
		}
		if len(got.requests) != 10 || got.requests[len(got.requests)-1] > 2 {
			t.Errorf("requests to each mailbox: got %v, want at most two to each of 10", got.requests)
		}
		t.Logf("calls for one mailbox at once: %d", got.mostAtOnce)
		if got.mostAtOnce > mostAtOnce {
			t.Errorf("calls for one mailbox at once: got %d, want at most %d", got.mostAtOnce, mostAtOnce)
		}
	})
}
