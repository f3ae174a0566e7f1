package service

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/reconciler"
)

// Activity implements gateway.Admin: the logs of the people and what
// administrators did, put together by time. A page ends between two instants, so
// that the next one, which begins before its last, misses nothing.
func (a admin) Activity(ctx context.Context, filter gateway.ActivityFilter) ([]gateway.ActivityLine, error) {
	s := a.service
	lanes, most := []string{filter.User}, laneLines
	if filter.Event == "" {
		most = filter.Limit
	}
	if filter.User == "" {
		members, err := s.store.Members(ctx)
		if err != nil {
			return nil, err
		}
		lanes = nil
		for _, member := range members {
			lanes = append(lanes, member.ID)
		}
	}
	found := make([][]gateway.ActivityLine, len(lanes)+1)
	group, reading := errgroup.WithContext(ctx)
	group.SetLimit(readersAtOnce)
	for index, lane := range lanes {
		group.Go(func() error {
			activities, err := s.store.Activities(reading, lane, filter.Before, most)
			for _, activity := range activities {
				if line := lineOf(activity); line.concerns(filter) {
					found[index] = append(found[index], line.ActivityLine)
				}
			}
			return err
		})
	}
	group.Go(func() (err error) {
		found[len(lanes)], err = a.deeds(reading, filter)
		return err
	})
	if err := group.Wait(); err != nil {
		return nil, err
	}
	lines := slices.Concat(found...)
	slices.SortStableFunc(lines, func(one, other gateway.ActivityLine) int { return other.At.Compare(one.At) })
	end := min(filter.Limit, len(lines))
	for end < len(lines) && end > 0 && lines[end].At.Equal(lines[end-1].At) {
		end++
	}
	if lines = lines[:end]; lines == nil {
		lines = []gateway.ActivityLine{}
	}
	return lines, nil
}

// laneLines is more than a lane's log ever holds.
const laneLines = 2000

type activityLine struct{ gateway.ActivityLine }

// concerns says whether a line is about the event that is asked for.
func (l activityLine) concerns(filter gateway.ActivityFilter) bool {
	return filter.Event == "" || filter.Event == l.OutlookID || filter.Event == strconv.FormatInt(l.RecordID, 10)
}

func lineOf(activity reconciler.Activity) activityLine {
	line := gateway.ActivityLine{
		At: activity.Time, RecordID: activity.RecordID, OutlookID: activity.GraphID, From: activity.From,
		Action: string(activity.Action), Fields: activity.Fields, LagMS: activity.Lag.Milliseconds(), Mails: activity.Mails, Reason: activity.Reason,
	}
	line.User, _ = strconv.ParseInt(activity.Lane, 10, 64)
	if activity.From != "" && activity.Action != "" {
		line.To = activity.From.Other()
	}
	for _, conflict := range activity.Conflicts {
		line.Conflict = append(line.Conflict, gateway.ConflictLine{
			Field: conflict.Field, Loser: conflict.Loser, Value: conflict.Lost, Kept: conflict.Value, ID: conflict.ID, Restored: conflict.Restored,
		})
	}
	return activityLine{line}
}

// Audit implements gateway.Admin.
func (a admin) Audit(ctx context.Context, deed gateway.Deed) error {
	text, err := json.Marshal(deed)
	if err != nil {
		return fmt.Errorf("keeping who did what: %w", err)
	}
	return a.service.store.Audit(ctx, text)
}

// note keeps what the gateway itself did for everybody, beside what
// administrators do.
func (s *Service) note(ctx context.Context, action, detail string) error {
	return admin{s}.Audit(ctx, gateway.Deed{At: s.config.Now().UTC(), By: "gateway", Action: action, Detail: detail})
}

// deeds are what administrators did.
func (a admin) deeds(ctx context.Context, filter gateway.ActivityFilter) ([]gateway.ActivityLine, error) {
	if filter.Event != "" {
		return nil, nil
	}
	kept, err := a.service.store.Audits(ctx)
	if err != nil {
		return nil, err
	}
	var lines []gateway.ActivityLine
	for _, text := range kept {
		var deed gateway.Deed
		if err := json.Unmarshal(text, &deed); err != nil {
			return nil, fmt.Errorf("reading who did what: %w", err)
		}
		if filter.User != "" && filter.User != strconv.FormatInt(deed.User, 10) || !filter.Before.IsZero() && !deed.At.Before(filter.Before) {
			continue
		}
		lines = append(lines, gateway.ActivityLine{At: deed.At, User: deed.User, Action: deed.Action, By: deed.By, Reason: deed.Detail})
	}
	return lines, nil
}
