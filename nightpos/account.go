package nightpos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Account is how the client is signed in.
type Account struct {
	UserID  int64
	Version Version
	// Protocol is the one that is spoken.
	Protocol string
}

// Account signs in, if need be, and tells how.
func (c *Client) Account(ctx context.Context) (Account, error) {
	signed, err := c.signIn(ctx)
	if err != nil {
		return Account{}, err
	}
	version, err := c.Version(ctx)
	if err != nil {
		return Account{}, err
	}
	account := Account{UserID: signed.uid, Version: version, Protocol: ProtocolJSONRPC}
	if signed.caller == c.callers[ProtocolJSON2] {
		account.Protocol = ProtocolJSON2
	}
	return account, nil
}

// APIKey is one of the account's keys, without its secret.
type APIKey struct {
	Name string
	// Expires is zero for never.
	Expires time.Time
}

// APIKeys lists the keys of the client's own account. Which of them is in use
// cannot be told. Version 17 knows no end of keys; there, and where the account
// may not read them, it is an error.
func (c *Client) APIKeys(ctx context.Context) ([]APIKey, error) {
	uid, err := c.UserID(ctx)
	if err != nil {
		return nil, err
	}
	answer, err := c.call(ctx, "keys", request{
		model: "res.users.apikeys", method: "search_read", repeatable: true,
		arguments: []any{[]any{[]any{"user_id", "=", uid}}, []string{"name", "expiration_date"}},
	})
	if err != nil {
		return nil, fmt.Errorf("reading the account's keys: %w", err)
	}
	var rows []struct {
		Name    text `json:"name"`
		Expires text `json:"expiration_date"`
	}
	if err := json.Unmarshal(answer, &rows); err != nil {
		return nil, fmt.Errorf("reading the account's keys: %w", err)
	}
	keys := make([]APIKey, 0, len(rows))
	for _, row := range rows {
		keys = append(keys, APIKey{Name: string(row.Name), Expires: parseStamp(row.Expires)})
	}
	return keys, nil
}

// BaseURL reads web.base.url, by which NightPOS calls itself. ErrAccess says
// that the account is no administrator's.
func (c *Client) BaseURL(ctx context.Context) (string, error) {
	answer, err := c.call(ctx, "base_url", request{
		model: "ir.config_parameter", method: "search_read", repeatable: true,
		arguments: []any{[]any{[]any{"key", "=", "web.base.url"}}, []string{"value"}},
	})
	if err != nil {
		return "", fmt.Errorf("reading web.base.url: %w", err)
	}
	var rows []struct {
		Value text `json:"value"`
	}
	if err := json.Unmarshal(answer, &rows); err != nil || len(rows) == 0 {
		return "", errors.New("NightPOS has no web.base.url")
	}
	return string(rows[0].Value), nil
}

// PasswordSession signs in as a browser does, which passwords can and keys
// cannot, signs out again, and returns web.base.url. ErrDenied says that what
// the client signs in with is a key.
func (c *Client) PasswordSession(ctx context.Context) (string, error) {
	var baseURL string
	err := c.turn(ctx, "password_session", 0, func(ctx context.Context) error {
		var told struct {
			BaseURL string `json:"web.base.url"`
		}
		cookies, err := c.post(ctx, "/web/session/authenticate", nil, map[string]any{
			"db": c.config.Database, "login": c.config.Login, "password": c.config.APIKey,
		}, &told)
		if err != nil {
			return err
		}
		baseURL = told.BaseURL
		// A session that stays behind ends by itself.
		_, _ = c.post(ctx, "/web/session/destroy", cookies, map[string]any{}, nil)
		return nil
	})
	return baseURL, err
}

// sessionAnswer bounds what is read of the answer about a session.
const sessionAnswer = 1 << 20

// post makes one JSON-RPC call of the web client's, and returns the cookies of
// the answer.
func (c *Client) post(ctx context.Context, path string, cookies []*http.Cookie, parameters map[string]any, into any) ([]*http.Cookie, error) {
	body, err := json.Marshal(map[string]any{"jsonrpc": "2.0", "method": "call", "params": parameters})
	if err != nil {
		return nil, fmt.Errorf("writing the call of %s: %w", path, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.config.URL+path, strings.NewReader(string(body)))
	if err != nil {
		return nil, fmt.Errorf("preparing the call of %s: %w", path, err)
	}
	request.Header.Set("Content-Type", "application/json")
	for _, cookie := range cookies {
		request.AddCookie(cookie)
	}
	answer, err := c.config.HTTP.RoundTrip(request)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	defer answer.Body.Close()
	var told rpcAnswer
	if answer.StatusCode != http.StatusOK {
		return nil, statusError(answer, c.config.Now())
	}
	if err := json.NewDecoder(io.LimitReader(answer.Body, sessionAnswer)).Decode(&told); err != nil {
		return nil, &reconciler.RetryError{Cause: "nightpos_unreadable", Err: fmt.Errorf("the answer to %s is not JSON", path)}
	}
	if told.Error != nil {
		return nil, newCallError(path, told.Error.Data.Name, told.Error.Data.Message)
	}
	if into != nil {
		if err := json.Unmarshal(told.Result, into); err != nil {
			return nil, fmt.Errorf("reading the answer to %s: %w", path, err)
		}
	}
	return answer.Cookies(), nil
}

// Users lists the people who may sign in, in the order of their ids, at most
// limit of them.
func (c *Client) Users(ctx context.Context, limit int) ([]reconciler.Member, error) {
	answer, err := c.call(ctx, "find_users", request{
		model: "res.users", method: "search_read", repeatable: true,
		arguments: []any{[]any{[]any{"share", "=", false}}, []string{"login", "name", "email", "partner_id", "tz"}},
		named:     map[string]any{"order": "id", "limit": limit},
	})
	if err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	var rows []userRow
	if err := json.Unmarshal(answer, &rows); err != nil {
		return nil, fmt.Errorf("reading users: %w", err)
	}
	members := make([]reconciler.Member, len(rows))
	for index, row := range rows {
		members[index] = row.member()
	}
	return members, nil
}

// touchName is the title of the event that Touch makes, for the second that it
// exists.
const touchName = namePrefix + "test of the webhooks"

// Touch makes an event without anybody in it, long ago, and deletes it again, so
// that NightPOS has something to tell its webhooks: of the deletion, and of the
// event itself if this account is not the gateway's own. It mails nobody.
func (c *Client) Touch(ctx context.Context) error {
	signed, err := c.signIn(ctx)
	if err != nil {
		return err
	}
	_, err = c.call(ctx, "touch", request{model: "calendar.event", method: "create", named: map[string]any{"context": quiet()}, arguments: []any{values{
		"name": touchName, "start": "2001-01-01 00:00:00", "stop": "2001-01-01 00:30:00", "privacy": "private", "show_as": "free",
		"user_id": signed.uid, "partner_ids": []any{[]any{6, 0, []int64{}}},
	}}})
	if err != nil {
		return fmt.Errorf("making an event for a moment: %w", err)
	}
	// What a run before this one may have left behind goes too.
	answer, err := c.call(ctx, "touch", request{
		model: "calendar.event", method: "search", repeatable: true, named: map[string]any{"context": quiet()},
		arguments: []any{[]any{[]any{"name", "=", touchName}, []any{"user_id", "=", signed.uid}}},
	})
	var ids []int64
	if err == nil {
		err = json.Unmarshal(answer, &ids)
	}
	if err == nil {
		_, err = c.call(ctx, "touch", request{model: "calendar.event", method: "unlink", named: map[string]any{"context": quiet()}, arguments: []any{ids}})
	}
	if err != nil {
		return fmt.Errorf("deleting an event again that was made for a moment, %q of 2001-01-01: %w", touchName, err)
	}
	return nil
}
