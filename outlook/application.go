package outlook

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// application remembers whether Microsoft accepts the gateway's own
// registration. That it does not is one alarm, however many people's tokens meet
// it, and nobody's connection is lost for it.
type application struct {
	now func() time.Time
	log *zap.Logger

	mutex   sync.Mutex
	refused *SignInError
	since   time.Time
	// lanes are those that met it, and when last.
	lanes map[string]time.Time
	// everyone: it is about the registration itself, so that asking for others is
	// of no use before until.
	everyone bool
	until    time.Time
	tries    int
}

const (
	applicationPause = 30 * time.Second
	applicationLong  = 10 * time.Minute
	// applicationMemory is how long one lane's failure alone keeps the alarm up,
	// in case that person never comes back.
	applicationMemory = 2 * time.Hour
	applicationLanes  = 1_000
)

func newApplication(config Config) *application {
	return &application{now: config.Now, log: config.Log, lanes: map[string]time.Time{}}
}

// admit says whether a token may be asked for now. While the registration is
// refused one call in each pause finds out whether it still is.
func (a *application) admit() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	now := a.now()
	if a.refused == nil || !a.everyone {
		return nil
	}
	if left := a.until.Sub(now); left > 0 {
		return &reconciler.RetryError{After: left, Cause: "application", Err: a.refused}
	}
	a.until = now.Add(applicationPause)
	return nil
}

// changed forgets what was known of another registration.
func (a *application) changed() {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.refused, a.everyone, a.tries = nil, false, 0
	clear(a.lanes)
}

// settled takes note of how a call to the sign-in service ended; lane is empty for
// the sign-in of somebody who has none yet.
func (a *application) settled(lane string, err error) {
	var told *SignInError
	refused := errors.As(err, &told) && errors.Is(told, ErrApplication)
	if lane == "" && refused && told.Word != "invalid_client" && told.Word != "unauthorized_client" {
		return // anybody can bring a code that is no code
	}
	if err != nil && !refused && !errors.Is(err, reconciler.ErrReconnect) {
		return // it says nothing about the registration
	}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	now := a.now()
	if !refused {
		// Who is told about a person was accepted as an application.
		delete(a.lanes, lane)
		if a.refused != nil && (a.everyone || a.forget(now)) {
			a.log.Info("Microsoft accepts the application again", zap.Duration("after", now.Sub(a.since)))
			a.refused, a.everyone, a.tries = nil, false, 0
			clear(a.lanes)
		}
		return
	}
	if len(a.lanes) < applicationLanes {
		a.lanes[lane] = now
	}
	if a.refused == nil {
		a.since = now
		a.log.Error("Microsoft does not accept the application; nobody's connection is lost, and it is tried again",
			zap.String("error", told.Word), zap.Int("aadsts", told.Number), zap.String("meaning", told.Meaning()),
			zap.String("trace_id", told.TraceID), zap.String("correlation_id", told.CorrelationID))
	}
	a.refused = told
	if told.Word == "invalid_client" {
		a.everyone = true
		a.until = now.Add(min(applicationPause<<min(a.tries, 10), applicationLong))
		a.tries++
	}
}

// forget drops lanes that met the refusal long ago and says whether none is left.
func (a *application) forget(now time.Time) bool {
	for lane, at := range a.lanes {
		if now.Sub(at) > applicationMemory {
			delete(a.lanes, lane)
		}
	}
	return len(a.lanes) == 0
}

// state is nil while the registration is accepted, as far as is known.
func (a *application) state() error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.refused == nil || (!a.everyone && a.forget(a.now())) {
		return nil
	}
	return fmt.Errorf("%w since %s: %s", ErrApplication, a.since.UTC().Format(time.RFC3339), a.refused.Error())
}

// Application says whether Microsoft accepts the gateway's own registration:
// nil, or an error that wraps ErrApplication and says since when and why not. It
// makes no call.
func (c *Client) Application() error { return c.tokens.application.state() }
