package gateway

import (
	"context"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gorilla/mux"
	"go.uber.org/zap"
)

// Check returns a *Refusal that says what is wrong with a reset.
func (r Reset) Check() error {
	switch {
	case !slices.Contains([]string{"leave", "outlook", "nightpos", "both"}, r.Events):
		return &Refusal{http.StatusUnprocessableEntity, "events must be leave, outlook, nightpos or both"}
	case r.NextSync != FirstSyncNew && r.NextSync != FirstSyncAll:
		return &Refusal{http.StatusUnprocessableEntity, "next_sync must be new or all"}
	}
	return nil
}

// reset begins a reset.
func (a *api) reset(ctx context.Context, id string, r *http.Request) (int, any, error) {
	var asked Reset
	if err := readJSON(r, &asked); err != nil {
		return 0, nil, err
	}
	if err := asked.Check(); err != nil {
		return 0, nil, err
	}
	job, err := a.admin.Reset(ctx, id, asked)
	if err != nil {
		return 0, nil, err
	}
	a.done(ctx, "reset", number(id), "events "+asked.Events+", next sync "+asked.NextSync)
	return http.StatusAccepted, map[string]string{"job": job}, nil
}

// previewReset says what a reset would do.
func (a *api) previewReset(ctx context.Context, id string, r *http.Request) (int, any, error) {
	asked := Reset{Events: r.URL.Query().Get("events"), NextSync: r.URL.Query().Get("next_sync")}
	if asked.NextSync == "" {
		asked.NextSync = FirstSyncAll
	}
	if err := asked.Check(); err != nil {
		return 0, nil, err
	}
	preview, err := a.admin.PreviewReset(ctx, id, asked)
	return http.StatusOK, preview, err
}

// undo restores what a reset deleted.
func (a *api) undo(ctx context.Context, r *http.Request) (int, any, error) {
	former := mux.Vars(r)["job"]
	job, err := a.admin.Undo(ctx, former)
	if err != nil {
		return 0, nil, err
	}
	a.done(ctx, "undo", 0, former)
	return http.StatusAccepted, map[string]string{"job": job}, nil
}

// activity answers a page of the activity; the Link header leads to older ones.
func (a *api) activity(ctx context.Context, r *http.Request) (int, any, error) {
	query := r.URL.Query()
	limit, err := limitOf(query, activityPage)
	if err != nil {
		return 0, nil, err
	}
	filter := ActivityFilter{Event: query.Get("event"), Limit: limit}
	if query.Has("before") {
		if filter.Before, err = time.Parse(time.RFC3339Nano, query.Get("before")); err != nil {
			return 0, nil, &Refusal{http.StatusBadRequest, "before must be a time such as 2028-11-22T09:30:00Z"}
		}
	}
	if user := query.Get("user"); user != "" {
		if filter.User, err = a.admin.Find(ctx, user); err != nil {
			return 0, nil, err
		}
	}
	lines, err := a.admin.Activity(ctx, filter)
	if err != nil {
		return 0, nil, err
	}
	a.withhold(ctx, lines)
	answer := page{items: lines}
	if len(lines) >= limit {
		next := url.Values{"limit": {strconv.Itoa(limit)}, "before": {lines[len(lines)-1].At.Format(time.RFC3339Nano)}}
		for _, name := range []string{"user", "event"} {
			if query.Get(name) != "" {
				next.Set(name, query.Get(name))
			}
		}
		answer.next = "/api/v1/activity?" + next.Encode()
	}
	return http.StatusOK, answer, nil
}

// withhold takes out of the activity what conflicts replaced in events that the
// caller has no business reading. Whoever calls is an administrator, and the calendar
// somebody else's: their own is read in the console.
func (a *api) withhold(ctx context.Context, lines []ActivityLine) {
	var records []int64
	for _, line := range lines {
		if line.RecordID != 0 && len(line.Conflict) > 0 && !slices.Contains(records, line.RecordID) {
			records = append(records, line.RecordID)
		}
	}
	var titles map[int64]EventTitle
	if len(records) > 0 {
		asking, cancel := context.WithTimeout(ctx, TitleTime)
		defer cancel()
		var err error
		if titles, err = a.admin.Titles(asking, 0, records); err != nil {
			a.log.Info("what conflicts replaced is not told as NightPOS could not be asked which events are private", zap.Error(err))
		}
	}
	for _, line := range lines {
		if titles[line.RecordID].Readable() {
			continue
		}
		for index := range line.Conflict {
			line.Conflict[index].Value, line.Conflict[index].Kept, line.Conflict[index].ID = "", nil, ""
		}
	}
}

// saveSettings changes settings.
func (a *api) saveSettings(ctx context.Context, r *http.Request) (int, any, error) {
	var change SettingsChange
	if err := readJSON(r, &change); err != nil {
		return 0, nil, err
	}
	if err := change.Check(); err != nil {
		return 0, nil, err
	}
	settings, err := a.admin.SaveSettings(ctx, change)
	if err != nil {
		return 0, nil, err
	}
	a.done(ctx, "settings", 0, change.Names())
	return http.StatusOK, settings, nil
}

// Check returns a *Refusal that says what is wrong with a change of settings.
func (c SettingsChange) Check() error {
	if c.SecretExpires != nil && *c.SecretExpires != "" {
		if _, err := time.Parse(time.DateOnly, *c.SecretExpires); err != nil {
			return &Refusal{http.StatusUnprocessableEntity, "client_secret_expires must be a date such as 2028-11-22"}
		}
	}
	if c.UseConfigured && (c.ClientID != nil || c.ClientSecret != nil || c.SecretExpires != nil) {
		return &Refusal{http.StatusUnprocessableEntity, "use_configured_application gives up client_id, client_secret and client_secret_expires: leave these out, or set it to false"}
	}
	if c.Conflict != nil && !slices.Contains([]string{"newest", "outlook", "nightpos"}, *c.Conflict) {
		return &Refusal{http.StatusUnprocessableEntity, "conflict must be newest, outlook or nightpos"}
	}
	if c.ClientID != nil && !plainID.MatchString(*c.ClientID) {
		return &Refusal{http.StatusUnprocessableEntity, "client_id must be the application (client) id of the registration in Entra"}
	}
	return nil
}

// plainID is what an application's id looks like.
var plainID = regexp.MustCompile(`^[A-Za-z0-9-]{1,64}$`)

// Names are the settings that a change is about; their values are nobody's
// business.
func (c SettingsChange) Names() string {
	var names []string
	for name, given := range map[string]bool{
		"outlook_sync": c.OutlookSync != nil, "client_id": c.ClientID != nil, "client_secret": c.ClientSecret != nil,
		"client_secret_expires": c.SecretExpires != nil, "use_configured_application": c.UseConfigured, "conflict": c.Conflict != nil,
	} {
		if given {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
