package outlook

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// maxRoundPages ends rounds of changes that do not end by themselves, at
	// 50,000 events.
	maxRoundPages = 500
	// maxSamePages is how often a page may come again word for word before a
	// round counts as endless: single items do come again now and then.
	maxSamePages = 3
	// longestView is the longest window that Graph takes.
	longestView = 1825 * 24 * time.Hour
)

// Why a mailbox can no longer tell what changed; see reconciler.Changes.
const (
	lostGone    = "delta_gone"
	lostEndless = "delta_endless"
)

// preferRound is preferImmutable for rounds of changes, whose size of pages only
// the header can choose.
const preferRound = preferImmutable + `, odata.maxpagesize=100`

// Changes follows a round of changes to its end: one call when nothing changed.
// The first round's window is a day wider on both sides than asked for, since
// Graph takes days for midnights in UTC, and never longer than Graph allows.
// Errors follow the rules of reconciler.Outlook.
func (c *Client) Changes(ctx context.Context, member reconciler.Member, cursor reconciler.Cursor) (reconciler.Changes, error) {
	path := cursor.Token
	if path == "" {
		cursor.Window = wider(cursor.Window)
		path = "/me/calendarView/delta?startDateTime=" + cursor.Window.Start.Format(time.RFC3339) +
			"&endDateTime=" + cursor.Window.End.Format(time.RFC3339)
	} else if !strings.HasPrefix(path, c.config.GraphURL+"/") {
		// The token is another cloud's.
		return reconciler.Changes{Lost: lostGone}, nil
	}
	round := round{position: map[string]int{}, pages: map[string]int{}}
	for page := 0; page < maxRoundPages; page++ {
		var raw json.RawMessage
		err := c.do(ctx, member.ID, call{name: "GET calendarView delta", method: http.MethodGet, path: path, prefer: preferRound, calls: 1}, &raw)
		switch {
		case tokenGone(err, cursor.Token != "" || page > 0):
			return reconciler.Changes{Lost: lostGone}, nil
		case err != nil:
			return reconciler.Changes{}, fmt.Errorf("asking for changes: %w", err)
		}
		next, last, err := round.take(raw)
		switch {
		case err != nil:
			return reconciler.Changes{}, err
		case last != "":
			return reconciler.Changes{Found: round.found, Next: reconciler.Cursor{Token: last, Window: cursor.Window}}, nil
		case round.repeats(next):
			return reconciler.Changes{Lost: lostEndless}, nil
		}
		path = next
	}
	return reconciler.Changes{Lost: lostEndless}, nil
}

// wider adds the day on both sides.
func wider(window reconciler.Window) reconciler.Window {
	window.Start = window.Start.UTC().AddDate(0, 0, -1).Truncate(time.Second)
	window.End = window.End.UTC().AddDate(0, 0, 1).Truncate(time.Second)
	if window.End.Sub(window.Start) > longestView {
		window.End = window.Start.Add(longestView)
	}
	return window
}

// tokenGone says that Graph knows a token no longer, or cannot read it: with any
// answer of status 410, with other refusals that name the state of the sync, and
// with any other complaint about what is nothing but a token of Graph's own.
func tokenGone(err error, withToken bool) bool {
	var answered *GraphError
	var retry *reconciler.RetryError
	if err == nil || !withToken || !errors.As(err, &answered) || errors.As(err, &retry) {
		return false
	}
	code := strings.ToLower(answered.Code)
	for _, word := range []string{"syncstate", "resync", "fullsync"} {
		if strings.Contains(code, word) {
			return true
		}
	}
	return answered.Status == http.StatusGone || answered.Status == http.StatusBadRequest
}

// round is what the pages of one round have told so far.
type round struct {
	found    []reconciler.Change
	position map[string]int
	// pages counts pages by their digest, and next links as they are.
	pages map[string]int
	// same is how often the last page has come, if it told anything.
	same int
}

// roundPage is a page of changes. Occurrences of series come stripped to what is
// read here.
type roundPage struct {
	Value *[]struct {
		ID             string          `json:"id"`
		ETag           string          `json:"@odata.etag"`
		ChangeKey      string          `json:"changeKey"`
		Type           string          `json:"type"`
		SeriesMasterID string          `json:"seriesMasterId"`
		Removed        json.RawMessage `json:"@removed"`
	} `json:"value"`
	Next string `json:"@odata.nextLink"`
	Last string `json:"@odata.deltaLink"`
}

// take reads a page. What is told again is told better: the last one wins.
func (r *round) take(raw json.RawMessage) (next, last string, err error) {
	var page roundPage
	if err := json.Unmarshal(raw, &page); err != nil || page.Value == nil || page.Next == "" && page.Last == "" {
		return "", "", &reconciler.RetryError{Cause: "outlook_unreadable", Err: errors.New("a page of changes is not what was expected")}
	}
	digest := sha256.New()
	for _, item := range *page.Value {
		if item.ID == "" {
			continue
		}
		removed := len(item.Removed) > 0 && string(item.Removed) != "null"
		change := reconciler.Change{
			ID: item.ID, ChangeKey: item.ChangeKey, Removed: removed,
			Recurring: item.SeriesMasterID != "" || item.Type != "" && item.Type != "singleInstance",
			MasterID:  item.SeriesMasterID,
		}
		if item.Type == typeMaster {
			change.MasterID = item.ID
		}
		if change.ChangeKey == "" && !removed {
			change.ChangeKey = changeKeyOf(item.ETag)
		}
		fmt.Fprintf(digest, "%s\x00%s\x00%t\x00", change.ID, change.ChangeKey, removed)
		if index, again := r.position[change.ID]; again {
			r.found[index] = change
			continue
		}
		r.position[change.ID] = len(r.found)
		r.found = append(r.found, change)
	}
	r.same = 0
	if len(*page.Value) > 0 {
		key := string(digest.Sum(nil))
		r.pages[key]++
		r.same = r.pages[key]
	}
	return page.Next, page.Last, nil
}

// repeats says that the round goes in circles: it leads where it has been, or
// tells the same page over and over under new links.
func (r *round) repeats(next string) bool {
	r.pages[next]++
	return r.pages[next] > 1 || r.same > maxSamePages
}
