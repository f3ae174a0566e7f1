package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Session is who is signed in to NightPOS at a browser.
type Session struct {
	UserID      int64
	Login, Name string
	// System says that the person may change NightPOS's settings.
	System bool
	// Zone is the IANA name of the person's own time zone, empty if unknown.
	Zone string
}

const (
	// sessionsAtOnce is apart from the calls that keep calendars in step:
	// strangers with made-up cookies must not stand in their way.
	sessionsAtOnce = 2
	maxSession     = 256
)

func (c *Client) sessionInfo(ctx context.Context, cookie string) (json.RawMessage, error) {
	select {
	case c.sessions <- struct{}{}:
		defer func() { <-c.sessions }()
	case <-ctx.Done():
		return nil, &reconciler.RetryError{Cause: "nightpos_busy", Err: ctx.Err()}
	}
	return c.browser.post(context.WithValue(ctx, repeatable{}, true), "session", "/web/session/get_session_info", cookie, map[string]any{})
}

// Session asks NightPOS whose session a cookie named session_id is. The error
// wraps ErrNoSession when it is nobody's. The cookie goes to NightPOS and nowhere
// else.
func (c *Client) Session(ctx context.Context, cookie string) (Session, error) {
	if cookie == "" || len(cookie) > maxSession {
		return Session{}, ErrNoSession
	}
	began := c.config.Now()
	ctx, cancel := context.WithTimeout(ctx, c.config.Timeout)
	defer cancel()
	answer, err := c.sessionInfo(ctx, cookie)
	observed := err
	if errors.Is(err, ErrNoSession) {
		observed = nil // an answer, not a failure
	}
	c.config.Observe("session", c.config.Now().Sub(began), observed)
	if err != nil {
		return Session{}, fmt.Errorf("asking NightPOS who is at the browser: %w", err)
	}
	var told struct {
		// A session may be signed out, or of another database of the same server.
		UserID   any    `json:"uid"`
		Database string `json:"db"`
		System   bool   `json:"is_system"`
		Username string `json:"username"`
		Name     string `json:"name"`
		Context  struct {
			// The zone is false where the person has chosen none.
			Zone any `json:"tz"`
		} `json:"user_context"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return Session{}, errors.New("NightPOS told something else than a session")
	}
	uid, ok := told.UserID.(float64)
	if !ok || uid <= 0 || told.Database != c.config.Database {
		return Session{}, ErrNoSession
	}
	zone, _ := told.Context.Zone.(string)
	return Session{UserID: int64(uid), Login: told.Username, Name: told.Name, System: told.System, Zone: zone}, nil
}
