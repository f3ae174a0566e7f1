package gateway

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// maxCategories and maxCategory bound a list of categories and a name in it, in
	// letters: Outlook's own names are no longer.
	maxCategories = 50
	maxCategory   = 255
)

// CategoryList checks names of categories and brings them into their usual form.
func CategoryList(names []string) ([]string, error) {
	kept := reconciler.CategoryNames(names)
	if len(kept) > maxCategories {
		return nil, fmt.Errorf("it names %d categories and may name %d", len(kept), maxCategories)
	}
	for _, name := range kept {
		switch {
		case utf8.RuneCountInString(name) > maxCategory:
			return nil, fmt.Errorf("a name of a category may have %d letters", maxCategory)
		case strings.ContainsFunc(name, unicode.IsControl) || strings.Contains(name, ","):
			return nil, errors.New("a name of a category is one line without a comma")
		}
	}
	return kept, nil
}

// Check refuses choices that are none, and brings the names into their usual form.
func (c Choices) Check() (Choices, error) {
	if c.PrivateEvents != nil && !slices.Contains(reconciler.PrivateModes(), reconciler.PrivateEvents(*c.PrivateEvents)) {
		return c, &Refusal{http.StatusUnprocessableEntity, `private_events must be "full", "busy_only" or "skip", or null for what the gateway's settings say`}
	}
	var err error
	if c.SkipCategories, err = CategoryList(c.SkipCategories); err != nil {
		return c, &Refusal{http.StatusUnprocessableEntity, "skip_categories: " + err.Error()}
	}
	if c.OnlyCategories, err = CategoryList(c.OnlyCategories); err != nil {
		return c, &Refusal{http.StatusUnprocessableEntity, "only_categories: " + err.Error()}
	}
	return c, nil
}

// saveChoices replaces what a person has chosen.
func (a *api) saveChoices(ctx context.Context, id string, r *http.Request) (int, any, error) {
	var asked Choices
	if err := readJSON(r, &asked); err != nil {
		return 0, nil, err
	}
	asked, err := asked.Check()
	if err != nil {
		return 0, nil, err
	}
	saved, err := a.admin.SaveChoices(ctx, id, asked)
	if err != nil {
		return 0, nil, err
	}
	a.done(ctx, "choices", number(id), saved.Told())
	return http.StatusOK, saved, nil
}

// Told is what was chosen, in words for the list of administrators' deeds. The
// names of categories are a person's own affair.
func (v ChoicesView) Told() string {
	said := "private events " + *v.Effective.PrivateEvents
	if count := len(v.Effective.SkipCategories); count > 0 {
		said += fmt.Sprintf(", without %d categories", count)
	}
	if count := len(v.Effective.OnlyCategories); count > 0 {
		said += fmt.Sprintf(", only %d categories", count)
	}
	return said
}
