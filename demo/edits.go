package demo

import (
	"fmt"
	"net/http"
	"strings"
	"time"
)

func (p *page) create(r *http.Request) (any, error) {
	calendar, member, err := p.acting(r)
	if err != nil {
		return nil, err
	}
	var edit Edit
	if err := decode(r, &edit); err != nil {
		return nil, err
	}
	if edit.When == nil {
		return nil, refusal{http.StatusBadRequest, "A new event needs a time."}
	}
	if err := edit.check(); err != nil {
		return nil, err
	}
	id, err := calendar.Create(r.Context(), member.Login, edit)
	if err != nil {
		return nil, err
	}
	return map[string]string{"id": id}, nil
}

func (p *page) update(r *http.Request) (any, error) {
	calendar, member, err := p.acting(r)
	if err != nil {
		return nil, err
	}
	var edit Edit
	if err := decode(r, &edit); err != nil {
		return nil, err
	}
	if err := edit.check(); err != nil {
		return nil, err
	}
	if edit.Repeat != nil {
		return nil, refusal{http.StatusBadRequest, "Only a new event can be made to repeat here."}
	}
	scope, err := scopeOf(r)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	return map[string]string{"id": id}, calendar.Update(r.Context(), member.Login, id, scope, edit)
}

// scopeOf is the part of a series that a request is about.
func scopeOf(r *http.Request) (Scope, error) {
	switch scope := Scope(r.URL.Query().Get("scope")); scope {
	case "", One:
		return One, nil
	case Following, All:
		return scope, nil
	default:
		return "", refusal{http.StatusBadRequest, "The scope is one, following or all."}
	}
}

func (p *page) remove(r *http.Request) (any, error) {
	calendar, member, err := p.acting(r)
	if err != nil {
		return nil, err
	}
	scope, err := scopeOf(r)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	return map[string]string{"id": id}, calendar.Delete(r.Context(), member.Login, id, scope)
}

func (p *page) answer(r *http.Request) (any, error) {
	calendar, member, err := p.acting(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Answer Answer `json:"answer"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	scope, err := scopeOf(r)
	if err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	return map[string]string{"id": id}, calendar.Answer(r.Context(), member.Login, id, scope, body.Answer)
}

func (p *page) archive(r *http.Request) (any, error) {
	member, err := p.member(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		Archived bool `json:"archived"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	id := r.PathValue("id")
	return map[string]string{"id": id}, p.world.NightPOS.SetArchived(r.Context(), member.Login, id, body.Archived)
}

func (p *page) preset(r *http.Request) (any, error) {
	member, err := p.member(r)
	if err != nil {
		return nil, err
	}
	var body struct {
		// From is the first day of the week on show.
		From time.Time `json:"from"`
	}
	if err := decode(r, &body); err != nil {
		return nil, err
	}
	note, err := p.presets.run(r.Context(), r.PathValue("preset"), member, body.From)
	if err != nil {
		return nil, err
	}
	return map[string]string{"note": note}, nil
}

// mostTimes bounds the series that the page makes: two years of weeks.
const mostTimes = 104

// check refuses what no form of either side would let through.
func (e Edit) check() error {
	if e.Title != nil && strings.TrimSpace(*e.Title) == "" {
		return refusal{http.StatusBadRequest, "An event needs a title."}
	}
	if e.When != nil {
		if e.When.End.Before(e.When.Start) || e.When.AllDay && !e.When.Start.Before(e.When.End) {
			return refusal{http.StatusBadRequest, "The end must be after the start."}
		}
		day := 24 * time.Hour
		if e.When.AllDay && (!e.When.Start.Equal(e.When.Start.Truncate(day)) || !e.When.End.Equal(e.When.End.Truncate(day))) {
			return refusal{http.StatusBadRequest, "An all-day event starts and ends at midnight UTC."}
		}
	}
	if e.Repeat != nil && (e.Repeat.Times < 2 || e.Repeat.Times > mostTimes) {
		return refusal{http.StatusBadRequest, fmt.Sprintf("A series has 2 to %d occurrences here.", mostTimes)}
	}
	if e.People != nil {
		for _, address := range *e.People {
			if name, host, found := strings.Cut(address, "@"); !found || name == "" || host == "" {
				return refusal{http.StatusBadRequest, address + " is not a mail address."}
			}
		}
	}
	return nil
}
