package service

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
)

// expiry counts down to the end of what the application shows to Microsoft: then
// nobody's token can be renewed any more, everybody's at once.
type expiry struct {
	now func() time.Time
	log *zap.Logger
	// moved wakes run when the end is another one; capacity 1.
	moved chan struct{}

	mutex sync.Mutex
	what  string
	at    time.Time
}

// expiryWarnings are how many days before the end the log warns.
var expiryWarnings = []int{60, 30, 7, 1, 0}

const oneDay = 24 * time.Hour

// expiryOf knows the end of the certificate, or that of the secret if it was
// told.
func expiryOf(config Config, certificate *outlook.Certificate) *expiry {
	e := &expiry{now: config.Now, log: config.Log, moved: make(chan struct{}, 1), what: "the client secret", at: config.Settings.MicrosoftClientSecretExpires}
	if certificate != nil {
		e.what, e.at = "the application's certificate", certificate.Expires
	}
	return e
}

// set tells another end of the secret; that of a certificate stands in it.
func (e *expiry) set(at time.Time) {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	if e.what == "the client secret" {
		e.at = at
		select {
		case e.moved <- struct{}{}:
		default:
		}
	}
}

// end is the end, the zero time when it is not known.
func (e *expiry) end() time.Time {
	e.mutex.Lock()
	defer e.mutex.Unlock()
	return e.at
}

// certificateOf reads the certificate of the settings; nil when there is none.
func certificateOf(settings gateway.Settings) (*outlook.Certificate, error) {
	if settings.MicrosoftClientCertificate == "" {
		return nil, nil
	}
	certificate, err := outlook.ParseCertificate([]byte(settings.MicrosoftClientCertificate.Reveal()))
	if err != nil {
		return nil, fmt.Errorf("MICROSOFT_CLIENT_CERTIFICATE is wrong: %w", err)
	}
	return certificate, nil
}

// seconds is what is left, negative afterwards, and not a number when the end is
// not known.
func (e *expiry) seconds() float64 {
	at := e.end()
	if at.IsZero() {
		return math.NaN()
	}
	return at.Sub(e.now()).Seconds()
}

// level is how many warnings are due.
func (e *expiry) level() int {
	at := e.end()
	if at.IsZero() {
		return 0
	}
	left := at.Sub(e.now())
	for index, days := range expiryWarnings {
		if left > time.Duration(days)*oneDay {
			return index
		}
	}
	return len(expiryWarnings)
}

// run warns once at each step, and of the latest one at the start.
func (e *expiry) run(ctx context.Context) {
	told := 0
	var end time.Time
	for {
		if at := e.end(); !at.Equal(end) {
			end, told = at, 0
		}
		if level := e.level(); level > told {
			told = level
			say := e.log.Warn
			if level == len(expiryWarnings) {
				say = e.log.Error
			}
			say(e.text(), zap.Time("expires", end), zap.Int("days_left", int(end.Sub(e.now())/oneDay)))
		}
		pause := oneDay
		if told < len(expiryWarnings) && !end.IsZero() {
			pause = min(pause, end.Add(-time.Duration(expiryWarnings[told])*oneDay).Sub(e.now()))
		}
		timer := time.NewTimer(max(pause, time.Second))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-e.moved:
			timer.Stop()
		case <-timer.C:
		}
	}
}

func (e *expiry) text() string {
	const then = "make a new one in Entra and set it here before that, or no calendar can be reached any more"
	at := e.end()
	left := at.Sub(e.now())
	switch {
	case left <= 0:
		return e.what + " has expired on " + at.Format(time.DateOnly) + ": make a new one in Entra and set it here; nobody has to connect again"
	case left <= oneDay:
		return e.what + " expires within a day: " + then
	}
	return fmt.Sprintf("%s expires on %s, in %d days: %s", e.what, at.Format(time.DateOnly), int(left/oneDay), then)
}

// state is a warning from the first one on.
func (e *expiry) state() error {
	if e.level() == 0 {
		return nil
	}
	return &gateway.Warning{Text: e.text()}
}
