package service

import (
	"context"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// Validate compares a lane's calendars as a whole, and writes nothing.
func (s *Service) Validate(ctx context.Context, lane string) (reconciler.Validation, error) {
	return s.engine.Validate(ctx, lane)
}

// Validate implements gateway.Admin.
func (a admin) Validate(ctx context.Context, id string) (gateway.Validation, error) {
	if _, err := a.ready(ctx, id); err != nil {
		return gateway.Validation{}, err
	}
	found, err := a.service.engine.Validate(ctx, id)
	if err != nil {
		return gateway.Validation{}, err
	}
	validation := gateway.Validation{
		Equal: true, Pairs: found.Pairs, Counts: map[reconciler.Cause]int{},
		Differences: make([]gateway.ValidationDifference, 0, len(found.Differences)),
	}
	for _, one := range found.Differences {
		validation.Counts[one.Cause]++
		validation.Equal = validation.Equal && !one.Cause.Drift()
		shown := gateway.ValidationDifference{
			Cause: one.Cause, Drift: one.Cause.Drift(), Why: one.Why, Title: one.Event.Title, Start: one.Event.When.Start.UTC(),
			RecordID: one.RecordID, OutlookID: one.GraphID, Fields: one.Fields,
		}
		if one.Event.Privacy == reconciler.PrivacyPrivate || one.Event.Privacy == reconciler.PrivacyConfidential {
			shown.Title = ""
		}
		validation.Differences = append(validation.Differences, shown)
	}
	return validation, nil
}
