package weeks_test

import (
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	simnightpos "github.com/nightpos/outlook-gateway/test/sim/nightpos"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// sky is what the weather is like.
type sky int

const (
	fair   sky = iota
	storm      // calls and webhooks fail, are answered and lost, come late or twice
	silent     // NightPOS's webhooks are lost, as when the gateway cannot be reached
)

// weather decides the fate of calls. Its methods are called concurrently.
type weather struct {
	mutex  sync.Mutex
	random *rand.Rand
	sky    sky
	lost   bool
}

func newWeather(seed uint64) *weather {
	return &weather{random: rand.New(rand.NewPCG(seed, 2))}
}

func (w *weather) turn(to sky) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.sky = to
}

// unheard says whether a webhook was lost since the last call.
func (w *weather) unheard() bool {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	lost := w.lost
	w.lost = false
	return lost
}

// graph is the fate of a call to Microsoft. Sign-in and subscriptions fail like
// the rest.
func (w *weather) graph(simoutlook.CallInfo) *simoutlook.Fault {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.sky != storm {
		return nil
	}
	late := time.Duration(w.random.IntN(400)) * time.Millisecond
	switch w.random.IntN(12) {
	case 0:
		return &simoutlook.Fault{Status: http.StatusTooManyRequests, RetryAfter: time.Duration(1+w.random.IntN(20)) * time.Second}
	case 1:
		return &simoutlook.Fault{Status: http.StatusServiceUnavailable, Delay: late}
	case 2:
		return &simoutlook.Fault{Status: http.StatusGatewayTimeout, AfterCommit: true, Delay: late}
	case 3:
		return &simoutlook.Fault{Drop: true, AfterCommit: true}
	case 4, 5:
		return &simoutlook.Fault{Delay: late}
	}
	return nil
}

// call is the fate of a call to NightPOS. What people do themselves is at most
// rolled back, after its webhooks have left: they see an error and know that
// nothing happened.
func (w *weather) call(model, _ string) simnightpos.CallFate {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.sky != storm {
		return simnightpos.CallFate{}
	}
	fate := w.random.IntN(12)
	switch byPerson := strings.HasPrefix(model, "calendar."); {
	case fate == 0 && !byPerson:
		return simnightpos.CallFate{Status: http.StatusBadGateway}
	case fate == 1 && !byPerson:
		return simnightpos.CallFate{Drop: true}
	case fate == 2:
		return simnightpos.CallFate{Rollback: true}
	}
	return simnightpos.CallFate{}
}

// webhook is the fate of a webhook from NightPOS.
func (w *weather) webhook(string, []byte) simnightpos.WebhookFate {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	fate := simnightpos.WebhookFate{}
	switch w.sky {
	case silent:
		fate.Drop = true
	case storm:
		switch w.random.IntN(10) {
		case 0:
			fate.Drop = true
		case 1:
			fate.Duplicates = 1 + w.random.IntN(3)
		case 2:
			fate.Delay = time.Duration(w.random.IntN(700)) * time.Millisecond
		}
	}
	w.lost = w.lost || fate.Drop
	return fate
}
