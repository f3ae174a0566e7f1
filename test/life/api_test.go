package life_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/service"
	simoutlook "github.com/nightpos/outlook-gateway/test/sim/outlook"
)

// TestAPersonsStates: connecting, connected, paused and back, gone.
func TestAPersonsStates(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.call(http.MethodGet, "/users/alice", "", http.StatusNotFound, nil)
		w.connect("alice", "")
		user := w.settle("alice", "connected")
		if user.ID != int64(w.nightpos.Member("alice").ID) || user.Login != "alice" || user.Mailbox != alice || user.Subscription == nil ||
			!user.Subscription.Expires.After(time.Now()) || user.LastSync == nil || user.LastError != nil || user.Pending != 0 {
			t.Errorf("connected: got %+v", user)
		}
		var users []gateway.User
		w.call(http.MethodGet, "/users", "", http.StatusOK, &users)
		if len(users) != 1 || users[0].Login != "alice" || users[0].State != "connected" {
			t.Errorf("users: got %+v", users)
		}

		w.call(http.MethodPost, "/users/6/pause", "", http.StatusNoContent, nil)
		if got := w.user("alice").State; got != "paused" {
			t.Errorf("paused: got %s", got)
		}
		w.call(http.MethodPost, "/users/alice/sync", "", http.StatusConflict, nil)
		w.nightposEvent("alice", "Meanwhile here", 3, nil)
		w.outlookEvent(alice, "Meanwhile there", 4)
		time.Sleep(time.Minute)
		w.shows("Meanwhile here", 0, 1)
		w.shows("Meanwhile there", 1, 0)
		w.call(http.MethodPost, "/users/alice/resume", "", http.StatusNoContent, nil)
		w.settle("alice", "connected")
		w.shows("Meanwhile here", 1, 1)
		w.shows("Meanwhile there", 1, 1)

		w.call(http.MethodPost, "/users/alice/sync", "", http.StatusAccepted, nil)
		w.settle("alice", "connected")
		w.call(http.MethodDelete, "/users/alice", "", http.StatusNoContent, nil)
		w.call(http.MethodGet, "/users/alice", "", http.StatusNotFound, nil)
		if got := w.outlook.Counts()["DELETE /subscriptions/{subscription}"]; got != 1 {
			t.Errorf("disconnecting: got %d deleted subscriptions, want 1 (%v)", got, w.outlook.Counts())
		}
		w.shows("Meanwhile here", 1, 1)

		// The same mailbox again: everything is found, nothing written.
		before := w.outlook.Counts()["POST /me/events"]
		w.connect("alice", "")
		w.settle("alice", "connected")
		w.shows("Meanwhile here", 1, 1)
		w.shows("Meanwhile there", 1, 1)
		if got := w.outlook.Counts()["POST /me/events"]; got != before {
			t.Errorf("reconnecting made %d events, want none", got-before)
		}
	})
}

// TestChoices: what is not chosen is as the gateway is set; what is no choice is
// refused.
func TestChoices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *service.Config) { config.Settings.SkipCategories = []string{"Family"} })
		w.call(http.MethodGet, "/users/alice/choices", "", http.StatusNotFound, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		read := func() (view gateway.ChoicesView) {
			w.call(http.MethodGet, "/users/alice/choices", "", http.StatusOK, &view)
			return view
		}
		if view := read(); view.PrivateEvents != nil || view.SkipCategories != nil || *view.Effective.PrivateEvents != "full" || !slices.Equal(view.Effective.SkipCategories, []string{"Family"}) {
			t.Errorf("nothing was chosen: got %+v", view)
		}
		var saved gateway.ChoicesView
		w.call(http.MethodPut, "/users/6/choices", `{"private_events":"skip","skip_categories":[],"only_categories":["work ","Work","Travel"]}`, http.StatusOK, &saved)
		if view := read(); *view.PrivateEvents != "skip" || view.SkipCategories == nil || len(view.Effective.SkipCategories) != 0 || !slices.Equal(view.Effective.OnlyCategories, []string{"Travel", "work"}) {
			t.Errorf("chosen: got %+v", view)
		}
		// They outlive a new connection.
		w.connect("alice", "")
		w.settle("alice", "connected")
		if view := read(); view.PrivateEvents == nil || *view.PrivateEvents != "skip" {
			t.Errorf("connected again: got %+v", view)
		}
		for body, want := range map[string]int{
			`{"private_events":"busy"}`: 422, `{"only_categories":["a,b"]}`: 422, `{"skip_categories":["` + strings.Repeat("x", 256) + `"]}`: 422,
			`{"colour":"blue"}`: 400, `{"skip_categories":"Family"}`: 400, `[`: 400,
		} {
			w.call(http.MethodPut, "/users/alice/choices", body, want, nil)
		}
		w.call(http.MethodPut, "/users/alice/choices", "{}", http.StatusOK, nil)
		if view := read(); view.PrivateEvents != nil || view.OnlyCategories != nil {
			t.Errorf("given up: got %+v", view)
		}
	})
}

// applicationOfTheStart gives up an application that was entered, of which nothing
// stays: neither its id, nor its secret, nor the date.
func (w *world) applicationOfTheStart() {
	w.Helper()
	put := func(body string) (now gateway.ConsoleSettings) {
		w.call(http.MethodPut, "/settings", body, http.StatusOK, &now)
		return now
	}
	secretOnly := []string{"client_id", "client_secret", "client_secret_expires"} // a secret goes with its id
	if now := put("{}"); !slices.Equal(now.Entered, secretOnly) || now.ConfiguredID != simoutlook.DefaultApplication.ID {
		w.Errorf("once a secret was entered: got %+v", now)
	}
	put(`{"client_id":"another","client_secret":"another's","client_secret_expires":"2001-01-01"}`)
	for _, body := range []string{`{"client_secret":"both"}`, `{"client_id":"both"}`, `{"client_secret_expires":"2001-01-01"}`} {
		w.call(http.MethodPut, "/settings", `{"use_configured_application":true,`+body[1:], http.StatusUnprocessableEntity, nil)
	}
	if now := put(`{"use_configured_application":true}`); len(now.Entered) > 0 || now.ClientID != simoutlook.DefaultApplication.ID || !now.SecretSet || now.SecretExpires != "" {
		w.Errorf("given up: got %+v", now)
	}
	var status gateway.Status
	w.call(http.MethodGet, "/status", "", http.StatusOK, &status)
	if status.SecretExpires != nil {
		w.Errorf("given up: the secret still ends on %s", *status.SecretExpires)
	}
	w.connects()
}

// connects holds that the application is accepted: a token that has ended is renewed.
func (w *world) connects() {
	w.Helper()
	w.outlook.EndAccess(w.Context(), alice)
	title := "Once a token has ended"
	w.outlookEvent(alice, title, 2)
	w.settle("alice", "connected")
	w.shows(title, 1, 1)
}

// TestNoApplicationAtTheStart has nothing to go back to.
func TestNoApplicationAtTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(config *service.Config) {
			config.Settings.MicrosoftClientID, config.Settings.MicrosoftClientSecret = "", ""
		})
		var now gateway.ConsoleSettings
		w.call(http.MethodPut, "/settings", `{"client_id":"`+simoutlook.DefaultApplication.ID+`","client_secret":"`+simoutlook.DefaultApplication.Secret+`"}`, http.StatusOK, &now)
		if now.ConfiguredID != "" || len(now.Entered) == 0 {
			t.Errorf("once it was entered: got %+v", now)
		}
		w.call(http.MethodPut, "/settings", `{"use_configured_application":true}`, http.StatusConflict, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
	})
}

// TestStatusSettingsAndActivity goes through the calls that are about nobody.
func TestStatusSettingsAndActivity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, nil)
		w.connect("alice", "")
		w.settle("alice", "connected")
		var status gateway.Status
		w.call(http.MethodGet, "/status", "", http.StatusOK, &status)
		if status.Users["connected"] != 1 || !status.OutlookSync || status.NightPOS.Status != "ok" || status.Store.Status == "" || status.SecretExpires != nil {
			t.Errorf("status: got %+v", status)
		}

		var settings gateway.ConsoleSettings
		w.call(http.MethodGet, "/settings", "", http.StatusOK, &settings)
		if !settings.OutlookSync || !settings.SecretSet || settings.Conflict != "newest" {
			t.Errorf("settings: got %+v", settings)
		}
		w.call(http.MethodPut, "/settings", `{"conflict":"outlook","client_secret_expires":"2000-02-01"}`, http.StatusOK, &settings)
		w.call(http.MethodGet, "/status", "", http.StatusOK, &status)
		if settings.Conflict != "outlook" || status.SecretExpires == nil || *status.SecretExpires != "2000-02-01" {
			t.Errorf("after a change: got %+v and an expiry of %v", settings, status.SecretExpires)
		}
		// Another secret does not end when the one before did.
		w.call(http.MethodPut, "/settings", `{"client_secret":"`+simoutlook.DefaultApplication.Secret+`"}`, http.StatusOK, &settings)
		status = gateway.Status{}
		w.call(http.MethodGet, "/status", "", http.StatusOK, &status)
		if settings.SecretExpires != "" || status.SecretExpires != nil {
			t.Errorf("after another secret: got %+v and an expiry of %v", settings, status.SecretExpires)
		}
		w.applicationOfTheStart()
		for body, want := range map[string]int{
			`{"conflict":"mine"}`: 422, `{"client_secret_expires":"soon"}`: 422, `{"client_id":"another"}`: 422, `{"colour":"blue"}`: 400, `[`: 400,
		} {
			w.call(http.MethodPut, "/settings", body, want, nil)
		}

		// Switched off, nothing crosses; switched on, it catches up.
		w.call(http.MethodPut, "/settings", `{"outlook_sync":false}`, http.StatusOK, nil)
		w.outlookEvent(alice, "Waiting", 2)
		time.Sleep(time.Minute)
		w.shows("Waiting", 1, 0)
		w.restart()
		time.Sleep(time.Minute)
		w.shows("Waiting", 1, 0)
		w.call(http.MethodPut, "/settings", `{"outlook_sync":true}`, http.StatusOK, nil)
		w.settle("alice", "connected")
		w.shows("Waiting", 1, 1)

		// The policy that was chosen holds: Outlook's title wins, NightPOS's is kept.
		w.call(http.MethodPost, "/users/alice/pause", "", http.StatusNoContent, nil)
		var id string
		for _, shown := range w.outlook.Mailbox(alice).Events() {
			id, _ = shown["id"].(string)
		}
		if _, err := w.outlook.Mailbox(alice).Update(t.Context(), id, map[string]any{"subject": "Named in Outlook"}); err != nil {
			t.Fatal(err)
		}
		record := 0
		for _, shown := range w.nightpos.Events() {
			record, _ = shown["id"].(int)
		}
		time.Sleep(time.Minute)
		w.must(w.nightpos.Member("alice").Write(t.Context(), []int{record}, map[string]any{"name": "Named in NightPOS"}))
		w.call(http.MethodPost, "/users/alice/resume", "", http.StatusNoContent, nil)
		w.settle("alice", "connected")
		w.shows("Named in Outlook", 1, 1)
		var lines []gateway.ActivityLine
		w.call(http.MethodGet, "/activity?user=alice&limit=200", "", http.StatusOK, &lines)
		conflict, deeds := false, map[string]string{}
		for index, line := range lines {
			for _, one := range line.Conflict {
				conflict = conflict || one.Field == "title" && one.Loser == "nightpos" && one.Value == "Named in NightPOS"
			}
			if line.By != "" {
				deeds[line.Action] = line.By
			}
			if index > 0 && line.At.After(lines[index-1].At) {
				t.Errorf("the activity is not newest first: %s after %s", line.At, lines[index-1].At)
			}
		}
		if !conflict || deeds["pause"] != "admin token" || deeds["connect link"] == "" {
			t.Errorf("activity: the conflict is told: %t, deeds %v, in %+v", conflict, deeds, lines)
		}

		// Page by page it is the same as at once.
		var all []gateway.ActivityLine
		for path := "/activity?limit=2"; path != ""; {
			var part []gateway.ActivityLine
			header := w.call(http.MethodGet, path, "", http.StatusOK, &part)
			all = append(all, part...)
			next, linked := strings.CutPrefix(header.Get("Link"), "</api/v1")
			if path = ""; linked {
				path, _, _ = strings.Cut(next, ">")
			}
		}
		w.call(http.MethodGet, "/activity?limit=1000", "", http.StatusOK, &lines)
		if len(all) != len(lines) {
			t.Errorf("page by page there are %d lines, at once %d", len(all), len(lines))
		}
		for _, line := range all {
			if line.OutlookID == "" {
				continue
			}
			w.call(http.MethodGet, "/activity?event="+url.QueryEscape(line.OutlookID), "", http.StatusOK, &lines)
			if len(lines) == 0 || lines[0].OutlookID != line.OutlookID {
				t.Errorf("of one event: got %+v", lines)
			}
		}
		for _, path := range []string{"/activity?limit=0", "/activity?before=yesterday", "/users?limit=many", "/users?after=alice"} {
			w.call(http.MethodGet, path, "", http.StatusBadRequest, nil)
		}
		w.call(http.MethodGet, "/jobs/none", "", http.StatusNotFound, nil)
	})
}
