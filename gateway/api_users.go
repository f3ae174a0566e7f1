package gateway

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// routes adds every call of the API.
func (a *api) routes(router *mux.Router) {
	router.Path("/api/v1/openapi.json").Methods(http.MethodGet, http.MethodHead).HandlerFunc(describe)
	a.route(router, http.MethodGet, "/status", apiTime, func(ctx context.Context, _ *http.Request) (int, any, error) {
		status, err := a.admin.Status(ctx)
		return http.StatusOK, status, err
	})
	a.route(router, http.MethodGet, "/users", apiTime, a.users)
	a.route(router, http.MethodGet, "/users/{user}", apiTime, a.of(func(ctx context.Context, id string, _ *http.Request) (int, any, error) {
		user, err := a.admin.User(ctx, id)
		return http.StatusOK, user, err
	}))
	a.route(router, http.MethodDelete, "/users/{user}", apiTime, a.plain("disconnect", http.StatusNoContent, func(ctx context.Context, id string) error { return a.admin.Disconnect(ctx, id) }))
	a.route(router, http.MethodPost, "/users/{user}/connect-link", apiTime, a.connectLink)
	a.route(router, http.MethodPost, "/users/{user}/stop-built-in-sync", apiTime, a.stopBuiltInSync)
	a.route(router, http.MethodPost, "/users/{user}/first-sync", apiTime, a.of(a.firstSync))
	a.route(router, http.MethodGet, "/users/{user}/preview", longTime, a.of(func(ctx context.Context, id string, _ *http.Request) (int, any, error) {
		preview, err := a.admin.Preview(ctx, id)
		return http.StatusOK, preview, err
	}))
	a.route(router, http.MethodGet, "/users/{user}/validate", longTime, a.of(a.validate))
	a.route(router, http.MethodPost, "/users/{user}/sync", apiTime, a.plain("sync", http.StatusAccepted, func(ctx context.Context, id string) error { return a.admin.Sync(ctx, id) }))
	a.route(router, http.MethodPost, "/users/{user}/pause", apiTime, a.plain("pause", http.StatusNoContent, func(ctx context.Context, id string) error { return a.admin.Pause(ctx, id) }))
	a.route(router, http.MethodPost, "/users/{user}/resume", apiTime, a.plain("resume", http.StatusNoContent, func(ctx context.Context, id string) error { return a.admin.Resume(ctx, id) }))
	a.route(router, http.MethodPost, "/users/{user}/answer", apiTime, a.of(a.answer))
	a.route(router, http.MethodPost, "/users/{user}/conflicts/{conflict}/use-other", apiTime, a.of(a.useOther))
	a.route(router, http.MethodGet, "/users/{user}/choices", apiTime, a.of(func(ctx context.Context, id string, _ *http.Request) (int, any, error) {
		choices, err := a.admin.Choices(ctx, id)
		return http.StatusOK, choices, err
	}))
	a.route(router, http.MethodPut, "/users/{user}/choices", apiTime, a.of(a.saveChoices))
	a.route(router, http.MethodGet, "/users/{user}/reset", longTime, a.of(a.previewReset))
	a.route(router, http.MethodPost, "/users/{user}/reset", apiTime, a.of(a.reset))
	a.route(router, http.MethodGet, "/jobs/{job}", apiTime, func(ctx context.Context, r *http.Request) (int, any, error) {
		job, err := a.admin.Job(ctx, mux.Vars(r)["job"])
		return http.StatusOK, job, err
	})
	a.route(router, http.MethodPost, "/jobs/{job}/undo", apiTime, a.undo)
	a.route(router, http.MethodGet, "/activity", apiTime, a.activity)
	a.route(router, http.MethodGet, "/settings", apiTime, func(ctx context.Context, _ *http.Request) (int, any, error) {
		settings, err := a.admin.Settings(ctx)
		return http.StatusOK, settings, err
	})
	a.route(router, http.MethodPut, "/settings", apiTime, a.saveSettings)
	a.route(router, http.MethodPost, "/database/confirm", apiTime, func(ctx context.Context, _ *http.Request) (int, any, error) {
		if err := a.admin.ConfirmDatabase(ctx); err != nil {
			return 0, nil, err
		}
		a.done(ctx, "confirm database", 0, "")
		return http.StatusNoContent, nil, nil
	})
	a.route(router, http.MethodPost, "/webhooks/rotate", apiTime, func(ctx context.Context, _ *http.Request) (int, any, error) {
		if err := a.admin.RotateSecret(ctx); err != nil {
			return 0, nil, err
		}
		a.done(ctx, "rotate webhook secret", 0, "")
		return http.StatusAccepted, nil, nil
	})
}

// of finds {user} among the connected people before it goes on.
func (a *api) of(work func(ctx context.Context, id string, r *http.Request) (int, any, error)) deed {
	return func(ctx context.Context, r *http.Request) (int, any, error) {
		user, err := userOf(r)
		if err != nil {
			return 0, nil, err
		}
		id, err := a.admin.Find(ctx, user)
		if err != nil {
			return 0, nil, err
		}
		return work(ctx, id, r)
	}
}

// plain is a call about a person that answers with nothing but its status.
func (a *api) plain(action string, status int, work func(ctx context.Context, id string) error) deed {
	return a.of(func(ctx context.Context, id string, _ *http.Request) (int, any, error) {
		if err := work(ctx, id); err != nil {
			return 0, nil, err
		}
		a.done(ctx, action, number(id), "")
		if status == http.StatusAccepted {
			return status, map[string]string{"status": "accepted"}, nil
		}
		return status, nil, nil
	})
}

// number is a person's id as a number.
func number(id string) int64 {
	value, _ := strconv.ParseInt(id, 10, 64)
	return value
}

// userOf reads {user}. The router matches, and hands out, the path as it was
// written.
func userOf(r *http.Request) (string, error) {
	user, err := url.PathUnescape(mux.Vars(r)["user"])
	if err != nil || len(user) > 256 {
		return "", &Refusal{http.StatusBadRequest, "the user in the address is not written as a URL wants it"}
	}
	return user, nil
}

const (
	// maxPage is how many entries one answer holds at most, and how many people
	// where nobody says; activityPage is how many lines of activity then.
	maxPage      = 1000
	activityPage = 100
)

// limitOf reads ?limit=, which is usual where it is missing.
func limitOf(query url.Values, usual int) (int, error) {
	if !query.Has("limit") {
		return usual, nil
	}
	limit, err := strconv.Atoi(query.Get("limit"))
	if err != nil || limit < 1 || limit > maxPage {
		return 0, &Refusal{http.StatusBadRequest, "limit must be a number from 1 to " + strconv.Itoa(maxPage)}
	}
	return limit, nil
}

// users answers a page of the connected people, in the order of their ids; the
// Link header leads to the next.
func (a *api) users(ctx context.Context, r *http.Request) (int, any, error) {
	query := r.URL.Query()
	limit, err := limitOf(query, maxPage)
	if err != nil {
		return 0, nil, err
	}
	users, more, err := a.admin.Users(ctx, query.Get("after"), limit)
	if err != nil {
		return 0, nil, err
	}
	answer := page{items: users}
	if more {
		answer.next = "/api/v1/users?" + url.Values{"limit": {strconv.Itoa(limit)}, "after": {strconv.FormatInt(users[len(users)-1].ID, 10)}}.Encode()
	}
	return http.StatusOK, answer, nil
}

// classesOf checks the names of classes.
func classesOf(names []string) ([]reconciler.Class, error) {
	known := reconciler.Classes{WithAttendees: true, Alone: true, Past: true}.List()
	classes := []reconciler.Class{}
	for _, name := range names {
		if !slices.Contains(known, reconciler.Class(name)) {
			return nil, &Refusal{http.StatusUnprocessableEntity, "send: the classes are mine_with_attendees, mine_alone and past"}
		}
		classes = append(classes, reconciler.Class(name))
	}
	return classes, nil
}

// connectLink makes a link for a person.
func (a *api) connectLink(ctx context.Context, r *http.Request) (int, any, error) {
	var asked struct {
		FirstSync string   `json:"first_sync"`
		Send      []string `json:"send"`
	}
	if err := readJSON(r, &asked); err != nil {
		return 0, nil, err
	}
	if !slices.Contains([]string{"", FirstSyncAll, FirstSyncNew}, asked.FirstSync) {
		return 0, nil, &Refusal{http.StatusUnprocessableEntity, `first_sync must be "all" or "new"`}
	}
	classes, err := classesOf(asked.Send)
	if err != nil {
		return 0, nil, err
	}
	user, err := userOf(r)
	if err != nil {
		return 0, nil, err
	}
	person, err := a.people.Find(ctx, user)
	switch {
	case errors.Is(err, ErrNobody):
		return 0, nil, &Refusal{http.StatusNotFound, "NightPOS has no user with this id or login"}
	case err != nil:
		a.log.Warn("NightPOS could not be asked about a user", zap.Error(err))
		return 0, nil, &Refusal{http.StatusServiceUnavailable, "NightPOS cannot be reached just now; try again"}
	}
	address, expires, err := a.signIns.makeLink(ctx, person, Choice{FirstSync: asked.FirstSync, Send: classes})
	if err != nil {
		return 0, nil, err
	}
	a.done(ctx, "connect link", person.UserID, strings.TrimSpace("first sync "+asked.FirstSync))
	return http.StatusOK, map[string]any{"url": address, "expires": expires.Format(time.RFC3339)}, nil
}

// firstSync releases what a quiet first sync keeps back.
func (a *api) firstSync(ctx context.Context, id string, r *http.Request) (int, any, error) {
	var asked struct {
		Send []string `json:"send"`
	}
	if err := readJSON(r, &asked); err != nil {
		return 0, nil, err
	}
	classes, err := classesOf(asked.Send)
	if err != nil {
		return 0, nil, err
	}
	if len(classes) == 0 {
		return 0, nil, &Refusal{http.StatusUnprocessableEntity, `send names the classes to release, for example {"send":["mine_with_attendees"]}`}
	}
	if err := a.admin.Send(ctx, id, classes); err != nil {
		return 0, nil, err
	}
	a.done(ctx, "release first sync", number(id), strings.Join(asked.Send, ", "))
	return http.StatusAccepted, map[string]any{"send": classes}, nil
}

// answer answers the question of a sweep that stopped.
func (a *api) answer(ctx context.Context, id string, r *http.Request) (int, any, error) {
	var asked struct {
		Deletions string `json:"deletions"`
	}
	if err := readJSON(r, &asked); err != nil {
		return 0, nil, err
	}
	if asked.Deletions != "apply" && asked.Deletions != "keep" {
		return 0, nil, &Refusal{http.StatusUnprocessableEntity, `deletions must be "apply", to delete on the other side too, or "keep", to keep what is left there`}
	}
	if err := a.admin.Answer(ctx, id, asked.Deletions == "apply"); err != nil {
		return 0, nil, err
	}
	a.done(ctx, "deletions "+asked.Deletions, number(id), "")
	return http.StatusAccepted, map[string]string{"status": "accepted"}, nil
}

// stopBuiltInSync stops NightPOS's own Outlook sync for a user, who cannot connect
// before that.
func (a *api) stopBuiltInSync(ctx context.Context, r *http.Request) (int, any, error) {
	user, err := userOf(r)
	if err != nil {
		return 0, nil, err
	}
	person, err := a.people.Find(ctx, user)
	if errors.Is(err, ErrNobody) {
		return 0, nil, &Refusal{http.StatusNotFound, "NightPOS has no user with this id or login"}
	}
	if err == nil {
		err = a.admin.StopBuiltInSync(ctx, person)
	}
	if err != nil {
		return 0, nil, err
	}
	a.done(ctx, "stop built-in sync", person.UserID, "")
	return http.StatusNoContent, nil, nil
}

// useOther puts back what a conflict replaced.
func (a *api) useOther(ctx context.Context, id string, r *http.Request) (int, any, error) {
	if err := a.admin.UseOther(ctx, id, mux.Vars(r)["conflict"]); err != nil {
		return 0, nil, err
	}
	a.done(ctx, "use other version", number(id), "")
	return http.StatusAccepted, map[string]string{"status": "accepted"}, nil
}
