package gateway

import (
	"context"
	"net/http"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// Validation is what came of comparing a calendar on both sides.
type Validation struct {
	// Equal says that nothing differs that ought to be equal.
	Equal bool `json:"equal"`
	// Pairs is how many meetings, a series counting as one, both sides have.
	Pairs int `json:"pairs"`
	// Counts are the differences of each cause.
	Counts      map[reconciler.Cause]int `json:"counts"`
	Differences []ValidationDifference   `json:"differences"`
}

// ValidationDifference is a meeting in which the two sides differ.
type ValidationDifference struct {
	Cause reconciler.Cause `json:"cause"`
	// Drift says that it ought to be equal.
	Drift bool   `json:"drift"`
	Why   string `json:"why"`
	// Title is left out of private events.
	Title     string             `json:"title,omitempty"`
	Start     time.Time          `json:"start"`
	RecordID  int64              `json:"record_id,omitempty"`
	OutlookID string             `json:"outlook_id,omitempty"`
	Fields    []reconciler.Field `json:"fields,omitempty"`
}

// validate answers how the two sides of a calendar differ.
func (a *api) validate(ctx context.Context, id string, _ *http.Request) (int, any, error) {
	validation, err := a.admin.Validate(ctx, id)
	return http.StatusOK, validation, err
}
