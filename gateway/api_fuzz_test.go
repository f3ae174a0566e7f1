package gateway_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// strictAdmin does nothing, and fails the test when it is asked for what no
// administrator can want.
type strictAdmin struct {
	gateway.Admin
	t    testing.TB
	full string
}

func (a *strictAdmin) Find(context.Context, string) (string, error) { return alice.ID, nil }

func (a *strictAdmin) Audit(_ context.Context, deed gateway.Deed) error {
	if strings.Contains(deed.Detail, "\n") {
		a.t.Errorf("the deed is told as %q", deed.Detail)
	}
	return nil
}

func (a *strictAdmin) Send(_ context.Context, _ string, classes []reconciler.Class) error {
	for _, class := range classes {
		if _, known := (reconciler.Classes{}).With(class); !known {
			a.t.Errorf("the class %q is released", class)
		}
	}
	return nil
}

func (a *strictAdmin) Answer(context.Context, string, bool) error { return nil }

func (a *strictAdmin) SaveChoices(_ context.Context, _ string, choices gateway.Choices) (gateway.ChoicesView, error) {
	for _, name := range slices.Concat(choices.SkipCategories, choices.OnlyCategories) {
		if name == "" || strings.ContainsAny(name, ",\n") {
			a.t.Errorf("the category %q is chosen", name)
		}
	}
	return gateway.ChoicesView{Choices: choices, Effective: gateway.Choices{PrivateEvents: &a.full}}, nil
}

func (a *strictAdmin) Reset(_ context.Context, _ string, asked gateway.Reset) (string, error) {
	if err := asked.Check(); err != nil {
		a.t.Errorf("a reset with %+v", asked)
	}
	return "job", nil
}

func (a *strictAdmin) SaveSettings(_ context.Context, change gateway.SettingsChange) (gateway.ConsoleSettings, error) {
	if err := change.Check(); err != nil {
		a.t.Errorf("settings of which %v", err)
	}
	return gateway.ConsoleSettings{}, nil
}

// FuzzAPI sends whatever body to every call of the API that takes one: it is
// refused with a reason, or it is JSON and says what an administrator can want.
func FuzzAPI(f *testing.F) {
	calls := []struct{ method, path string }{
		{http.MethodPost, "/api/v1/users/6/reset"},
		{http.MethodPost, "/api/v1/users/6/first-sync"},
		{http.MethodPost, "/api/v1/users/6/answer"},
		{http.MethodPut, "/api/v1/users/6/choices"},
		{http.MethodPut, "/api/v1/settings"},
	}
	for _, body := range []string{
		`{"events":"both","next_sync":"all"}`, `{"send":["mine_with_attendees","mine_alone"]}`, `{"deletions":"apply"}`,
		`{"private_events":"skip","skip_categories":["A","b"],"only_categories":null}`,
		`{"client_id":"x","client_secret":"hush-hush","client_secret_expires":"2028-11-22","conflict":"latest"}`, `{"use_configured_application":true}`,
		``, ` `, `null`, `[]`, `{}{}`, `{"events":"leave","next_sync":"new"}}`, `{"events":["leave"]}`, `{"a":` + strings.Repeat("[", 5_000),
	} {
		for call := range calls {
			f.Add(uint8(call), body)
		}
	}
	// So many calls that none is refused for its number, each a second later.
	var passed atomic.Int64
	full := string(reconciler.PrivateModes()[0])
	admin := &strictAdmin{full: full}
	const token = "0123456789abcdef0123456789abcdef"
	w := newWorld(f, func(config *gateway.Config) {
		config.Now = func() time.Time { return time.Unix(passed.Add(1), 0) }
		config.Connections = &gateway.Connections{
			People: unasked{new(atomic.Int64)}, Tickets: unasked{new(atomic.Int64)}, Admin: admin, AdminToken: token,
			PublicURL: "https://night.example.com", NightPOSURL: "https://night.example.com", LoginURL: "https://login.example",
			ClientID: func() string { return "x" }, Keys: [][]byte{key(1)}, Random: rand.NewChaCha8([32]byte{}),
		}
	})
	f.Fuzz(func(t *testing.T, number uint8, body string) {
		admin.t = t
		call := calls[int(number)%len(calls)]
		request := httptest.NewRequestWithContext(t.Context(), call.method, call.path, strings.NewReader(body))
		request.Header.Set("Authorization", "Bearer "+token)
		answer := w.at(t).serve(request)
		switch answer.Code {
		case http.StatusOK, http.StatusAccepted:
			if text := strings.TrimSpace(body); text != "" && !json.Valid([]byte(text)) {
				t.Errorf("%s took %q", call.path, body)
			}
		case http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity:
			var problem struct{ Detail string }
			if err := json.Unmarshal(answer.Body.Bytes(), &problem); err != nil || problem.Detail == "" {
				t.Errorf("refused without a reason: %s", answer.Body)
			}
		default:
			t.Errorf("%s answered %d: %s", call.path, answer.Code, answer.Body)
		}
	})
}
