package console

import (
	"cmp"
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/k3a/html2text"
	"go.uber.org/zap"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// line is one line of the activity as it is shown.
type line struct {
	At time.Time
	// Event names the event, Private says that its name is not for the visitor.
	Event   string
	Private bool
	Record  int64
	// Deed says that it tells what somebody did rather than what crossed.
	Deed   bool
	What   string
	Fields []string
	From   string
	Tone   string
	Took   string
	// Reset says that a reset did it, or the undoing of one.
	Reset     bool
	Mails     int
	Conflicts []conflict
	Reason    *reason
	By        string
	User      int64
	UserName  string
}

// conflict is a field that both sides had changed.
type conflict struct {
	// Loser's version was replaced by Winner's; once it was put back, the other way
	// round.
	Field, Loser, Winner string
	Restored             bool
	// Value is what was replaced; empty when it is not kept or not for the visitor. ID
	// is for putting it back.
	Value, ID string
}

// titles remembers the names of events for as long as one page or stream lasts.
type titles struct {
	known map[int64]gateway.EventTitle
}

// learn asks for the names that are not known yet. Without them events are shown by
// their number.
func (t *titles) learn(ctx context.Context, c *Console, viewer int64, lines []gateway.ActivityLine) {
	if t.known == nil {
		t.known = map[int64]gateway.EventTitle{}
	}
	var ids []int64
	for _, one := range lines {
		if _, known := t.known[one.RecordID]; one.RecordID != 0 && !known {
			t.known[one.RecordID] = gateway.EventTitle{}
			ids = append(ids, one.RecordID)
		}
	}
	if len(ids) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, gateway.TitleTime)
	defer cancel()
	found, err := c.Admin.Titles(ctx, viewer, ids)
	if err != nil {
		c.Log.Info("events are shown by their numbers as NightPOS did not name them", zap.Error(err))
		return
	}
	for id, title := range found {
		t.known[id] = title
	}
}

// lines puts the activity into words. Mine says that all of it is of the visitor's
// own calendar: whose event it is may see what a conflict replaced.
func (v *view) lines(activity []gateway.ActivityLine, names *titles, mine bool) []line {
	shown := make([]line, 0, len(activity))
	for _, one := range activity {
		made := line{At: one.At, Record: one.RecordID, Mails: one.Mails, User: one.User, By: one.By}
		if one.By != "" {
			made.Deed, made.What, made.Tone = true, v.Word("deed", one.Action), "deed"
			if one.By == "admin token" {
				made.By = v.T("who.administrator")
			}
			shown = append(shown, made)
			continue
		}
		title := names.known[one.RecordID]
		switch {
		case title.Title != "":
			made.Event = title.Title
		case title.Private:
			made.Event, made.Private = v.T("event.private"), true
		case one.RecordID != 0:
			made.Event = v.T("event.number", "Number", strconv.FormatInt(one.RecordID, 10))
		case one.OutlookID == "":
			made.Event = v.T("event.calendar")
		default:
			made.Event = v.T("event.unnamed")
		}
		if one.Action != "" {
			made.What, made.Tone = v.T("act."+one.Action, "Side", v.SideName(one.To)), "done"
			if byReset(one) {
				made.Reset = true
			} else {
				made.From, made.Took = v.SideName(one.From), v.Took(one.LagMS)
			}
		} else {
			made.What, made.Tone = v.T("act.nothing"), "left"
		}
		// A new event has every field.
		for _, field := range changed(one) {
			made.Fields = append(made.Fields, v.Word("field", field))
		}
		readable := mine || title.Readable()
		for _, each := range one.Conflict {
			replaced := conflict{Field: v.Word("field", each.Field), Loser: v.SideName(each.Loser), Winner: v.SideName(each.Loser.Other()), Restored: each.Restored}
			if readable {
				replaced.Value, replaced.ID = v.replaced(each), each.ID
			}
			made.Conflicts = append(made.Conflicts, replaced)
		}
		if one.Reason != "" && one.Action == "" {
			why := v.explain(one.Reason)
			made.Reason = &why
		}
		shown = append(shown, made)
	}
	return shown
}

// byReset says that nobody's change made a line, but a reset or the undoing of one.
func byReset(one gateway.ActivityLine) bool {
	return one.Action != "" && (strings.HasPrefix(one.Reason, "reset ") || strings.HasPrefix(one.Reason, "undo "))
}

// changed are the fields that a line is about; none for what was made or removed as
// a whole.
func changed(one gateway.ActivityLine) []reconciler.Field {
	if one.Action == string(reconciler.ActionUpdate) || one.Action == "" {
		return one.Fields
	}
	return nil
}

// failing are the newest lines of events that did not cross and have not since.
func failing(activity []gateway.ActivityLine) []gateway.ActivityLine {
	var failed []gateway.ActivityLine
	seen := map[string]bool{}
	for _, one := range activity {
		event := strconv.FormatInt(one.RecordID, 10)
		if one.RecordID == 0 {
			event = one.OutlookID
		}
		if one.By != "" || event == "" || seen[event] {
			continue
		}
		seen[event] = true
		if one.Action == "" && one.Reason != "" && len(failed) < failuresShown {
			failed = append(failed, one)
		}
	}
	return failed
}

const (
	// linesRead is how far back a person's page looks, linesShown what it shows of
	// that, and failuresShown how many events that did not cross.
	linesRead     = 200
	linesShown    = 25
	failuresShown = 20
)

// activityPage is what everybody's calendars did.
type activityPage struct {
	Lines  []line
	User   string
	Event  string
	Before string
}

// activity shows what was done, for administrators.
func (c *Console) activity(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	page := activityPage{User: strings.TrimSpace(query.Get("user")), Event: strings.TrimSpace(query.Get("event"))}
	filter := gateway.ActivityFilter{Event: page.Event, Limit: pageRows}
	if page.User != "" {
		id, err := c.Admin.Find(ctx, page.User)
		if err != nil {
			return err
		}
		filter.User = id
	}
	if before, err := time.Parse(time.RFC3339Nano, query.Get("before")); err == nil {
		filter.Before = before
	}
	lines, err := c.Admin.Activity(ctx, filter)
	if err != nil {
		return err
	}
	var names titles
	names.learn(ctx, c, v.visitor.Person.UserID, lines)
	page.Lines = v.lines(lines, &names, false)
	people := map[int64]string{}
	for index, one := range page.Lines {
		if one.User == 0 {
			continue
		}
		name, known := people[one.User]
		if !known {
			if user, err := c.Admin.User(ctx, strconv.FormatInt(one.User, 10)); err == nil {
				name = user.Name
			}
			people[one.User] = name
		}
		page.Lines[index].UserName = name
	}
	if len(lines) >= pageRows {
		page.Before = lines[len(lines)-1].At.Format(time.RFC3339Nano)
	}
	c.show(v, w, http.StatusOK, "activity", page)
	return nil
}

// valueShown is how many letters of a value are shown.
const valueShown = 400

// replaced shows the value that a conflict replaced: times in the visitor's zone,
// and what is HTML as the text that it is.
func (v *view) replaced(of gateway.ConflictLine) string {
	if of.Kept == nil {
		return shorten(of.Value)
	}
	switch of.Field {
	case reconciler.FieldWhen:
		return v.Span(of.Kept.When)
	case reconciler.FieldBody:
		return shorten(strings.TrimSpace(html2text.HTML2Text(of.Kept.Body)))
	case reconciler.FieldPrivacy:
		return v.Word("privacy", cmp.Or(of.Kept.Privacy, "default"))
	case reconciler.FieldShowAs:
		return v.Word("show_as", of.Kept.ShowAs)
	case reconciler.FieldReminders:
		var reminders []string
		for _, reminder := range of.Kept.Reminders {
			reminders = append(reminders, v.Left(reminder.Seconds()))
		}
		return strings.Join(reminders, ", ")
	}
	return shorten(of.Value)
}

func shorten(text string) string {
	if letters := []rune(text); len(letters) > valueShown {
		return string(letters[:valueShown]) + "…"
	}
	return text
}
