package service

import (
	"context"
	"net/http"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// Preview implements gateway.Admin.
func (a admin) Preview(ctx context.Context, id string) (gateway.Preview, error) {
	if _, err := a.ready(ctx, id); err != nil {
		return gateway.Preview{}, err
	}
	foreseen, err := a.service.engine.Preview(ctx, id)
	if err != nil {
		return gateway.Preview{}, err
	}
	preview := gateway.Preview{Events: make([]gateway.PreviewEvent, 0, len(foreseen)), Counts: map[string]int{}}
	for _, one := range foreseen {
		preview.Counts[string(one.Action)]++
		if one.Withheld.Why != "" {
			preview.Held += one.Withheld.Mails
		} else {
			preview.Mails += len(one.Mails)
		}
		shown := gateway.PreviewEvent{
			Action: string(one.Action), Side: one.Side, Why: one.Why, Class: one.Withheld.Class, Start: one.Event.When.Start.UTC(),
			Title: one.Event.Title, RecordID: one.RecordID, OutlookID: one.GraphID, Fields: one.Fields, Mails: one.Mails,
		}
		if one.Event.Privacy == reconciler.PrivacyPrivate || one.Event.Privacy == reconciler.PrivacyConfidential {
			shown.Title = ""
		}
		preview.Events = append(preview.Events, shown)
	}
	return preview, nil
}

// halted keeps what a sweep asks with the person.
func (s *Service) halted(ctx context.Context, lane string, halt reconciler.Halt) error {
	return s.store.UpdateMember(ctx, lane, func(state *redis.MemberState) (bool, error) {
		changed := state.Halted != halt
		state.Halted = halt
		return changed, nil
	})
}

// Answer implements gateway.Admin.
func (a admin) Answer(ctx context.Context, id string, apply bool) error {
	state, err := a.ready(ctx, id)
	if err != nil {
		return err
	}
	if !state.Halted.Open() {
		return refuse(http.StatusConflict, "no sweep of this person waits for an answer")
	}
	answer := reconciler.AnswerKeep
	if apply {
		answer = reconciler.AnswerApply
	}
	err = a.service.store.UpdateMember(ctx, id, func(state *redis.MemberState) (bool, error) {
		changed := state.Halted.Answer != answer
		state.Halted.Answer = answer
		return changed, nil
	})
	if err != nil {
		return err
	}
	return a.service.Sweep(ctx, id)
}
