package service

import (
	"cmp"
	"context"
	"errors"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// choicesOf are those that hold for people who have not chosen.
func choicesOf(settings gateway.Settings) reconciler.Choices {
	return reconciler.Choices{
		Private: reconciler.PrivateEvents(cmp.Or(settings.PrivateEvents, string(reconciler.PrivateFull))),
		Skip:    append([]string{}, settings.SkipCategories...), Only: append([]string{}, settings.OnlyCategories...),
	}
}

// Choices implements gateway.Admin.
func (a admin) Choices(ctx context.Context, id string) (gateway.ChoicesView, error) {
	state, err := a.state(ctx, id)
	if err != nil {
		return gateway.ChoicesView{}, err
	}
	return gateway.ChoicesView{
		Choices: shownChoices(state.Choices), Effective: shownChoices(state.Choices.Or(choicesOf(a.service.config.Settings))),
	}, nil
}

func shownChoices(choices reconciler.Choices) gateway.Choices {
	shown := gateway.Choices{SkipCategories: choices.Skip, OnlyCategories: choices.Only}
	if choices.Private != reconciler.PrivateUnchosen {
		mode := string(choices.Private)
		shown.PrivateEvents = &mode
	}
	return shown
}

// SaveChoices implements gateway.Admin.
func (a admin) SaveChoices(ctx context.Context, id string, asked gateway.Choices) (gateway.ChoicesView, error) {
	asked, err := asked.Check()
	if err != nil {
		return gateway.ChoicesView{}, err
	}
	next := reconciler.Choices{Skip: asked.SkipCategories, Only: asked.OnlyCategories}
	if asked.PrivateEvents != nil {
		next.Private = reconciler.PrivateEvents(*asked.PrivateEvents)
	}
	changed := false
	err = a.service.store.UpdateMember(ctx, id, func(state *redis.MemberState) (bool, error) {
		changed = !state.Choices.Equal(next)
		state.Choices = next
		return changed, nil
	})
	if errors.Is(err, redis.ErrNotFound) {
		err = gateway.ErrNobody
	}
	if err == nil && changed {
		// Other replicas go by the former choices for a moment yet, and the sweep after
		// that finds what they did.
		if err = a.service.Sweep(ctx, id); err == nil {
			a.service.sweepOnceKnown(id)
		}
	}
	if err != nil {
		return gateway.ChoicesView{}, err
	}
	return a.Choices(ctx, id)
}
