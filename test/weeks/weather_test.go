package weeks_test

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
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

// trouble is what goes wrong in a storm besides.
type trouble string

const (
	noTrouble trouble = "nothing more"
	// To the calls:
	oddAnswers  trouble = "Graph answers with odd errors"
	slowCalls   trouble = "some calls to Graph take a minute"
	endedAccess trouble = "the tokens at hand have ended"
	// At Microsoft:
	forgottenTokens      trouble = "Graph forgets how far it told"
	removedSubscriptions trouble = "Graph removes the subscriptions"
	lostNotifications    trouble = "Graph's notifications are lost"
	// To the calls to NightPOS:
	oddProxy trouble = "what stands before NightPOS answers with odd errors"
	// To the store:
	storeDown        trouble = "the store is down"
	storeSlow        trouble = "the store is slow"
	forgottenScripts trouble = "the store forgets its scripts"
	failedOver       trouble = "another store takes over, without the last second"
	// To the gateway:
	killedReplica trouble = "a replica is killed"
	frozenReplica trouble = "a replica is stopped for longer than a lease"
	moved         trouble = "the gateway starts anew at another address"
	rekeyed       trouble = "the gateway starts anew with another key"
)

// troubles are those that a storm brings, one at a time.
var troubles = []trouble{
	noTrouble, noTrouble, oddAnswers, slowCalls, endedAccess, forgottenTokens, removedSubscriptions, lostNotifications,
	oddProxy, storeDown, storeSlow, forgottenScripts, failedOver, killedReplica, killedReplica, frozenReplica, moved, rekeyed,
}

// troubleNamed is one of them; a name that none has is a slip.
func troubleNamed(name string) trouble {
	if !slices.Contains(troubles, trouble(name)) {
		panic(fmt.Sprintf("no trouble is called %q; there are %q", name, troubles))
	}
	return trouble(name)
}

// oddStatuses are answers of Graph that are not those of a busy server, and that are
// not true: what it refuses may be done, and what it does not find is there.
var oddStatuses = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusConflict,
	http.StatusGone, http.StatusPreconditionFailed, http.StatusInternalServerError,
}

// oddProxyStatuses are what a proxy, a firewall or a maintenance page say in
// NightPOS's place. A call was not carried out then.
var oddProxyStatuses = []int{
	http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound, http.StatusTooManyRequests,
	http.StatusInternalServerError, http.StatusServiceUnavailable, http.StatusGatewayTimeout,
}

// weather decides the fate of calls. Its methods are called concurrently.
type weather struct {
	mutex  sync.Mutex
	random *rand.Rand
	sky    sky
	// odd is how many odd answers may be given yet, slow how many calls may take a
	// minute, and astray how many calls to NightPOS do not get there.
	odd, slow, astray int
	lost              bool
}

func newWeather(seed uint64) *weather {
	return &weather{random: rand.New(rand.NewPCG(seed, 2))}
}

func (w *weather) turn(to sky) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.sky, w.odd, w.slow, w.astray = to, 0, 0, 0
}

// beset has a few calls answered oddly, or slowly, or by what stands before NightPOS.
func (w *weather) beset(odd, slow, astray int) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.odd, w.slow, w.astray = odd, slow, astray
}

// deafen says that webhooks are being lost.
func (w *weather) deafen() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.lost = true
}

// minute is a minute now and then. NightPOS is not slow like that: what it carries
// out after the gateway has given up on it is another trouble, which no recording
// shows the outcome of.
func (w *weather) minute() time.Duration {
	if w.slow == 0 || w.random.IntN(4) > 0 {
		return 0
	}
	w.slow--
	return time.Minute
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
func (w *weather) graph(call simoutlook.CallInfo) *simoutlook.Fault {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	if w.sky != storm {
		return nil
	}
	if w.odd > 0 && w.random.IntN(3) == 0 {
		status := oddStatuses[w.random.IntN(len(oddStatuses))]
		// That is what Graph says of a delta link alone.
		if status != http.StatusGone || strings.HasSuffix(call.Path, "/delta") {
			w.odd--
			return &simoutlook.Fault{Status: status}
		}
	}
	if late := w.minute(); late > 0 {
		return &simoutlook.Fault{Delay: late}
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
	byPerson := strings.HasPrefix(model, "calendar.")
	if w.astray > 0 && !byPerson && w.random.IntN(3) == 0 {
		w.astray--
		return simnightpos.CallFate{Status: oddProxyStatuses[w.random.IntN(len(oddProxyStatuses))]}
	}
	fate := w.random.IntN(12)
	switch {
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
