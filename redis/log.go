package redis

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
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
	// Whole says that a LostValue is kept, and not its text alone, as it was once.
	Whole bool `json:"w,omitempty"`
}

// LostValue is a value that a conflict replaced, as it is kept.
type LostValue struct {
	// Text shows it to a person; Value is the same, alone in an event, nil where it
	// cannot be put back.
	Text  string            `json:"text"`
	Value *reconciler.Event `json:"value,omitempty"`
	// Restored says that the loser's value was put back, and that this is the winner's.
	Restored bool `json:"restored,omitempty"`
	// Replacing is what stood in its place when somebody began to put it back.
	Replacing *reconciler.Event `json:"replacing,omitempty"`
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
				// A commit that is repeated names the same value.
				name := fmt.Sprint(lane, "/", activity.Time.UnixNano(), "/", activity.RecordID, "/", activity.GraphID, "/", conflict.Field, "/", conflict.Entry)
				kept.Lost, kept.Whole = uuid.NewSHA1(uuid.NameSpaceOID, []byte(name)).String(), true
				if err := s.setLost(ctx, lane, kept.Lost, LostValue{Text: conflict.Lost, Value: conflict.Value}, goredis.SetArgs{TTL: lostLife}); err != nil {
					return nil, err
				}
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

func (s *Store) setLost(ctx context.Context, lane, id string, value LostValue, how goredis.SetArgs) error {
	key := s.keys.lost(lane, id)
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("keeping a conflict's other value: %w", err)
	}
	sealed, err := s.Seal.Seal(text, key)
	if err != nil {
		return err
	}
	err = s.client.SetArgs(ctx, key, sealed, how).Err()
	if errors.Is(err, goredis.Nil) {
		return ErrNotFound // it has expired
	}
	if err != nil {
		return fmt.Errorf("keeping a conflict's other value: %w", err)
	}
	return nil
}

// SaveLost changes a value that a conflict replaced, which goes on to expire when
// it would have; ErrNotFound when it has.
func (s *Store) SaveLost(ctx context.Context, lane, id string, value LostValue) error {
	return s.setLost(ctx, lane, id, value, goredis.SetArgs{Mode: "XX", KeepTTL: true})
}

// clocksApart is more than the clocks of replicas ever differ by: a log is in the
// order of its commits, and each line has the time of the replica that wrote it.
const clocksApart = 15 * time.Minute

// Activities returns the newest limit lines of a lane's log that are older than
// before (the zero time: all), newest first, and whatever is of the same instant as
// the last of them, so that who goes on before that instant misses nothing. Values
// that a conflict replaced are filled in while they are kept.
func (s *Store) Activities(ctx context.Context, lane string, before time.Time, limit int) ([]reconciler.Activity, error) {
	// Most ask for the newest lines; older ones may begin anywhere.
	number := logLength
	if before.IsZero() {
		number = min(limit+1, logLength)
	}
	var found []line
	for whole := false; !whole; number *= 4 {
		lines, err := s.lines(ctx, lane, number)
		if err != nil {
			return nil, err
		}
		found, whole = upTo(lines, before, limit, len(lines) < number || number >= logLength)
	}
	var activities []reconciler.Activity
	for _, kept := range found {
		activity, err := s.activity(ctx, lane, kept)
		if err != nil {
			return nil, err
		}
		activities = append(activities, activity)
	}
	return activities, nil
}

// lines returns that many of the newest lines of a log.
func (s *Store) lines(ctx context.Context, lane string, number int) ([]line, error) {
	stored, err := s.client.LRange(ctx, s.keys.log(lane), 0, int64(number)-1).Result()
	if err != nil {
		return nil, fmt.Errorf("reading the log: %w", err)
	}
	lines := make([]line, len(stored))
	for index, text := range stored {
		if err := json.Unmarshal([]byte(text), &lines[index]); err != nil {
			return nil, fmt.Errorf("reading the log: %w", err)
		}
	}
	return lines, nil
}

// upTo puts lines into the order of their times and cuts them after the limit and
// the instant of the last one within it. Unless they are all that there are, it says
// whether one that was not read may belong before the cut.
func upTo(lines []line, before time.Time, limit int, all bool) (found []line, whole bool) {
	if len(lines) == 0 {
		return nil, true
	}
	oldest := time.UnixMilli(lines[len(lines)-1].Time)
	if !before.IsZero() {
		lines = slices.DeleteFunc(lines, func(kept line) bool { return !time.UnixMilli(kept.Time).Before(before) })
	}
	slices.SortStableFunc(lines, func(one, other line) int { return cmp.Compare(other.Time, one.Time) })
	end := min(max(limit, 0), len(lines))
	for end > 0 && end < len(lines) && lines[end].Time == lines[end-1].Time {
		end++
	}
	lines = lines[:end]
	return lines, all || end > 0 && time.UnixMilli(lines[end-1].Time).Sub(oldest) > clocksApart
}

// activity is a line as it is read, with the values that conflicts replaced.
func (s *Store) activity(ctx context.Context, lane string, kept line) (reconciler.Activity, error) {
	activity := reconciler.Activity{
		Time: time.UnixMilli(kept.Time).UTC(), Lane: lane, RecordID: kept.RecordID, GraphID: kept.GraphID, From: kept.From, Action: kept.Action,
		Fields: kept.Fields, Lag: time.Duration(kept.Lag) * time.Millisecond, Mails: kept.Mails, Reason: kept.Reason,
	}
	for _, conflict := range kept.Conflicts {
		shown := reconciler.Conflict{Field: conflict.Field, Entry: conflict.Entry, Loser: conflict.Loser}
		lost, err := s.lostOf(ctx, lane, conflict)
		switch {
		case err == nil:
			shown.Lost, shown.Value, shown.Restored = lost.Text, lost.Value, lost.Restored
			if lost.Value != nil {
				shown.ID = conflict.Lost
			}
		case !errors.Is(err, ErrNotFound):
			return activity, err
		}
		activity.Conflicts = append(activity.Conflicts, shown)
	}
	return activity, nil
}

// Lost returns the value that a conflict replaced; ErrNotFound when there is none
// with this id, or it has expired.
func (s *Store) Lost(ctx context.Context, lane, id string) (LostValue, error) {
	return s.lostOf(ctx, lane, conflictLine{Lost: id, Whole: true})
}

func (s *Store) lostOf(ctx context.Context, lane string, conflict conflictLine) (LostValue, error) {
	var kept LostValue
	if conflict.Lost == "" {
		return kept, ErrNotFound
	}
	key := s.keys.lost(lane, conflict.Lost)
	sealed, err := s.client.Get(ctx, key).Bytes()
	if errors.Is(err, goredis.Nil) {
		return kept, ErrNotFound
	}
	if err != nil {
		return kept, fmt.Errorf("reading a conflict's other value: %w", err)
	}
	text, err := s.Seal.Open(sealed, key)
	if err != nil {
		return kept, err
	}
	if !conflict.Whole {
		return LostValue{Text: string(text)}, nil
	}
	if err := json.Unmarshal(text, &kept); err != nil {
		return kept, fmt.Errorf("reading a conflict's other value: %w", err)
	}
	return kept, nil
}
