package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Session is who is signed in to NightPOS at a browser.
type Session struct {
	UserID      int64
	Login, Name string
	// System says that the person may change NightPOS's settings.
	System bool
}

// Session asks NightPOS whose session a cookie named session_id is. The error
// wraps ErrNoSession when it is nobody's. The cookie goes to NightPOS and nowhere
// else.
func (c *Client) Session(ctx context.Context, cookie string) (Session, error) {
	var answer json.RawMessage
	err := c.turn(ctx, "session", func(ctx context.Context) (err error) {
		answer, err = c.browser.post(context.WithValue(ctx, repeatable{}, true), "session", "/web/session/get_session_info", cookie, map[string]any{})
		return err
	})
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
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return Session{}, errors.New("NightPOS told something else than a session")
	}
	uid, ok := told.UserID.(float64)
	if !ok || uid <= 0 || told.Database != c.config.Database {
		return Session{}, ErrNoSession
	}
	return Session{UserID: int64(uid), Login: told.Username, Name: told.Name, System: told.System}, nil
}
