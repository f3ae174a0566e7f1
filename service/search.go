package service

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// stateQuestion is not a state of its own: somebody has to answer a sweep.
const stateQuestion = "question"

// Search implements gateway.Admin.
func (a admin) Search(ctx context.Context, filter gateway.PeopleFilter) (gateway.PeoplePage, error) {
	states, err := a.service.store.MemberStates(ctx)
	if err != nil {
		return gateway.PeoplePage{}, err
	}
	page := gateway.PeoplePage{Counts: map[string]int{}}
	text := strings.ToLower(strings.TrimSpace(filter.Text))
	field, descending := strings.CutPrefix(filter.Sort, "-")
	type match struct {
		key   string
		index int
	}
	var found []match
	for index := range states {
		state := &states[index]
		phase := string(state.Phase(true))
		page.Counts[phase]++
		if state.Halted.Open() {
			page.Counts[stateQuestion]++
		}
		if filter.State != "" && filter.State != phase && (filter.State != stateQuestion || !state.Halted.Open()) {
			continue
		}
		if text == "" || strings.Contains(strings.ToLower(state.Name), text) || strings.Contains(strings.ToLower(state.Login), text) ||
			strings.Contains(strings.ToLower(state.Mailbox), text) {
			found = append(found, match{sortKey(field, state), index})
		}
	}
	slices.SortFunc(found, func(one, other match) int {
		order := cmp.Or(strings.Compare(one.key, other.key), cmp.Compare(states[one.index].UserID, states[other.index].UserID))
		if descending {
			return -order
		}
		return order
	})
	page.Total = len(found)
	from := min(max(filter.Offset, 0), len(found))
	var shown []redis.MemberState
	for _, one := range found[from:min(from+filter.Limit, len(found))] {
		shown = append(shown, states[one.index])
	}
	page.Users, err = a.showAll(ctx, shown)
	return page, err
}

// sortKey is what people are sorted by, before their ids.
func sortKey(field string, state *redis.MemberState) string {
	switch field {
	case "login":
		return strings.ToLower(state.Login)
	case "mailbox":
		return strings.ToLower(state.Mailbox)
	case "state":
		return string(state.Phase(true))
	}
	return strings.ToLower(state.Name)
}

func (a admin) showAll(ctx context.Context, states []redis.MemberState) ([]gateway.User, error) {
	users := make([]gateway.User, len(states))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	for index, state := range states {
		group.Go(func() (err error) {
			users[index], err = a.show(reading, state)
			return err
		})
	}
	return users, group.Wait()
}

const (
	// troublesAge is how long the troubles of everybody are remembered: they take a
	// look at each person.
	troublesAge = 15 * time.Second
	// troubledShown is how many people are named with each cause.
	troubledShown = 5
)

// troubles remembers what was wrong with everybody.
type troubles struct {
	mutex sync.Mutex
	read  time.Time
	known []gateway.Trouble
}

// differs is what differs between two people with the same trouble.
var differs = regexp.MustCompile(`[0-9a-fA-F]{8,}(?:-[0-9a-fA-F]{4,})*|\d+|[^\s<>"']+@[^\s<>"',;]+`)

// Troubles implements gateway.Admin.
func (a admin) Troubles(ctx context.Context) ([]gateway.Trouble, error) {
	kept := &a.service.troubles
	kept.mutex.Lock()
	defer kept.mutex.Unlock()
	now := a.service.config.Now()
	if kept.known != nil && now.Sub(kept.read).Abs() < troublesAge {
		return kept.known, nil
	}
	states, err := a.service.store.MemberStates(ctx)
	if err != nil {
		return nil, err
	}
	causes := make([]string, len(states))
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	for index, state := range states {
		switch {
		case state.Refused != "":
			causes[index] = state.Refused
		case state.Halted.Open() || state.Paused || state.Job != "":
		default:
			group.Go(func() (err error) {
				causes[index], err = a.service.store.Trouble(reading, state.ID)
				return err
			})
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	grouped := map[string]*gateway.Trouble{}
	for index, cause := range causes {
		if cause == "" {
			continue
		}
		cause = differs.ReplaceAllString(cause, "…")
		if grouped[cause] == nil {
			grouped[cause] = &gateway.Trouble{Cause: cause}
		}
		group := grouped[cause]
		if group.Count++; len(group.Users) < troubledShown {
			group.Users = append(group.Users, gateway.User{ID: states[index].UserID, Login: states[index].Login, Name: states[index].Name})
		}
	}
	kept.known, kept.read = []gateway.Trouble{}, now
	for _, group := range grouped {
		kept.known = append(kept.known, *group)
	}
	slices.SortFunc(kept.known, func(one, other gateway.Trouble) int {
		return cmp.Or(other.Count-one.Count, strings.Compare(one.Cause, other.Cause))
	})
	return kept.known, nil
}

// Titles implements gateway.Admin.
func (a admin) Titles(ctx context.Context, viewer int64, ids []int64) (map[int64]gateway.EventTitle, error) {
	titles := map[int64]gateway.EventTitle{}
	if len(ids) == 0 {
		return titles, nil
	}
	records, err := a.service.clerk.suite.Read(ctx, ids)
	if err != nil {
		return nil, err
	}
	member := reconciler.Member{}
	states, err := a.service.store.MemberStates(ctx)
	if err != nil {
		return nil, err
	}
	if index := slices.IndexFunc(states, func(state redis.MemberState) bool { return state.UserID == viewer }); index >= 0 {
		member = states[index].Member
	}
	for id, record := range records {
		event := record.Event
		title := gateway.EventTitle{
			Title: event.Title, Start: event.When.Start, AllDay: event.When.AllDay,
			Private: record.Masked || event.Privacy == reconciler.PrivacyPrivate || event.Privacy == reconciler.PrivacyConfidential,
		}
		concerned := viewer != 0 && record.OrganizerUserID == viewer || member.Is(event.Organizer) || slices.ContainsFunc(event.People, member.Is)
		if title.Private && !concerned {
			title.Title = ""
		}
		titles[id] = title
	}
	return titles, nil
}
