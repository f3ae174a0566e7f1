package nightpos

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/hashicorp/go-retryablehttp"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// json2 speaks POST /json/2/MODEL/METHOD with a bearer key, the protocol of
// NightPOS 19 and later, and the only one from 22 on. A password does not do in
// place of a key here.
type json2 struct {
	url, database, key string
	now                func() time.Time
	http               *retryablehttp.Client
}

func newJSON2(config Config, client *retryablehttp.Client) *json2 {
	return &json2{url: config.URL, database: config.Database, key: config.APIKey, now: config.Now, http: client}
}

// parameterNames are the positional parameters of the methods that the gateway
// calls: this protocol takes named ones only.
var parameterNames = map[string][]string{
	"context_get":    {},
	"create":         {"vals_list"},
	"find_or_create": {"email"},
	"run":            {"ids"},
	"search":         {"domain"},
	"search_read":    {"domain", "fields"},
	"unlink":         {"ids"},
	"write":          {"ids", "vals"},
}

// errNoVersion says that a server has no address that tells its version, which
// means that it is older than 19.
var errNoVersion = errors.New("NightPOS tells no version there")

func (j *json2) version(ctx context.Context) (Version, error) {
	ctx = context.WithValue(ctx, repeatable{}, true)
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodGet, j.url+"/web/version", nil)
	if err != nil {
		return Version{}, fmt.Errorf("preparing the call of version: %w", err)
	}
	status, content, err := j.send(ctx, "version", request)
	if err != nil {
		return Version{}, err
	}
	var told struct {
		Name string `json:"version"`
		Info []any  `json:"version_info"`
	}
	if status != http.StatusOK || json.Unmarshal(content, &told) != nil {
		return Version{}, errNoVersion
	}
	return versionOf(told.Name, told.Info)
}

func (j *json2) authenticate(ctx context.Context) (int64, error) {
	answer, err := j.call(ctx, 0, request{model: "res.users", method: "context_get", repeatable: true})
	if err != nil {
		return 0, err
	}
	var told struct {
		UserID int64 `json:"uid"`
	}
	if err := json.Unmarshal(answer, &told); err != nil || told.UserID <= 0 {
		return 0, ErrDenied
	}
	return told.UserID, nil
}

func (j *json2) call(ctx context.Context, _ int64, call request) (json.RawMessage, error) {
	name := call.model + "." + call.method
	names, known := parameterNames[call.method]
	if !known || len(call.arguments) > len(names) {
		return nil, fmt.Errorf("calling %s: the names of its parameters are not known", name)
	}
	named := map[string]any{}
	for parameter, value := range call.named {
		named[parameter] = value
	}
	for position, value := range call.arguments {
		named[names[position]] = value
	}
	body, err := json.Marshal(named)
	if err != nil {
		return nil, fmt.Errorf("writing the call of %s: %w", name, err)
	}
	if call.repeatable {
		ctx = context.WithValue(ctx, repeatable{}, true)
	}
	request, err := retryablehttp.NewRequestWithContext(ctx, http.MethodPost, j.url+"/json/2/"+call.model+"/"+call.method, body)
	if err != nil {
		return nil, fmt.Errorf("preparing the call of %s: %w", name, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Authorization", "bearer "+j.key)
	request.Header.Set("X-Odoo-Database", j.database)
	status, content, err := j.send(ctx, name, request)
	if err != nil {
		return nil, err
	}
	if status == http.StatusOK {
		if !json.Valid(content) {
			return nil, &reconciler.RetryError{Cause: "nightpos_unreadable", Err: fmt.Errorf("the answer to %s is not JSON", name)}
		}
		return content, nil
	}
	return nil, j.failure(name, status, content)
}

// failure opens an answer that is no result. Its status alone says little: 404
// may be a record or a model, 500 the caller's fault; the name decides.
func (j *json2) failure(name string, status int, content []byte) error {
	var told struct {
		Name    string `json:"name"`
		Message string `json:"message"`
	}
	if json.Unmarshal(content, &told) != nil || told.Name == "" {
		if status == http.StatusNotFound {
			return fmt.Errorf("calling %s: %w", name, ErrNoDatabase)
		}
		return fmt.Errorf("NightPOS answered %s with HTTP status %d", name, status)
	}
	if status == http.StatusUnauthorized {
		// Wrong or expired keys, and passwords given in place of one.
		return newCallError(name, "AccessDenied", told.Message)
	}
	return newCallError(name, told.Name, told.Message)
}

// send makes one request. What is not an answer of NightPOS's, but of something
// in between, is an error.
func (j *json2) send(ctx context.Context, name string, request *retryablehttp.Request) (int, []byte, error) {
	answer, err := j.http.Do(request)
	if err != nil {
		return 0, nil, unreachable(ctx, err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(io.LimitReader(answer.Body, answerLimit+1))
	if err != nil {
		return 0, nil, unreachable(ctx, err)
	}
	if len(content) > answerLimit {
		return 0, nil, fmt.Errorf("the answer to %s is larger than %d bytes", name, answerLimit)
	}
	content = bytes.TrimSpace(content)
	if answer.StatusCode == http.StatusTooManyRequests || (answer.StatusCode >= http.StatusInternalServerError && !json.Valid(content)) {
		return 0, nil, statusError(answer, j.now())
	}
	return answer.StatusCode, content, nil
}
