package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// pageRows is how many rows a page of a list holds.
const pageRows = 50

// everybodyPage is the list of connected people.
type everybodyPage struct {
	gateway.PeoplePage
	Text, State, Sort string
	States            []count
	From, To          int
	Previous, Next    string
	// Link is a connect link that was just made, for Invited.
	Link, Invited string
}

// states are the states to filter by, in the order in which they are shown.
var states = []string{
	"question", string(reconciler.PhaseNeedsReconnect), string(reconciler.PhaseConnecting), string(reconciler.PhaseSyncing),
	string(reconciler.PhaseConnected), string(reconciler.PhasePaused),
}

// everybody lists the connected people.
func (c *Console) everybody(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	page, err := c.everybodyPage(ctx, r.URL.Query())
	if err != nil {
		return err
	}
	c.show(v, w, http.StatusOK, "people", page)
	return nil
}

func (c *Console) everybodyPage(ctx context.Context, query url.Values) (*everybodyPage, error) {
	page := &everybodyPage{Text: strings.TrimSpace(query.Get("text")), State: query.Get("state"), Sort: query.Get("sort")}
	number, err := strconv.Atoi(query.Get("page"))
	if err != nil || number < 1 || number > 1_000_000 {
		number = 1
	}
	filter := gateway.PeopleFilter{Text: page.Text, State: page.State, Sort: page.Sort, Offset: (number - 1) * pageRows, Limit: pageRows}
	if page.PeoplePage, err = c.Admin.Search(ctx, filter); err != nil {
		return nil, err
	}
	for _, state := range states {
		page.States = append(page.States, count{state, page.Counts[state]})
	}
	page.From, page.To = filter.Offset+1, filter.Offset+len(page.Users)
	if number > 1 {
		page.Previous = page.address("page", strconv.Itoa(number-1))
	}
	if page.To < page.Total {
		page.Next = page.address("page", strconv.Itoa(number+1))
	}
	return page, nil
}

// address is this list with one thing changed.
func (p *everybodyPage) address(name, value string) string {
	query := url.Values{}
	for known, is := range map[string]string{"text": p.Text, "state": p.State, "sort": p.Sort} {
		if is != "" {
			query.Set(known, is)
		}
	}
	if name == "state" {
		query.Del("state")
	}
	if value != "" {
		query.Set(name, value)
	}
	return "?" + query.Encode()
}

// SortBy is this list sorted by a column, the other way round if it is already.
func (p *everybodyPage) SortBy(column string) string {
	if p.Sort == column || p.Sort == "" && column == "name" {
		column = "-" + column
	}
	return p.address("sort", column)
}

// Sorted is what a column says to screen readers.
func (p *everybodyPage) Sorted(column string) string {
	switch {
	case p.Sort == column || p.Sort == "" && column == "name":
		return "ascending"
	case p.Sort == "-"+column:
		return "descending"
	}
	return "none"
}

// Only is this list with the people of one state.
func (p *everybodyPage) Only(state string) string { return p.address("state", state) }

// invite makes a connect link for anybody in NightPOS.
func (c *Console) invite(ctx context.Context, v *view, w http.ResponseWriter, r *http.Request) error {
	person, err := c.Visitors.Find(ctx, strings.TrimSpace(r.PostForm.Get("user")))
	if err != nil {
		if isNobody(err) {
			err = &gateway.Refusal{Status: http.StatusNotFound, Text: "NightPOS has no user with this id or login"}
		}
		return err
	}
	choice := gateway.Choice{FirstSync: gateway.FirstSyncAll}
	if r.PostForm.Get("first_sync") == gateway.FirstSyncNew {
		choice.FirstSync = gateway.FirstSyncNew
	}
	address, _, err := c.Visitors.Link(ctx, person, choice)
	if err != nil {
		return err
	}
	c.note(ctx, v, "connect link", person.UserID, "first sync "+choice.FirstSync)
	page, err := c.everybodyPage(ctx, url.Values{})
	if err != nil {
		return err
	}
	page.Link, page.Invited = address, person.Name
	c.show(v, w, http.StatusOK, "people", page)
	return nil
}
