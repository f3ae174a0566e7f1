package console

import (
	"context"
	"net/http"

	"github.com/nightpos/outlook-gateway/gateway"
)

// overviewPage is how the gateway is.
type overviewPage struct {
	gateway.Status
	// Tone and Headline are the state in one sentence.
	Tone, Headline string
	Stop           *reason
	// Database says that the NightPOS database is doubted.
	Database     bool
	Dependencies []dependency
	People       []count
	Connected    int
	Questions    []gateway.User
	Troubles     []trouble
	Live         string
	// Lag are the hours of the last day, LagNow what there is to say of the last one.
	Lag    []lagRow
	LagNow []string
}

type dependency struct {
	gateway.DependencyStatus
	Reason *reason
}

type trouble struct {
	gateway.Trouble
	Reason reason
}

// dependency is one with what is wrong, in words.
func (v *view) dependency(one gateway.DependencyStatus) dependency {
	shown := dependency{DependencyStatus: one}
	if one.Error != "" {
		why := v.explain(one.Error)
		shown.Reason = &why
	}
	return shown
}

// overview shows how the gateway is, and what it asks.
func (c *Console) overview(ctx context.Context, v *view, w http.ResponseWriter, _ *http.Request) error {
	page, err := c.overviewPage(ctx, v)
	if err != nil {
		return err
	}
	c.show(v, w, http.StatusOK, "gateway", page)
	return nil
}

func (c *Console) overviewPage(ctx context.Context, v *view) (*overviewPage, error) {
	status, err := c.Admin.Status(ctx)
	if err != nil {
		return nil, err
	}
	page := &overviewPage{Status: status, Live: v.Base + "/live/gateway", Lag: c.lagRows(v), LagNow: c.lagNow(v)}
	worst := "ok"
	for _, one := range status.Dependencies {
		shown := v.dependency(one)
		if one.Status == "failed" || one.Status == "warning" && worst == "ok" {
			worst = one.Status
		}
		if one.Name == "database" && one.Status == "failed" {
			page.Database = true
		}
		page.Dependencies = append(page.Dependencies, shown)
	}
	asked, err := c.Admin.Search(ctx, gateway.PeopleFilter{State: "question", Limit: pageRows})
	if err != nil {
		return nil, err
	}
	page.Questions = asked.Users
	for _, state := range states {
		if state != "question" {
			page.People = append(page.People, count{state, asked.Counts[state]})
			page.Connected += asked.Counts[state]
		}
	}
	troubles, err := c.Admin.Troubles(ctx)
	if err != nil {
		return nil, err
	}
	for _, one := range troubles {
		page.Troubles = append(page.Troubles, trouble{one, v.explain(one.Cause)})
	}
	if status.Stopped != "" {
		why := v.explain(status.Stopped)
		page.Stop = &why
	}
	switch {
	case status.Stopped != "":
		page.Tone, page.Headline = "off", v.T("gateway.stopped")
	case worst == "failed":
		page.Tone, page.Headline = "bad", v.T("gateway.failed")
	case len(page.Questions) > 0:
		page.Tone, page.Headline = "bad", v.T("gateway.questions", "Count", asked.Total)
	case worst == "warning":
		page.Tone, page.Headline = "busy", v.T("gateway.warning")
	default:
		page.Tone, page.Headline = "good", v.T("gateway.ok")
	}
	return page, nil
}
