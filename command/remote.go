package command

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
)

// usageError is a command line that cannot be carried out as it is.
type usageError struct{ error }

// remoteFlags say which running gateway a command is for.
type remoteFlags struct {
	URL      string `name:"url" help:"Address of the running gateway; default: GATEWAY_PUBLIC_URL." placeholder:"URL"`
	Token    string `help:"Admin token of the gateway; default: GATEWAY_ADMIN_TOKEN, where other users of the machine do not see it." placeholder:"TOKEN"`
	Config   string `help:"YAML file with the settings of the gateway, to find address and token in." placeholder:"FILE"`
	Database string `help:"Which database of the settings' list, where there are several." placeholder:"NAME"`
	JSON     bool   `name:"json" help:"Print the answer as JSON."`
}

// remote is the admin API of a running gateway.
type remote struct {
	base, token string
	client      *http.Client
}

const (
	// remoteTime bounds one call; a preview reads two whole calendars.
	remoteTime = 3 * time.Minute
	// remoteAnswer bounds what is read of one answer.
	remoteAnswer = 256 << 20
)

// open checks the flags and what stands in for them.
func (f remoteFlags) open(in *invocation) (*remote, error) {
	fallback := func(given, name string) string {
		if given == "" {
			given, _ = in.Lookup(name)
		}
		return strings.TrimSpace(given)
	}
	if f.Config != "" || f.Database != "" {
		settings, problems, err := gateway.CheckDatabase(in.Lookup, f.Config, f.Database)
		if err != nil {
			return nil, usageError{err}
		}
		// What else may be wrong with the settings is the gateway's business.
		for index := range problems {
			if name := problems[index].Name; name == "GATEWAY_PUBLIC_URL" || name == "GATEWAY_ADMIN_TOKEN" {
				return nil, usageError{&problems[index]}
			}
		}
		f.URL, f.Token = cmp.Or(f.URL, settings.PublicURL), cmp.Or(f.Token, settings.AdminToken.Reveal())
	}
	address, token := fallback(f.URL, "GATEWAY_PUBLIC_URL"), fallback(f.Token, "GATEWAY_ADMIN_TOKEN")
	parsed, err := url.Parse(address)
	switch {
	case address == "":
		return nil, usageError{errors.New("which gateway is not said: give --url or set GATEWAY_PUBLIC_URL; example: https://night.example.com")}
	case err != nil || parsed.Host == "" || parsed.User != nil || parsed.RawQuery != "" || parsed.Fragment != "" || parsed.Scheme != "https" && parsed.Scheme != "http":
		return nil, usageError{errors.New("--url (or GATEWAY_PUBLIC_URL) is no address of a gateway; example: https://night.example.com")}
	case parsed.Scheme == "http" && !loopback(parsed.Hostname()):
		return nil, usageError{errors.New("--url (or GATEWAY_PUBLIC_URL) must be https, since the token goes there; http is accepted for loopback hosts only")}
	case token == "":
		return nil, usageError{errors.New("the admin token is missing: set GATEWAY_ADMIN_TOKEN as the gateway has it, or give --token")}
	}
	return &remote{base: strings.TrimRight(address, "/"), token: token, client: &http.Client{
		Timeout: remoteTime,
		// The token is for this address alone.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || ip != nil && ip.IsLoopback()
}

// user is the path of a person, named by id or login.
func userPath(user string, more ...string) string {
	return "/api/v1/users/" + url.PathEscape(user) + strings.Join(append([]string{""}, more...), "/")
}

// call makes one call and returns the body of the answer and the path of the
// page behind it, if any.
func (r *remote) call(ctx context.Context, method, path string, body any) (content []byte, next string, err error) {
	var sent io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return nil, "", fmt.Errorf("writing the call: %w", err)
		}
		sent = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, r.base+path, sent)
	if err != nil {
		return nil, "", fmt.Errorf("preparing the call: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := r.client.Do(request)
	if ctx.Err() != nil {
		// Whether it was done is not known, which is not what exit code 0 says.
		return nil, "", errors.New("interrupted before the gateway answered")
	}
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		return nil, "", fmt.Errorf("the gateway at %s cannot be reached: %w", r.base, err)
	}
	defer answer.Body.Close()
	if content, err = io.ReadAll(io.LimitReader(answer.Body, remoteAnswer)); err != nil {
		return nil, "", fmt.Errorf("the answer of the gateway at %s broke off: %w", r.base, err)
	}
	if answer.StatusCode < 200 || answer.StatusCode > 299 {
		return nil, "", r.refusal(answer, content)
	}
	if answer.StatusCode != http.StatusNoContent && !json.Valid(content) {
		return nil, "", fmt.Errorf("something else than a gateway answers at %s", r.base)
	}
	return content, nextPage(answer.Header.Get("Link")), nil
}

// refusalError is an answer that is an error.
type refusalError struct {
	status int
	text   string
}

func (e *refusalError) Error() string { return e.text }

func (r *remote) refusal(answer *http.Response, content []byte) error {
	var problem struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	refused := &refusalError{status: answer.StatusCode}
	if json.Unmarshal(content, &problem) != nil || problem.Title == "" {
		refused.text = fmt.Sprintf("something else than a gateway answers at %s (HTTP status %d)", r.base, answer.StatusCode)
		return refused
	}
	refused.text = fmt.Sprintf("the gateway refuses (%d %s)", answer.StatusCode, clean(problem.Title))
	if problem.Detail != "" {
		refused.text = clean(problem.Detail)
	}
	return refused
}

// nextPage reads the path behind rel="next" of a Link header.
func nextPage(header string) string {
	for _, link := range strings.Split(header, ",") {
		address, rest, _ := strings.Cut(link, ";")
		if strings.Contains(rest, `rel="next"`) {
			return strings.Trim(strings.TrimSpace(address), "<>")
		}
	}
	return ""
}

// read opens an answer.
func (r *remote) read(content []byte, into any) error {
	if err := json.Unmarshal(content, into); err != nil {
		return fmt.Errorf("the gateway at %s answers with something unexpected: is it another version?", r.base)
	}
	return nil
}

// maxPages bounds how many pages are followed.
const maxPages = 10_000

// list reads all pages of a list.
func (r *remote) list(ctx context.Context, path string) ([]json.RawMessage, error) {
	all := []json.RawMessage{}
	for range maxPages {
		content, next, err := r.call(ctx, http.MethodGet, path, nil)
		if err != nil {
			return nil, err
		}
		var page []json.RawMessage
		if err := r.read(content, &page); err != nil {
			return nil, err
		}
		all = append(all, page...)
		if !strings.HasPrefix(next, "/") || len(page) == 0 {
			break
		}
		path = next
	}
	return all, nil
}

// printJSON prints what was answered, indented.
func printJSON(out io.Writer, value any) error {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}

// clean keeps what others wrote from moving the terminal's cursor.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029 {
			return ' '
		}
		return r
	}, text)
}
