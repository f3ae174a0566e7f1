package console

import (
	"context"
	"net/http"

	"github.com/nightpos/outlook-gateway/gateway"
)

// guidePage walks through the registration at Microsoft.
type guidePage struct {
	application
	RedirectURI string
	// Steps are what is known of each step, by its name.
	Steps map[string]step
	// Dependencies are what the gateway sees of everything it needs.
	Dependencies []dependency
	Connected    int
	// Examined says that the check-up has been made since the gateway knew the
	// application, Running that it is under way.
	Examined, Running bool
}

// step is how a step of the guide is: done, open (not done yet), or what is wrong
// with it.
type step struct {
	// Status is ok, warning, failed or open.
	Status string
	Reason *reason
	// Detail and Remedy are a finding of the check-up's.
	Detail, Remedy saying
}

// shownStep is a step for a template.
type shownStep struct {
	step
	View *view
}

// Step is how a step of the guide is.
func (v *view) Step(name string) shownStep {
	page, _ := v.Page.(guidePage)
	return shownStep{page.Steps[name], v}
}

// guide shows the way from nothing to the first synced event, and which of its steps
// are done.
func (c *Console) guide(ctx context.Context, v *view, w http.ResponseWriter, _ *http.Request) error {
	now, err := c.Admin.Settings(ctx)
	if err != nil {
		return err
	}
	status, err := c.Admin.Status(ctx)
	if err != nil {
		return err
	}
	found, err := c.Admin.Examination(ctx)
	if err != nil {
		return err
	}
	page := guidePage{application: application{now}, RedirectURI: c.Visitors.RedirectURI(), Running: !found.Began.IsZero() && found.Ended.IsZero(), Examined: !found.Ended.IsZero()}
	for _, number := range status.Users {
		page.Connected += number
	}
	for _, one := range status.Dependencies {
		page.Dependencies = append(page.Dependencies, v.dependency(one))
	}
	crossed, err := c.crossed(ctx, page.Connected)
	if err != nil {
		return err
	}
	page.Steps = v.steps(page, found, crossed)
	c.show(v, w, http.StatusOK, "guide", page)
	return nil
}

// linesLooked is how far back the guide looks for the first event.
const linesLooked = 50

// crossed says whether an event has come from one side to the other.
func (c *Console) crossed(ctx context.Context, connected int) (bool, error) {
	if connected == 0 {
		return false, nil
	}
	lines, err := c.Admin.Activity(ctx, gateway.ActivityFilter{Limit: linesLooked})
	for _, line := range lines {
		if line.From != "" && line.Action != "" {
			return true, err
		}
	}
	return false, err
}

// steps puts together what is known of each step: from what the gateway is set to,
// from how what it needs is, and from the last check-up.
func (v *view) steps(page guidePage, found gateway.Examination, crossed bool) map[string]step {
	open, done := step{Status: "open"}, step{Status: "ok"}
	when := func(is bool) step {
		if is {
			return done
		}
		return open
	}
	steps := map[string]step{
		"register": when(page.ClientID != ""), "secret": when(page.SecretSet), "enter": when(page.ClientID != "" && page.SecretSet),
		// Microsoft tells of it to nobody before somebody has agreed.
		"permissions": when(page.Connected > 0), "redirect": open, "check": open,
		"connect": when(page.Connected > 0), "event": when(crossed),
	}
	if page.Connected > 0 {
		// Nobody connects past a redirect URI that is not registered.
		steps["redirect"] = done
	}
	for _, one := range page.Dependencies {
		if one.Name == "application" && one.Status != "ok" && page.ClientID != "" {
			steps["enter"] = step{Status: one.Status, Reason: one.Reason}
		}
	}
	if page.ClientID == "" || page.Running {
		return steps
	}
	worst := done
	for _, row := range found.Rows {
		told := v.finding(row)
		known := step{Status: told.Status, Detail: told.Detail, Remedy: told.Remedy}
		switch told.Check {
		case "microsoft.application":
			steps["register"] = known
		case "microsoft.redirect_uri":
			steps["redirect"] = known
		case "microsoft.secret_expiry":
			if page.SecretSet {
				steps["secret"] = known
			}
		}
		if told.Status == "failed" || told.Status == "warning" && worst.Status == "ok" {
			worst.Status = told.Status
		}
	}
	if page.Examined {
		_, headline := v.outcome(found)
		steps["check"] = step{Status: worst.Status, Detail: saying{Text: headline}}
	}
	return steps
}
