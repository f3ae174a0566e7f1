package console

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"

	"github.com/nightpos/outlook-gateway/gateway"
)

func isNobody(err error) bool { return errors.Is(err, gateway.ErrNobody) }

// resetPage is the Reset Account dialog: two choices, what they would do, and the
// button.
type resetPage struct {
	User    gateway.User
	Reset   gateway.Reset
	Events  []string
	Syncs   []string
	Preview *gateway.ResetPreview
	// Mails are the addresses that Outlook would write to, and how often altogether.
	Mails []mailCount
	Total int
	More  int
}

type mailCount struct {
	Address string
	Count   int
}

// mailsShown is how many addresses are named.
const mailsShown = 20

// askReset shows the dialog, and with both choices made also what they would do.
func (c *Console) askReset(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	id, err := c.Admin.Find(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	page := resetPage{Events: []string{"leave", "outlook", "nightpos", "both"}, Syncs: []string{gateway.FirstSyncAll, gateway.FirstSyncNew}}
	if page.User, err = c.Admin.User(ctx, id); err != nil {
		return err
	}
	page.Reset = gateway.Reset{Events: r.URL.Query().Get("events"), NextSync: r.URL.Query().Get("next_sync")}
	if page.Reset.Events != "" || page.Reset.NextSync != "" {
		if err := page.Reset.Check(); err != nil {
			return err
		}
		preview, err := c.Admin.PreviewReset(ctx, id, page.Reset)
		if err != nil {
			return err
		}
		page.Preview = &preview
		for _, address := range slices.Sorted(maps.Keys(preview.Mails)) {
			page.Total += preview.Mails[address]
			if len(page.Mails) < mailsShown {
				page.Mails = append(page.Mails, mailCount{address, preview.Mails[address]})
			} else {
				page.More++
			}
		}
	} else {
		page.Reset = gateway.Reset{Events: "leave", NextSync: gateway.FirstSyncAll}
	}
	c.show(v, w, http.StatusOK, "reset", page)
	return nil
}

// reset begins it.
func (c *Console) reset(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	id, err := c.Admin.Find(ctx, r.PathValue("user"))
	if err != nil {
		return err
	}
	asked := gateway.Reset{Events: r.PostForm.Get("events"), NextSync: r.PostForm.Get("next_sync")}
	if err := asked.Check(); err != nil {
		return err
	}
	job, err := c.Admin.Reset(ctx, id, asked)
	if err != nil {
		return err
	}
	number, _ := strconv.ParseInt(id, 10, 64) // an id that was found is a number
	c.note(ctx, v, "reset", number, "events "+asked.Events+", next sync "+asked.NextSync)
	c.turn(v, w, r, "/jobs/"+job, "")
	return nil
}

// jobPage is how far a reset is.
type jobPage struct {
	gateway.Job
	Name   string
	Reason *reason
	Live   string
	// Tone is as on a person's page.
	Tone string
}

func (c *Console) jobPage(ctx context.Context, v *view, id string) (jobPage, error) {
	job, err := c.Admin.Job(ctx, id)
	if err != nil {
		return jobPage{}, err
	}
	page := jobPage{Job: job, Live: v.Base + "/live/job-" + job.ID, Tone: map[string]string{"running": "busy", "done": "good", "failed": "bad"}[job.State]}
	if user, err := c.Admin.User(ctx, strconv.FormatInt(job.User, 10)); err == nil {
		page.Name = user.Name
	}
	if job.Error != "" {
		why := v.explain(job.Error)
		page.Reason = &why
	}
	return page, nil
}

// job shows how far a reset is.
func (c *Console) job(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	page, err := c.jobPage(ctx, v, r.PathValue("job"))
	if err != nil {
		return err
	}
	c.show(v, w, http.StatusOK, "job", page)
	return nil
}

// undo begins to restore what a reset deleted.
func (c *Console) undo(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	former := r.PathValue("job")
	job, err := c.Admin.Undo(ctx, former)
	if err != nil {
		return err
	}
	c.note(ctx, v, "undo", 0, former)
	c.turn(v, w, r, "/jobs/"+job, "")
	return nil
}
