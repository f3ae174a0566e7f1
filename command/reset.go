package command

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// resetCommand resets a person's sync.
type resetCommand struct {
	User   string `arg:"" help:"NightPOS user id or login."`
	Events string `required:"" enum:"leave,outlook,nightpos,both" placeholder:"leave|outlook|nightpos|both" help:"What becomes of the events that are synced: stay, or are deleted in Outlook, in NightPOS, or in both."`
	Next   string `required:"" enum:"new,all" placeholder:"new|all" help:"What crosses once the person has connected again: what is made from then on, or everything."`
	DryRun bool   `help:"Only tell what would be deleted, and whom Outlook would mail."`
	remoteFlags
}

// Run begins the reset and follows it to its end.
func (c resetCommand) Run(in *invocation) error {
	gateway, err := c.open(in)
	if err != nil {
		return err
	}
	if c.DryRun {
		return c.preview(in, gateway)
	}
	content, _, err := gateway.call(in.ctx, http.MethodPost, userPath(c.User, "reset"), map[string]string{"events": c.Events, "next_sync": c.Next})
	if err != nil {
		return err
	}
	return c.follow(in, gateway, content, "the reset of "+c.User)
}

// preview tells what a reset would do.
func (c resetCommand) preview(in *invocation, gateway *remote) error {
	content, _, err := gateway.call(in.ctx, http.MethodGet, userPath(c.User, "reset")+"?"+url.Values{"events": {c.Events}, "next_sync": {c.Next}}.Encode(), nil)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(in.Out, json.RawMessage(content))
	}
	var told struct {
		Synced   int            `json:"synced"`
		Outlook  int            `json:"outlook"`
		NightPOS int            `json:"nightpos"`
		Mails    map[string]int `json:"mails"`
	}
	if err := gateway.read(content, &told); err != nil {
		return err
	}
	mails := 0
	for _, count := range told.Mails {
		mails += count
	}
	fmt.Fprintf(in.Out, "Of %d synced events %d would be deleted in Outlook and %d in NightPOS. Outlook would send %d cancellation(s) to %d address(es). Nothing was done.\n",
		told.Synced, told.Outlook, told.NightPOS, mails, len(told.Mails))
	return nil
}

// undoCommand restores what a reset deleted.
type undoCommand struct {
	Job string `arg:"" help:"The job of the reset."`
	remoteFlags
}

// Run begins to restore and follows it to its end.
func (c undoCommand) Run(in *invocation) error {
	gateway, err := c.open(in)
	if err != nil {
		return err
	}
	content, _, err := gateway.call(in.ctx, http.MethodPost, jobPath(c.Job)+"/undo", nil)
	if err != nil {
		return err
	}
	return c.follow(in, gateway, content, "the restoring of what "+c.Job+" deleted")
}

func jobPath(id string) string { return "/api/v1/jobs/" + url.PathEscape(id) }

// job is a long piece of work as the admin API tells.
type job struct {
	ID         string    `json:"id"`
	State      string    `json:"state"`
	Done       int       `json:"done"`
	Total      int       `json:"total"`
	Error      string    `json:"error"`
	Restorable int       `json:"restorable"`
	Until      time.Time `json:"restorable_until"`
}

const (
	// jobStep is the first pause between two looks at a job; each is twice as
	// long as the one before, up to jobStepMost.
	jobStep     = 50 * time.Millisecond
	jobStepMost = time.Second
	// jobTries is how many looks in a row may fail: the job outlives a restart of
	// the gateway.
	jobTries = 30
)

// follow waits for the end of a job, showing how far it is.
func (f remoteFlags) follow(in *invocation, gateway *remote, accepted []byte, what string) error {
	var begun struct {
		Job string `json:"job"`
	}
	if err := gateway.read(accepted, &begun); err != nil {
		return err
	}
	if begun.Job == "" {
		return fmt.Errorf("the gateway at %s did not say which job it is", gateway.base)
	}
	shown := &progress{in: in, what: what}
	failures := 0
	for pause := jobStep; ; pause = min(2*pause, jobStepMost) {
		content, _, err := gateway.call(in.ctx, http.MethodGet, jobPath(begun.Job), nil)
		if err == nil {
			failures = 0
			var now job
			if err := gateway.read(content, &now); err != nil {
				return err
			}
			shown.show(now)
			if now.State != "running" {
				shown.end()
				return f.ended(in, content, now, what)
			}
		} else if failures++; in.ctx.Err() == nil && (final(err) || failures > jobTries) {
			shown.end()
			return fmt.Errorf("%s was begun as job %s and cannot be followed: %w", what, begun.Job, err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-in.ctx.Done():
			timer.Stop()
			shown.end()
			// Not the end of the job, which is why it is an error.
			return fmt.Errorf("interrupted; %s goes on as job %s", what, begun.Job)
		}
	}
}

// final says that asking again is of no use.
func final(err error) bool {
	var refused *refusalError
	return errors.As(err, &refused) && refused.status < http.StatusInternalServerError && refused.status != http.StatusTooManyRequests
}

func (f remoteFlags) ended(in *invocation, content []byte, now job, what string) error {
	if f.JSON {
		if err := printJSON(in.Out, json.RawMessage(content)); err != nil {
			return err
		}
	}
	if now.State != "done" {
		return fmt.Errorf("%s failed: %s", what, clean(orDash(now.Error)))
	}
	if f.JSON {
		return nil
	}
	fmt.Fprintf(in.Out, "%s is done: %d of %d.\n", what, now.Done, now.Total)
	if now.Restorable > 0 {
		fmt.Fprintf(in.Out, "%d deleted event(s) can be restored until %s: outlook-gateway undo %s\n", now.Restorable, moment(now.Until), now.ID)
	}
	return nil
}

// progress shows how far a job is: in one line that changes on a terminal, now and
// then elsewhere.
type progress struct {
	in    *invocation
	what  string
	began time.Time
	last  time.Time
	open  bool
}

const (
	progressWidth = 30
	// progressStep is how often a log gets a line.
	progressStep = 10 * time.Second
)

func (p *progress) show(now job) {
	at := time.Now()
	if p.began.IsZero() {
		p.began, p.last = at, at
	}
	text := fmt.Sprintf("%s: %d", p.what, now.Done)
	if now.Total > 0 {
		filled := min(now.Done*progressWidth/now.Total, progressWidth)
		text = fmt.Sprintf("%s  [%s%s]  %d of %d", p.what, strings.Repeat("#", filled), strings.Repeat(".", progressWidth-filled), now.Done, now.Total)
		if spent := at.Sub(p.began); now.Done > 0 && now.Done < now.Total && spent > time.Second {
			left := spent / time.Duration(now.Done) * time.Duration(now.Total-now.Done)
			text += ", " + left.Round(time.Second).String() + " left"
		}
	}
	switch {
	case p.in.Terminal:
		fmt.Fprintf(p.in.Err, "\r%s\x1b[K", clean(text))
		p.open = true
	case at.Sub(p.last) >= progressStep:
		fmt.Fprintln(p.in.Err, clean(text))
		p.last = at
	}
}

// end leaves the line of a terminal.
func (p *progress) end() {
	if p.open {
		fmt.Fprintln(p.in.Err)
	}
}
