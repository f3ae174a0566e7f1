package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"
)

// maximumAnswer bounds what NightPOS may answer.
const maximumAnswer = 16 << 20

// account is a member signed in to NightPOS.
type account struct {
	Member
	user, partner int
}

// nightposCalls speaks NightPOS's JSON-RPC with the passwords of people.
type nightposCalls struct {
	url, database string
	client        *http.Client

	mutex    sync.Mutex
	accounts map[string]account // by login
}

func newNightPOSCalls(url, database string, transport http.RoundTripper) *nightposCalls {
	return &nightposCalls{
		url: url, database: database, accounts: map[string]account{},
		client: &http.Client{Transport: transport, Timeout: 30 * time.Second},
	}
}

// call runs a method as one person; into may be nil.
func (c *nightposCalls) call(ctx context.Context, as account, into any, model, method string, arguments []any, keywords map[string]any) error {
	if keywords == nil {
		keywords = map[string]any{}
	}
	return c.ask(ctx, into, "object", "execute_kw", c.database, as.user, as.Password, model, method, arguments, keywords)
}

func (c *nightposCalls) ask(ctx context.Context, into any, service, method string, arguments ...any) error {
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": 1,
		"params": map[string]any{"service": service, "method": method, "args": arguments},
	})
	if err != nil {
		return fmt.Errorf("asking NightPOS: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url+"/jsonrpc", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("asking NightPOS: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.client.Do(request)
	if err != nil {
		return fmt.Errorf("asking NightPOS: %w", err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(io.LimitReader(response.Body, maximumAnswer))
	if err != nil {
		return fmt.Errorf("reading NightPOS's answer: %w", err)
	}
	var answer struct {
		Result json.RawMessage `json:"result"`
		Error  *struct {
			Message string `json:"message"`
			Data    struct {
				Name    string `json:"name"`
				Message string `json:"message"`
			} `json:"data"`
		} `json:"error"`
	}
	if err := json.Unmarshal(content, &answer); err != nil {
		return fmt.Errorf("NightPOS answered %s with something that is not JSON: %w", response.Status, err)
	}
	if failed := answer.Error; failed != nil {
		if strings.HasSuffix(failed.Data.Name, ".MissingError") {
			return ErrGone
		}
		if failed.Data.Message != "" {
			return errors.New(failed.Data.Message)
		}
		return errors.New(failed.Message)
	}
	if into == nil || len(answer.Result) == 0 {
		return nil
	}
	if err := json.Unmarshal(answer.Result, into); err != nil {
		return fmt.Errorf("NightPOS answered %s.%s in an unknown shape: %w", service, method, err)
	}
	return nil
}

// signIn finds out who a member is in NightPOS, once.
func (c *nightposCalls) signIn(ctx context.Context, member Member) (account, error) {
	c.mutex.Lock()
	known, found := c.accounts[member.Login]
	c.mutex.Unlock()
	if found {
		return known, nil
	}
	as := account{Member: member}
	var user any // false for a wrong password
	if err := c.ask(ctx, &user, "common", "authenticate", c.database, member.Login, member.Password, map[string]any{}); err != nil {
		return account{}, err
	}
	number, ok := user.(float64)
	if !ok {
		return account{}, fmt.Errorf("NightPOS does not let %s in", member.Login)
	}
	as.user = int(number)
	var rows []struct {
		Partner reference `json:"partner_id"`
	}
	if err := c.call(ctx, as, &rows, "res.users", "read", []any{[]int{as.user}, []string{"partner_id"}}, nil); err != nil {
		return account{}, err
	}
	if len(rows) != 1 {
		return account{}, fmt.Errorf("NightPOS does not show %s's own user", member.Login)
	}
	as.partner = rows[0].Partner.id
	c.mutex.Lock()
	defer c.mutex.Unlock()
	c.accounts[member.Login] = as
	return as, nil
}

// reference is a many2one: [id, "name"], or false.
type reference struct {
	id   int
	name string
}

// UnmarshalJSON implements json.Unmarshaler.
func (r *reference) UnmarshalJSON(content []byte) error {
	if string(content) == "false" {
		return nil
	}
	return json.Unmarshal(content, &[]any{&r.id, &r.name})
}

// words is a text that is false when empty.
type words string

// UnmarshalJSON implements json.Unmarshaler.
func (w *words) UnmarshalJSON(content []byte) error {
	if string(content) == "false" {
		return nil
	}
	return json.Unmarshal(content, (*string)(w))
}
