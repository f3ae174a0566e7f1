package nightpos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// answerLimit bounds what is read of one answer. The largest legitimate ones
// are batches of events with long descriptions.
const answerLimit = 64 << 20

// jsonRPC speaks POST /jsonrpc, the protocol of NightPOS 17 to 19.
type jsonRPC struct {
	url, database, login, key string
	now                       func() time.Time
	http                      *retryablehttp.Client
	serial                    atomic.Int64
}

// repeatable marks the context of calls that retryablehttp may send again; it
// repeats POSTs without asking, which a plain create would not survive.
type repeatable struct{}

// retryWait is the longest pause before a call is sent again by itself.
const retryWait = 2 * time.Second

// newHTTP makes what carries the calls of either protocol.
func newHTTP(config Config) *retryablehttp.Client {
	client := retryablehttp.NewClient()
	client.HTTPClient = &http.Client{
		Transport: config.HTTP,
		// An API has no reason to send us elsewhere, least of all with our key.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	client.Logger = nil
	client.RetryMax = max(config.Retries, 0)
	client.RetryWaitMin, client.RetryWaitMax = 200*time.Millisecond, retryWait
	client.ErrorHandler = retryablehttp.PassthroughErrorHandler
	client.CheckRetry = func(ctx context.Context, answer *http.Response, err error) (bool, error) {
		if cause := ctx.Err(); cause != nil {
			return false, cause
		}
		if ctx.Value(repeatable{}) == nil {
			return false, nil
		}
		if err != nil {
			return true, nil //nolint:nilerr // the error that is not nil says to try again
		}
		switch answer.StatusCode {
		case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
			// A long pause is for the lanes to make: here it would hold one of the
			// few places of all others.
			return retryAfter(answer.Header.Get("Retry-After"), config.Now()) <= retryWait, nil
		}
		return false, nil
	}
	return client
}

func newJSONRPC(config Config, client *retryablehttp.Client) *jsonRPC {
	return &jsonRPC{
		url: config.URL, database: config.Database, login: config.Login, key: config.APIKey,
		now: config.Now, http: client,
	}
}

// rpcAnswer is the frame of every answer. Error.Code says nothing: it is 200 in
// version 17 and 18 and 0 in 19.
type rpcAnswer struct {
	Result json.RawMessage `json:"result"`
	Error  *struct {
		Code int `json:"code"`
		Data struct {
			Name    string `json:"name"`
			Message string `json:"message"`
		} `json:"data"`
	} `json:"error"`
}

func (r *jsonRPC) version(ctx context.Context) (Version, error) {
	answer, err := r.post(context.WithValue(ctx, repeatable{}, true), "version", "/jsonrpc", "", map[string]any{
		"service": "common", "method": "version", "args": []any{},
	})
	if err != nil {
		return Version{}, err
	}
	var told struct {
		Name string `json:"server_version"`
		Info []any  `json:"server_version_info"`
	}
	if err := json.Unmarshal(answer, &told); err != nil {
		return Version{}, errors.New("NightPOS did not tell its version")
	}
	return versionOf(told.Name, told.Info)
}

// versionOf reads a version: a number, or a text such as "saas~18" on hosted
// servers, comes first.
func versionOf(name string, info []any) (Version, error) {
	version := Version{Name: name}
	if len(info) == 0 {
		return Version{}, errors.New("NightPOS did not tell its version")
	}
	var err error
	switch first := info[0].(type) {
	case float64:
		version.Major = int(first)
	case string:
		_, err = fmt.Sscanf(strings.TrimPrefix(first, "saas~"), "%d", &version.Major)
	}
	if err != nil || version.Major == 0 {
		return Version{}, errors.New("NightPOS told a version without a number")
	}
	return version, nil
}

func (r *jsonRPC) authenticate(ctx context.Context) (int64, error) {
	answer, err := r.post(context.WithValue(ctx, repeatable{}, true), "authenticate", "/jsonrpc", "", map[string]any{
		"service": "common", "method": "authenticate", "args": []any{r.database, r.login, r.key, map[string]any{}},
	})
	if err != nil {
		return 0, err
	}
	// A wrong login or key is no error here: the answer is false.
	var uid int64
	if err := json.Unmarshal(answer, &uid); err != nil || uid <= 0 {
		return 0, ErrDenied
	}
	return uid, nil
}

func (r *jsonRPC) call(ctx context.Context, uid int64, request request) (json.RawMessage, error) {
	if request.repeatable {
		ctx = context.WithValue(ctx, repeatable{}, true)
	}
	arguments, named := request.arguments, request.named
	if arguments == nil {
		arguments = []any{}
	}
	if named == nil {
		named = map[string]any{}
	}
	return r.post(ctx, request.model+"."+request.method, "/jsonrpc", "", map[string]any{
		"service": "object", "method": "execute_kw",
		"args": []any{r.database, uid, r.key, request.model, request.method, arguments, named},
	})
}

// post sends one call and opens its answer. A method that returns None answers
// with neither result nor error, which counts as null.
func (r *jsonRPC) post(ctx context.Context, name, path, cookie string, parameters map[string]any) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]any{
		"jsonrpc": "2.0", "method": "call", "id": r.serial.Add(1), "params": parameters,
	})
	if err != nil {
		return nil, fmt.Errorf("writing the call of %s: %w", name, err)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, r.url+path, body)
	if err != nil {
		return nil, fmt.Errorf("preparing the call of %s: %w", name, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if cookie != "" {
		request.AddCookie(&http.Cookie{Name: "session_id", Value: cookie})
	}
	answer, err := r.http.Do(request)
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit+1))
	if err != nil {
		return nil, unreachable(ctx, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, statusError(answer, r.now())
	}
	if len(content) > answerLimit {
		return nil, fmt.Errorf("the answer to %s is larger than %d bytes", name, answerLimit)
	}
	var opened rpcAnswer
	if err := json.Unmarshal(bytes.TrimSpace(content), &opened); err != nil {
		// A page of a proxy or a connection cut short: nothing is known.
		return nil, &reconciler.RetryError{Cause: "nightpos_unreadable", Err: fmt.Errorf("the answer to %s is not JSON", name)}
	}
	if opened.Error != nil {
		// White labels rename the package, so an expired session is also known
		// by its code.
		if opened.Error.Code == 100 {
			return nil, newCallError(name, "SessionExpiredException", opened.Error.Data.Message)
		}
		return nil, newCallError(name, opened.Error.Data.Name, opened.Error.Data.Message)
	}
	if opened.Result == nil {
		return json.RawMessage("null"), nil
	}
	return opened.Result, nil
}
