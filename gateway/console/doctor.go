package console

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/nightpos/outlook-gateway/gateway"
)

// doctorPage is what the last examination found, or how far the present one is.
type doctorPage struct {
	gateway.Examination
	// Running says that it is under way.
	Running bool
	// Tone and Headline are the outcome in one sentence.
	Tone, Headline string
	Areas          []area
	Live           string
}

// area is a part of an examination with its findings.
type area struct {
	Name     string
	Findings []gateway.Finding
}

// doctor shows them.
func (c *Console) doctor(ctx context.Context, v *view, w http.ResponseWriter, _ *http.Request) error {
	page, err := c.doctorPage(ctx, v)
	if err != nil {
		return err
	}
	c.show(v, w, http.StatusOK, "doctor", page)
	return nil
}

// severity orders what a check can end with.
var severity = map[string]int{"warning": 1, "failed": 2}

func (c *Console) doctorPage(ctx context.Context, v *view) (*doctorPage, error) {
	found, err := c.Admin.Examination(ctx)
	if err != nil {
		return nil, err
	}
	page := &doctorPage{Examination: found, Running: !found.Began.IsZero() && found.Ended.IsZero(), Live: v.Base + "/live/doctor"}
	count := map[string]int{}
	for _, finding := range found.Rows {
		count[finding.Status]++
		name, _, _ := strings.Cut(finding.Check, ".")
		index := slices.IndexFunc(page.Areas, func(known area) bool { return known.Name == name })
		if index < 0 {
			index = len(page.Areas)
			page.Areas = append(page.Areas, area{Name: name})
		}
		page.Areas[index].Findings = append(page.Areas[index].Findings, finding)
	}
	// What there is to do comes first.
	for _, part := range page.Areas {
		slices.SortStableFunc(part.Findings, func(a, b gateway.Finding) int { return severity[b.Status] - severity[a.Status] })
	}
	switch {
	case found.Began.IsZero():
		page.Tone, page.Headline = "off", v.T("doctor.never")
	case page.Running:
		page.Tone, page.Headline = "busy", v.T("doctor.running")
	case found.Done < found.Total || found.Total == 0:
		page.Tone, page.Headline = "bad", v.T("doctor.given_up")
	case count["failed"] > 0:
		page.Tone, page.Headline = "bad", v.T("doctor.failed", "Count", count["failed"])
	case count["warning"] > 0:
		page.Tone, page.Headline = "busy", v.T("doctor.warning", "Count", count["warning"])
	default:
		page.Tone, page.Headline = "good", v.T("doctor.ok", "Count", count["ok"])
	}
	return page, nil
}

// examine begins an examination.
func (c *Console) examine(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	if err := c.Admin.Examine(ctx); err != nil {
		return err
	}
	c.note(ctx, v, "examine", 0, "")
	next := "/doctor"
	if r.PostForm.Get("next") == "guide" {
		next = "/guide"
	}
	c.turn(v, w, r, next, "")
	return nil
}
