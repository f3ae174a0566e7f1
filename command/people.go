package command

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// table prints rows in columns.
func table(out io.Writer, head []string, rows [][]string) error {
	writer := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{head}, rows...) {
		for index, cell := range row {
			row[index] = clean(cell)
		}
		fmt.Fprintln(writer, strings.TrimRight(strings.Join(row, "\t"), "\t "))
	}
	return writer.Flush()
}

// moment shows a time in the zone of this machine; a dash for none.
func moment(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.Local().Format("2006-01-02 15:04")
}

// person is a connected person as the admin API tells.
type person struct {
	ID           int64     `json:"id"`
	Login        string    `json:"login"`
	Name         string    `json:"name"`
	Mailbox      string    `json:"mailbox"`
	State        string    `json:"state"`
	LastSync     time.Time `json:"last_sync"`
	Pending      int       `json:"pending"`
	Subscription struct {
		Expires time.Time `json:"expires"`
	} `json:"subscription"`
	LastError said `json:"last_error"`
}

// said is a text, or an object with several.
type said string

// UnmarshalJSON reads either.
func (s *said) UnmarshalJSON(content []byte) error {
	var text *string
	if json.Unmarshal(content, &text) == nil {
		if text != nil {
			*s = said(*text)
		}
		return nil
	}
	var parts map[string]any
	if err := json.Unmarshal(content, &parts); err != nil {
		return err
	}
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		texts = append(texts, fmt.Sprint(parts[name]))
	}
	*s = said(strings.Join(texts, ": "))
	return nil
}

// usersCommand lists who is connected.
type usersCommand struct{ remoteFlags }

// Run prints a row for each person.
func (c usersCommand) Run(in *invocation) error {
	gateway, err := c.open(in)
	if err != nil {
		return err
	}
	found, err := gateway.list(in.ctx, "/api/v1/users?limit=1000")
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(in.Out, found)
	}
	if len(found) == 0 {
		fmt.Fprintln(in.Out, "Nobody is connected.")
		return nil
	}
	rows := make([][]string, 0, len(found))
	for _, one := range found {
		var user person
		if err := gateway.read(one, &user); err != nil {
			return err
		}
		rows = append(rows, []string{
			strconv.FormatInt(user.ID, 10), user.Login, user.Name, user.Mailbox, user.State, moment(user.LastSync),
			strconv.Itoa(user.Pending), moment(user.Subscription.Expires), string(user.LastError),
		})
	}
	return table(in.Out, []string{"ID", "LOGIN", "NAME", "MAILBOX", "STATE", "LAST SYNC", "PENDING", "SUBSCRIBED UNTIL", "WHAT IS WRONG"}, rows)
}

// previewCommand shows what a first sync would do.
type previewCommand struct {
	User string `arg:"" help:"NightPOS user id or login."`
	remoteFlags
}

// Run prints a row for each event, and a summary.
func (c previewCommand) Run(in *invocation) error {
	gateway, err := c.open(in)
	if err != nil {
		return err
	}
	content, _, err := gateway.call(in.ctx, http.MethodGet, userPath(c.User, "preview"), nil)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(in.Out, json.RawMessage(content))
	}
	var preview struct {
		Events []struct {
			Action string    `json:"action"`
			Side   string    `json:"side"`
			Why    string    `json:"why"`
			Title  string    `json:"title"`
			Start  time.Time `json:"start"`
			Mails  []string  `json:"mails"`
		} `json:"events"`
		Counts map[string]int `json:"counts"`
		Mails  int            `json:"mails"`
		Held   int            `json:"mails_held"`
	}
	if err := gateway.read(content, &preview); err != nil {
		return err
	}
	if len(preview.Events) == 0 {
		fmt.Fprintln(in.Out, "There is nothing to do.")
		return nil
	}
	rows := make([][]string, 0, len(preview.Events))
	for _, event := range preview.Events {
		rows = append(rows, []string{event.Action, orDash(event.Side), moment(event.Start), orDash(event.Title), event.Why, orDash(strings.Join(event.Mails, ", "))})
	}
	if err := table(in.Out, []string{"WHAT", "WHERE", "START", "TITLE", "WHY", "MAILS TO"}, rows); err != nil {
		return err
	}
	var counts []string
	for _, action := range slices.Sorted(maps.Keys(preview.Counts)) {
		counts = append(counts, fmt.Sprintf("%d %s", preview.Counts[action], action))
	}
	fmt.Fprintf(in.Out, "\n%s. Outlook would send %d mail(s); %d more for what is held back. Nothing was done.\n", clean(strings.Join(counts, ", ")), preview.Mails, preview.Held)
	return nil
}

// validateCommand compares a calendar on both sides.
type validateCommand struct {
	User string `arg:"" help:"NightPOS user id or login."`
	remoteFlags
}

// Run prints a row for each difference, and a summary. Something that ought to be
// equal and is not is an error.
func (c validateCommand) Run(in *invocation) error {
	gateway, err := c.open(in)
	if err != nil {
		return err
	}
	content, _, err := gateway.call(in.ctx, http.MethodGet, userPath(c.User, "validate"), nil)
	if err != nil {
		return err
	}
	var validation struct {
		Equal       bool           `json:"equal"`
		Pairs       int            `json:"pairs"`
		Counts      map[string]int `json:"counts"`
		Differences []struct {
			Cause  string    `json:"cause"`
			Why    string    `json:"why"`
			Title  string    `json:"title"`
			Start  time.Time `json:"start"`
			Fields []string  `json:"fields"`
			Drift  bool      `json:"drift"`
		} `json:"differences"`
	}
	if err := gateway.read(content, &validation); err != nil {
		return err
	}
	drift := 0
	rows := make([][]string, 0, len(validation.Differences))
	for _, one := range validation.Differences {
		if one.Drift {
			drift++
		}
		rows = append(rows, []string{one.Cause, moment(one.Start), orDash(one.Title), orDash(strings.Join(one.Fields, ", ")), one.Why})
	}
	switch {
	case c.JSON:
		if err := printJSON(in.Out, json.RawMessage(content)); err != nil {
			return err
		}
	case len(rows) > 0:
		if err := table(in.Out, []string{"CAUSE", "START", "TITLE", "FIELDS", "WHY"}, rows); err != nil {
			return err
		}
		fmt.Fprintln(in.Out)
	}
	if !c.JSON {
		fmt.Fprintf(in.Out, "%d meeting(s) on both sides, %d left as they are for a reason, %d differ(s). Nothing was written.\n", validation.Pairs, len(rows)-drift, drift)
	}
	if drift > 0 {
		return fmt.Errorf("%s: %d meeting(s) differ that ought to be equal; `sync %s` brings together what was not carried across", c.User, drift, c.User)
	}
	return nil
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// syncCommand compares a calendar now.
type syncCommand struct {
	User string `arg:"" help:"NightPOS user id or login."`
	remoteFlags
}

// Run has it done.
func (c syncCommand) Run(in *invocation) error {
	return c.simple(in, http.MethodPost, userPath(c.User, "sync"), "%s: both calendars are being compared as a whole; `users` shows when nothing is pending.", c.User)
}

// pauseCommand stops syncing for somebody.
type pauseCommand struct {
	User string `arg:"" help:"NightPOS user id or login."`
	remoteFlags
}

// Run has it done.
func (c pauseCommand) Run(in *invocation) error {
	return c.simple(in, http.MethodPost, userPath(c.User, "pause"), "%s is paused; what changes meanwhile is caught up with after `resume`.", c.User)
}

// resumeCommand goes on after a pause.
type resumeCommand struct {
	User string `arg:"" help:"NightPOS user id or login."`
	remoteFlags
}

// Run has it done.
func (c resumeCommand) Run(in *invocation) error {
	return c.simple(in, http.MethodPost, userPath(c.User, "resume"), "%s is resumed, and what changed meanwhile is being caught up with.", c.User)
}

// disconnectCommand forgets somebody.
type disconnectCommand struct {
	User string `arg:"" help:"NightPOS user id or login."`
	remoteFlags
}

// Run has it done.
func (c disconnectCommand) Run(in *invocation) error {
	return c.simple(in, http.MethodDelete, userPath(c.User), "%s is disconnected; no event was touched.", c.User)
}

// simple makes a call that answers with little, and says what it did.
func (f remoteFlags) simple(in *invocation, method, path, done string, arguments ...any) error {
	gateway, err := f.open(in)
	if err != nil {
		return err
	}
	content, _, err := gateway.call(in.ctx, method, path, nil)
	switch {
	case err != nil:
		return err
	case !f.JSON:
		fmt.Fprintf(in.Out, done+"\n", arguments...)
		return nil
	case len(content) == 0:
		return printJSON(in.Out, map[string]bool{"ok": true})
	}
	return printJSON(in.Out, json.RawMessage(content))
}
