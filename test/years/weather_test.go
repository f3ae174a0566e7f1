package years_test

import (
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// outage is what is out of order.
type outage int

const (
	nothing   outage = iota
	graph            // Graph answers 503
	microsoft        // neither side reaches the other
	deafness         // Microsoft does not reach the gateway: nothing is delivered, nothing validated
	nightpos         // NightPOS answers 502
	stalled          // NightPOS takes calls and never answers
	off              // no gateway runs
	secret           // the application's secret is not the gateway's any more
	outages
)

func (o outage) String() string {
	return []string{"nothing", "Graph", "Microsoft", "the way from Microsoft", "NightPOS", "NightPOS stalled", "the gateway", "the client secret"}[o]
}

// weather decides the fate of calls. Its methods are called concurrently.
type weather struct {
	transport *http.Transport
	mutex     sync.Mutex
	random    *rand.Rand
	// out is what is out, until when, and since when it has been in order.
	out    outage
	until  time.Time
	fair   time.Time
	last   outage // the one that ended then
	calm   bool   // nothing fails at all
	counts map[string]int
}

func newWeather(seed uint64, transport *http.Transport) *weather {
	return &weather{random: rand.New(rand.NewPCG(seed, 2)), transport: transport, fair: time.Now(), counts: map[string]int{}}
}

// length is of minutes to a day, short ones more often.
func (w *weather) length() time.Duration {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	least, most := math.Log(5), math.Log(24*60)
	return time.Duration(math.Exp(least+w.random.Float64()*(most-least)) * float64(time.Minute))
}

func (w *weather) turn(to outage) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.last, w.out = w.out, to
	if to == nothing {
		w.fair = time.Now()
	} else {
		w.counts[to.String()]++
	}
}

// still says whether nothing fails at all.
func (w *weather) still(calm bool) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.calm = calm
}

func (w *weather) is(these ...outage) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	for _, one := range these {
		if w.out == one {
			return true
		}
	}
	return false
}

// strikes says whether one of the small misfortunes of every day happens.
func (w *weather) strikes(name string, probability float64) bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.calm || w.random.Float64() >= probability {
		return false
	}
	w.counts[name]++
	return true
}

func (w *weather) graph(simoutlook.CallInfo) *simoutlook.Fault {
	switch {
	case w.is(graph):
		return &simoutlook.Fault{Status: http.StatusServiceUnavailable}
	case w.strikes("calls throttled", 0.004):
		return &simoutlook.Fault{Status: http.StatusTooManyRequests, RetryAfter: 20 * time.Second}
	case w.strikes("calls unavailable", 0.004):
		return &simoutlook.Fault{Status: http.StatusServiceUnavailable}
	case w.strikes("answers lost", 0.002):
		return &simoutlook.Fault{Drop: true, AfterCommit: true}
	}
	return nil
}

// call is the fate of a call to NightPOS. People go on working while its API is
// out.
func (w *weather) call(model, _ string) simnightpos.CallFate {
	if strings.HasPrefix(model, "calendar.") {
		return simnightpos.CallFate{}
	}
	if w.is(nightpos) || w.strikes("NightPOS's errors", 0.004) {
		return simnightpos.CallFate{Status: http.StatusBadGateway}
	}
	return simnightpos.CallFate{}
}

func (w *weather) webhook(string, []byte) simnightpos.WebhookFate {
	return simnightpos.WebhookFate{Drop: w.strikes("webhooks lost", 0.01)}
}

var errOut = errors.New("no route to host")

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }

// fromGateway carries the gateway's calls.
func (w *weather) fromGateway() http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		switch {
		case request.URL.Host == "outlook.sim" && w.is(microsoft):
			return nil, errOut
		case request.URL.Host == "nightpos.sim" && w.is(stalled):
			<-request.Context().Done()
			return nil, request.Context().Err()
		}
		return w.transport.RoundTrip(request)
	})
}

// fromMicrosoft carries notifications, and loses some for good.
func (w *weather) fromMicrosoft() http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		if w.is(microsoft, deafness) {
			return nil, errOut
		}
		if request.URL.Path == "/webhooks/graph" && request.URL.RawQuery == "" && w.strikes("notifications lost", 0.01) {
			return &http.Response{StatusCode: http.StatusAccepted, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), Request: request}, nil
		}
		return w.transport.RoundTrip(request)
	})
}
