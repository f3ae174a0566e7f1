package service

import (
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/outlook"
)

// expiry counts down to the end of what the application shows to Microsoft: then
// nobody's token can be renewed any more, everybody's at once.
type expiry struct {
	what string
	at   time.Time
	now  func() time.Time
	log  *zap.Logger
}

// expiryWarnings are how many days before the end the log warns.
var expiryWarnings = []int{60, 30, 7, 1, 0}

const oneDay = 24 * time.Hour

// expiryOf knows the end of the certificate, or that of the secret if it was
// told; nil otherwise.
func expiryOf(config Config, certificate *outlook.Certificate) *expiry {
	e := &expiry{now: config.Now, log: config.Log}
	switch settings := config.Settings; {
	case certificate != nil:
		e.what, e.at = "the application's certificate", certificate.Expires
	case !settings.MicrosoftClientSecretExpires.IsZero():
		e.what, e.at = "the client secret", settings.MicrosoftClientSecretExpires
	default:
		return nil
	}
	return e
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

// seconds is what is left, negative afterwards.
func (e *expiry) seconds() float64 { return e.at.Sub(e.now()).Seconds() }

// level is how many warnings are due.
func (e *expiry) level() int {
	left := e.at.Sub(e.now())
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
	for {
		if level := e.level(); level > told {
			told = level
			say := e.log.Warn
			if level == len(expiryWarnings) {
				say = e.log.Error
			}
			say(e.text(), zap.Time("expires", e.at), zap.Int("days_left", int(e.at.Sub(e.now())/oneDay)))
		}
		pause := oneDay
		if told < len(expiryWarnings) {
			pause = min(pause, e.at.Add(-time.Duration(expiryWarnings[told])*oneDay).Sub(e.now()))
		}
		timer := time.NewTimer(max(pause, time.Second))
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

func (e *expiry) text() string {
	const then = "make a new one in Entra and set it here before that, or no calendar can be reached any more"
	left := e.at.Sub(e.now())
	switch {
	case left <= 0:
		return e.what + " has expired on " + e.at.Format(time.DateOnly) + ": make a new one in Entra and set it here; nobody has to connect again"
	case left <= oneDay:
		return e.what + " expires within a day: " + then
	}
	return fmt.Sprintf("%s expires on %s, in %d days: %s", e.what, e.at.Format(time.DateOnly), int(left/oneDay), then)
}

// state is a warning from the first one on.
func (e *expiry) state() error {
	if e == nil || e.level() == 0 {
		return nil
	}
	return &gateway.Warning{Text: e.text()}
}
