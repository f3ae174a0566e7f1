package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/google/uuid"
	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
)

const (
	// logLength is how many activities a lane keeps.
	logLength = 1000
	// lostLife is how long a conflict's replaced value can be had back.
	lostLife = 30 * 24 * time.Hour
)

// line is an activity as it is stored. Values that a conflict replaced are not
// in it: they are encrypted under keys of their own that expire.
type line struct {
	Time      int64              `json:"t"`
	RecordID  int64              `json:"r,omitempty"`
	GraphID   string             `json:"g,omitempty"`
	From      reconciler.Side    `json:"s,omitempty"`
	Action    reconciler.Action  `json:"a,omitempty"`
	Fields    []reconciler.Field `json:"f,omitempty"`
	Lag       int64              `json:"l,omitempty"`
	Mails     int                `json:"m,omitempty"`
	Conflicts []conflictLine     `json:"c,omitempty"`
	Reason    string             `json:"w,omitempty"`
}

type conflictLine struct {
	Field reconciler.Field `json:"f"`
	Entry string           `json:"e,omitempty"`
	Loser reconciler.Side  `json:"l"`
	// Lost is the id under which the value is kept, empty for none.
	Lost string `json:"v,omitempty"`
}

// logLines turns activities into arguments of the commit script. Lost values
// are stored before the line that names them: one that nobody names expires.
func (s *Store) logLines(ctx context.Context, lane string, activities []reconciler.Activity) ([]any, error) {
	var lines []any
	for _, activity := range activities {
		stored := line{
			Time: activity.Time.UnixMilli(), RecordID: activity.RecordID, GraphID: activity.GraphID, From: activity.From,
			Action: activity.Action, Fields: activity.Fields, Lag: activity.Lag.Milliseconds(), Mails: activity.Mails, Reason: activity.Reason,
		}
		for _, conflict := range activity.Conflicts {
			kept := conflictLine{Field: conflict.Field, Entry: conflict.Entry, Loser: conflict.Loser}
			if conflict.Lost != "" {
				id, err := s.keepLost(ctx, lane, conflict.Lost)
				if err != nil {
					return nil, err
				}
				kept.Lost = id
			}
			stored.Conflicts = append(stored.Conflicts, kept)
		}
		text, err := json.Marshal(stored)
		if err != nil {
			return nil, fmt.Errorf("keeping the log: %w", err)
		}
		lines = append(lines, text)
	}
	return lines, nil
}

func (s *Store) keepLost(ctx context.Context, lane, value string) (string, error) {
	id := uuid.NewString()
	key := s.keys.lost(lane, id)
	sealed, err := s.Seal.Seal([]byte(value), key)
	if err != nil {
		return "", err
	}
	if err := s.client.Set(ctx, key, sealed, lostLife).Err(); err != nil {
		return "", fmt.Errorf("keeping a conflict's other value: %w", err)
	}
	return id, nil
}

// Activities returns up to limit lines of a lane's log that are older than
// before (the zero time: all), newest first. Values that a conflict replaced
// are filled in while they are kept.
func (s *Store) Activities(ctx context.Context, lane string, before time.Time, limit int) ([]reconciler.Activity, error) {
	stored, err := s.client.LRange(ctx, s.keys.log(lane), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	var activities []reconciler.Activity
	for _, text := range stored {
		if len(activities) >= limit {
			break
		}
		var kept line
		if err := json.Unmarshal([]byte(text), &kept); err != nil {
			return nil, fmt.Errorf("reading the log: %w", err)
		}
		at := time.UnixMilli(kept.Time).UTC()
		if !before.IsZero() && !at.Before(before) {
			continue
		}
		activity := reconciler.Activity{
			Time: at, Lane: lane, RecordID: kept.RecordID, GraphID: kept.GraphID, From: kept.From, Action: kept.Action, Fields: kept.Fields,
			Lag: time.Duration(kept.Lag) * time.Millisecond, Mails: kept.Mails, Reason: kept.Reason,
		}
		for _, conflict := range kept.Conflicts {
			lost, err := s.lostValue(ctx, lane, conflict.Lost)
			if err != nil {
				return nil, err
			}
			activity.Conflicts = append(activity.Conflicts, reconciler.Conflict{Field: conflict.Field, Entry: conflict.Entry, Loser: conflict.Loser, Lost: lost})
		}
		activities = append(activities, activity)
	}
	return activities, nil
}

func (s *Store) lostValue(ctx context.Context, lane, id string) (string, error) {
	if id == "" {
		return "", nil
	}
	key := s.keys.lost(lane, id)
	sealed, err := s.client.Get(ctx, key).Bytes()
	if errors.Is(err, goredis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("reading a conflict's other value: %w", err)
	}
	value, err := s.Seal.Open(sealed, key)
	return string(value), err
}
