package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// personPage is how a calendar is.
type personPage struct {
	// Mine says that it is the visitor's own.
	Mine bool
	Name string
	// User is nil for somebody who is not connected; BuiltIn says that NightPOS's own
	// sync keeps the person from connecting.
	User    *gateway.User
	BuiltIn bool
	// Action is where the forms lead, Live where changes come from.
	Action, Live string
	// Tone is good, busy, off or bad; Headline is the state in one sentence, and
	// Changed what crossed last.
	Tone, Headline string
	Changed        *gateway.ActivityLine
	Todo           string
	Trouble        *reason
	Held           []held
	Failed         []line
	Conflicts      []line
	Lines          []line
	Job            *gateway.Job
	// Choices are what the person has chosen about what is synced; nil where they
	// cannot be changed.
	Choices *gateway.ChoicesView
	// Link is a connect link that was just made.
	Link    string
	Expires time.Time
}

// held is how many events of a class a quiet first sync keeps back.
type held struct {
	Class reconciler.Class
	Count int
}

// home is the first page: the gateway for administrators, their calendar for
// everybody else.
func (c *Console) home(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	if v.visitor.Administrator {
		return c.overview(ctx, v, w, r)
	}
	return c.mine(ctx, v, w, r)
}

// mine shows the visitor's own calendar.
func (c *Console) mine(ctx context.Context, v *view, w http.ResponseWriter, _ *http.Request) error {
	return c.showPerson(ctx, v, w, v.visitor.Person.ID, true, nil)
}

// showPerson answers with the page of a calendar; change, if any, adds to it.
func (c *Console) showPerson(ctx context.Context, v *view, w http.ResponseWriter, id string, mine bool, change func(*personPage)) error {
	page, err := c.personPage(ctx, v, id, mine, &titles{})
	if err != nil {
		return err
	}
	if page.User != nil {
		choices, err := c.Admin.Choices(ctx, id)
		if err != nil {
			return err
		}
		page.Choices = &choices
	}
	if change != nil {
		change(page)
	}
	c.show(v, w, http.StatusOK, "person", page)
	return nil
}

// person shows somebody's calendar to an administrator.
func (c *Console) person(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	id, err := c.Admin.Find(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	return c.showPerson(ctx, v, w, id, false, nil)
}

// personPage gathers what there is to tell of a calendar.
func (c *Console) personPage(ctx context.Context, v *view, id string, mine bool, names *titles) (*personPage, error) {
	page := &personPage{Mine: mine, Action: v.Base + "/people/" + id, Live: v.Base + "/live/" + id}
	if mine {
		page.Action, page.Live, page.Name = v.Base+"/mine", v.Base+"/live/mine", v.visitor.Person.Name
	}
	user, err := c.Admin.User(ctx, id)
	if mine && errors.Is(err, gateway.ErrNobody) {
		page.Tone, page.Headline, page.Todo = "off", v.T("state.none"), v.T("state.none.todo")
		// Where that cannot be asked just now, connecting says it.
		if page.BuiltIn, err = c.Admin.BuiltInSync(ctx, v.visitor.Person); err == nil && page.BuiltIn {
			page.Tone, page.Todo = "bad", v.T("state.built_in.todo")
		}
		return page, nil
	}
	if err != nil {
		return nil, err
	}
	page.User, page.Name = &user, user.Name
	activity, err := c.Admin.Activity(ctx, gateway.ActivityFilter{User: id, Limit: linesRead})
	if err != nil {
		return nil, err
	}
	for _, one := range activity {
		if one.Action != "" && one.From != "" && !byReset(one) {
			page.Changed = &one
			break
		}
	}
	failed := failing(activity)
	var disputed []gateway.ActivityLine
	for _, one := range activity {
		if len(one.Conflict) > 0 && len(disputed) < failuresShown {
			disputed = append(disputed, one)
		}
	}
	recent := activity[:min(linesShown, len(activity))]
	names.learn(ctx, c, v.visitor.Person.UserID, append(append(append([]gateway.ActivityLine{}, failed...), disputed...), recent...))
	page.Failed, page.Conflicts, page.Lines = v.lines(failed, names, mine), v.lines(disputed, names, mine), v.lines(recent, names, mine)
	if user.FirstSync != nil {
		for _, class := range (reconciler.Classes{WithAttendees: true, Alone: true, Past: true}).List() {
			if count := user.FirstSync.Held[class]; count > 0 {
				page.Held = append(page.Held, held{class, count})
			}
		}
	}
	if user.Job != "" {
		if job, err := c.Admin.Job(ctx, user.Job); err == nil {
			page.Job = &job
		}
	}
	settings, err := c.Admin.Settings(ctx)
	if err != nil {
		return nil, err
	}
	c.judge(v, page, settings.OutlookSync)
	return page, nil
}

// judge puts the state into one sentence, with what to do.
func (c *Console) judge(v *view, page *personPage, outlookSync bool) {
	user := page.User
	say := func(tone, word string, arguments ...any) {
		page.Tone, page.Headline, page.Todo = tone, v.T("state."+word, arguments...), v.T("state."+word+".todo", arguments...)
	}
	switch {
	case user.Job != "":
		say("busy", "reset")
	case user.State == reconciler.PhaseNeedsReconnect:
		say("bad", "needs_reconnect")
		if user.LastError != nil {
			page.Trouble = new(reason)
			*page.Trouble = v.explain(*user.LastError)
		}
	case !outlookSync:
		say("off", "switched_off")
	case user.State == reconciler.PhasePaused:
		say("off", "paused")
	case user.Question != nil:
		say("bad", "question", "Count", user.Question.Count, "Of", user.Question.Of, "Side", v.SideName(user.Question.Side), "Other", v.SideName(user.Question.Side.Other()))
	case user.State == reconciler.PhaseConnecting:
		say("busy", "connecting")
	case user.State == reconciler.PhaseSyncing:
		say("busy", "syncing")
	case user.LastError != nil:
		say("bad", "trouble")
		page.Trouble = new(reason)
		*page.Trouble = v.explain(*user.LastError)
	case user.Moving > 0:
		say("busy", "pending", "Count", user.Moving)
	default:
		say("good", "connected")
		if len(page.Failed) > 0 {
			page.Todo = v.T("state.connected.but")
		}
	}
}

// act does what a button of a person's page asks for.
func (c *Console) act(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	user, action := r.PathValue("user"), r.PathValue("action")
	mine := user == ""
	if mine {
		user = v.visitor.Person.ID
		if action == "stop-built-in" {
			if err := c.Admin.StopBuiltInSync(ctx, v.visitor.Person); err != nil {
				return err
			}
			c.note(ctx, v, "stop built-in sync", v.visitor.Person.UserID, "")
			http.Redirect(w, r, v.Base+"/mine", http.StatusSeeOther)
			return nil
		}
		if action == "connect" || action == "switch" {
			return c.connect(ctx, v, w, r, action == "switch")
		}
	}
	id, err := c.Admin.Find(ctx, user)
	if err != nil {
		return err
	}
	number, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return err
	}
	deed, detail := action, ""
	switch {
	case action == "pause":
		err = c.Admin.Pause(ctx, id)
	case action == "resume":
		err = c.Admin.Resume(ctx, id)
	case action == "sync":
		err = c.Admin.Sync(ctx, id)
	case action == "disconnect":
		err = c.Admin.Disconnect(ctx, id)
	case action == "release":
		class := reconciler.Class(r.PostForm.Get("class"))
		if _, known := (reconciler.Classes{}).With(class); !known {
			return &gateway.Refusal{Status: http.StatusBadRequest, Text: "the form cannot be read"}
		}
		deed, detail = "release first sync", string(class)
		err = c.Admin.Send(ctx, id, []reconciler.Class{class})
	case action == "prefer":
		deed = "use other version"
		err = c.Admin.UseOther(ctx, id, r.PostForm.Get("conflict"))
	case action == "choices":
		var saved gateway.ChoicesView
		if saved, err = c.Admin.SaveChoices(ctx, id, chosenIn(r.PostForm)); err == nil {
			detail = saved.Told()
		}
	case action == "answer" && !mine:
		apply := r.PostForm.Get("deletions") == "apply"
		if !apply && r.PostForm.Get("deletions") != "keep" {
			return &gateway.Refusal{Status: http.StatusBadRequest, Text: "the form cannot be read"}
		}
		deed = "deletions " + r.PostForm.Get("deletions")
		err = c.Admin.Answer(ctx, id, apply)
	case action == "link" && !mine:
		return c.link(ctx, v, w, id)
	default:
		return &gateway.Refusal{Status: http.StatusNotFound, Text: "no such page"}
	}
	if err != nil {
		return err
	}
	c.note(ctx, v, deed, number, detail)
	switch {
	case mine:
		c.turn(v, w, r, "/mine", action)
	case action == "disconnect":
		c.turn(v, w, r, "/people", action)
	default:
		c.turn(v, w, r, "/people/"+id, action)
	}
	return nil
}

// chosenIn reads the form of choices. What is left empty is as the gateway is set.
func chosenIn(form url.Values) gateway.Choices {
	var choices gateway.Choices
	if mode := form.Get("private_events"); mode != "" {
		choices.PrivateEvents = &mode
	}
	list := func(name string) []string {
		if text := form.Get(name); strings.TrimSpace(text) != "" {
			return strings.Split(text, ",")
		}
		return nil
	}
	choices.SkipCategories, choices.OnlyCategories = list("skip_categories"), list("only_categories")
	return choices
}

// connect sends the visitor's browser to connect a mailbox. To switch accounts the
// one that is connected is forgotten first, which touches no event.
func (c *Console) connect(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request, another bool) error {
	person := v.visitor.Person
	address, err := c.Visitors.ConnectAddress(ctx, v.visitor)
	if err != nil {
		return err
	}
	if another {
		if err := c.Admin.Disconnect(ctx, person.ID); err != nil && !errors.Is(err, gateway.ErrNobody) {
			return err
		}
		c.note(ctx, v, "disconnect", person.UserID, "to switch accounts")
	}
	http.Redirect(w, r, address, http.StatusSeeOther)
	return nil
}

// link makes a connect link for a connected person, and shows it.
func (c *Console) link(ctx context.Context, v *view, w http.ResponseWriter, id string) error {
	person, err := c.Visitors.Find(ctx, id)
	if err != nil {
		return err
	}
	address, expires, err := c.Visitors.Link(ctx, person, gateway.Choice{})
	if err != nil {
		return err
	}
	c.note(ctx, v, "connect link", person.UserID, "")
	return c.showPerson(ctx, v, w, id, false, func(page *personPage) { page.Link, page.Expires = address, expires })
}

// previewPage is what a sweep would do.
type previewPage struct {
	Name, Back string
	// Mine says that it is the visitor's own calendar.
	Mine bool
	// Counts are the events of each action, Mails what Outlook would send and Held
	// what it would send for what is kept back.
	Counts      []count
	Mails, Held int
	Events      []previewRow
	// More is how many events are not shown.
	More int
}

type count struct {
	Word  string
	Count int
}

type previewRow struct {
	gateway.PreviewEvent
	Reason reason
}

// previewShown is how many events a preview lists.
const previewShown = 200

// preview shows what a sweep of a calendar would do, and does nothing.
func (c *Console) preview(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	id, page := v.visitor.Person.ID, previewPage{Back: v.Base + "/mine", Mine: true}
	if user := r.PathValue("user"); user != "" {
		var err error
		if id, err = c.Admin.Find(ctx, user); err != nil {
			return err
		}
		page = previewPage{Back: v.Base + "/people/" + id}
	}
	user, err := c.Admin.User(ctx, id)
	if err != nil {
		return err
	}
	page.Name = user.Name
	foreseen, err := c.Admin.Preview(ctx, id)
	if err != nil {
		return err
	}
	page.Mails, page.Held = foreseen.Mails, foreseen.Held
	for _, word := range []string{"create", "update", "match", "delete", "archive", "unarchive", "answer", "skip"} {
		if number := foreseen.Counts[word]; number > 0 {
			page.Counts = append(page.Counts, count{word, number})
		}
	}
	for _, event := range foreseen.Events {
		if event.Action == "match" {
			continue
		}
		if len(page.Events) == previewShown {
			page.More++
			continue
		}
		row := previewRow{PreviewEvent: event}
		if event.Action == "skip" {
			row.Reason = v.explain(event.Why)
		}
		page.Events = append(page.Events, row)
	}
	c.show(v, w, http.StatusOK, "preview", page)
	return nil
}
