package nightpos

import (
	"context"
	"strconv"
	"strings"
)

// The menu entry under Calendar opens the gateway's page, which knows from
// NightPOS's session who clicked it.
const (
	pageName = namePrefix + "page"
	menuName = "Outlook"
	// calendarMenu is the external id, in the module calendar, of the entry that it
	// is put under.
	calendarMenu = "mail_menu_calendar"
	linkModel    = "ir.actions.act_url"
	menuModel    = "ir.ui.menu"
)

type linkRow struct {
	ID     int64 `json:"id"`
	URL    text  `json:"url"`
	Target text  `json:"target"`
}

type menuRow struct {
	ID     int64     `json:"id"`
	Parent reference `json:"parent_id"`
	Action text      `json:"action"`
}

// links are the gateway's pages in NightPOS.
func (r *registrar) links(ctx context.Context) ([]linkRow, error) {
	var links []linkRow
	err := r.searchRead(ctx, linkModel, []any{[]any{"name", "=", pageName}}, []string{"url", "target"}, &links)
	return links, err
}

// menus are the entries that open one of these pages.
func (r *registrar) menus(ctx context.Context, links []linkRow) ([]menuRow, error) {
	var named, found []menuRow
	if err := r.searchRead(ctx, menuModel, []any{[]any{"name", "=", menuName}}, []string{"parent_id", "action"}, &named); err != nil {
		return nil, err
	}
	for _, menu := range named {
		for _, link := range links {
			if string(menu.Action) == actionOf(link.ID) {
				found = append(found, menu)
			}
		}
	}
	return found, nil
}

func actionOf(link int64) string { return linkModel + "," + strconv.FormatInt(link, 10) }

// calendar is the id of the entry that the gateway's is put under; zero where this
// NightPOS has none.
func (r *registrar) calendar(ctx context.Context) (int64, error) {
	var known []struct {
		ID int64 `json:"res_id"`
	}
	domain := []any{[]any{"module", "=", "calendar"}, []any{"name", "=", calendarMenu}, []any{"model", "=", menuModel}}
	if err := r.searchRead(ctx, "ir.model.data", domain, []string{"res_id"}, &known); err != nil || len(known) == 0 {
		return 0, err
	}
	return known[0].ID, nil
}

// ensureMenu has an entry under Calendar that opens the gateway's page. One that an
// administrator hid or moved stays so.
func (r *registrar) ensureMenu(ctx context.Context) error {
	parent, err := r.calendar(ctx)
	if err != nil || parent == 0 || r.registration.PageURL == "" {
		return err
	}
	links, err := r.links(ctx)
	if err != nil {
		return err
	}
	vals := values{"name": pageName, "type": linkModel, "url": r.registration.PageURL, "target": "new"}
	switch {
	case len(links) == 0:
		id, err := r.create(ctx, linkModel, vals)
		if err != nil {
			return err
		}
		links = []linkRow{{ID: id}}
	case string(links[0].URL) != r.registration.PageURL || links[0].Target != "new":
		r.note("had the menu entry %q under Calendar open the gateway's page", menuName)
		if err := r.write(ctx, linkModel, links[0].ID, vals); err != nil {
			return err
		}
	}
	menus, err := r.menus(ctx, links[:1])
	if err != nil || len(menus) > 0 {
		return err
	}
	r.note("made the menu entry %q under Calendar", menuName)
	_, err = r.create(ctx, menuModel, values{"name": menuName, "parent_id": parent, "action": actionOf(links[0].ID), "sequence": 90})
	return err
}

func (r *registrar) inspectMenu(ctx context.Context) ([]Finding, error) {
	parent, err := r.calendar(ctx)
	if err != nil || parent == 0 || r.registration.PageURL == "" {
		return nil, err
	}
	links, err := r.links(ctx)
	if err != nil {
		return nil, err
	}
	menus, err := r.menus(ctx, links)
	switch {
	case err != nil:
		return nil, err
	case len(menus) == 0:
		return []Finding{{KindMenu, menuName, WrongMissing}}, nil
	case !strings.EqualFold(string(links[0].URL), r.registration.PageURL):
		return []Finding{{KindMenu, menuName, WrongMoved}}, nil
	}
	return nil, nil
}

func (r *registrar) removeMenu(ctx context.Context) error {
	links, err := r.links(ctx)
	if err != nil {
		return err
	}
	menus, err := r.menus(ctx, links)
	if err != nil {
		return err
	}
	for _, menu := range menus {
		if err := r.unlink(ctx, menuModel, menu.ID); err != nil {
			return err
		}
		r.note("removed the menu entry %q", menuName)
	}
	for _, link := range links {
		if err := r.unlink(ctx, linkModel, link.ID); err != nil {
			return err
		}
	}
	return nil
}
