package console

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// lagStep is how far the points of the chart are apart.
const lagStep = 5 * time.Minute

// lagRow is an hour of the table.
type lagRow struct {
	gateway.LagPoint
	Side string
}

// lagRows are the hours of the last day, newest first.
func (c *Console) lagRows(v *view) []lagRow {
	points := c.Admin.Lag(time.Hour)
	rows := make([]lagRow, 0, len(points))
	for index := len(points) - 1; index >= 0; index-- {
		rows = append(rows, lagRow{points[index], v.SideName(points[index].From)})
	}
	return rows
}

// lagNow are the sentences about the last hour in which something changed.
func (c *Console) lagNow(v *view) (sentences []string) {
	points := c.Admin.Lag(time.Hour)
	for _, side := range []reconciler.Side{reconciler.SideOutlook, reconciler.SideNightPOS} {
		for index := len(points) - 1; index >= 0; index-- {
			if point := points[index]; point.From == side {
				sentences = append(sentences, v.T("lag.now", "Side", v.SideName(side), "Median", v.Took(int64(point.Median)), "Slow", v.Took(int64(point.Slow))))
				break
			}
		}
	}
	return sentences
}

// lag answers the script of the chart.
func (c *Console) lag(_ context.Context, v *view, w http.ResponseWriter, _ *http.Request) error {
	text, err := json.Marshal(struct {
		// Zone is the visitor's.
		Zone   string             `json:"zone"`
		Points []gateway.LagPoint `json:"points"`
	}{v.Zone(), c.Admin.Lag(lagStep)})
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(text)
	return nil
}
