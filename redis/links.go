package redis

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// scanStep is how many links one step of AllLinks reads.
const scanStep = 500

// Links implements reconciler.Store.
func (s *Store) Links(ctx context.Context, lane string, graphIDs []string, recordIDs []int64) ([]reconciler.Link, error) {
	records := make([]string, 0, len(recordIDs)+len(graphIDs))
	for _, id := range recordIDs {
		records = append(records, strconv.FormatInt(id, 10))
	}
	if len(graphIDs) > 0 {
		digests := make([]string, 0, len(graphIDs))
		for _, id := range graphIDs {
			digests = append(digests, shortDigest(id))
		}
		known, err := s.client.HMGet(ctx, s.keys.copies(lane), digests...).Result()
		if err != nil {
			return nil, fmt.Errorf("reading links: %w", err)
		}
		for _, value := range known {
			if text, ok := value.(string); ok {
				record, _, _ := strings.Cut(text, "|")
				records = append(records, record)
			}
		}
	}
	slices.Sort(records)
	records = slices.Compact(records)
	if len(records) == 0 {
		return nil, nil
	}
	links, series, err := s.stored(ctx, lane, records)
	if err != nil || len(series) == 0 {
		return links, err
	}
	series = slices.DeleteFunc(series, func(record string) bool { return slices.Contains(records, record) })
	if len(series) == 0 {
		return links, nil
	}
	further, _, err := s.stored(ctx, lane, series)
	return append(links, further...), err
}

// occurrenceMark begins what is stored for an occurrence of a series: the record
// under which the series' link is stored follows. No link begins with it, whose
// digest is made of letters, digits, "-" and "_" or spaces.
const occurrenceMark = "@"

// stored reads the links of records, and the records of the series that others
// are occurrences of, each once.
func (s *Store) stored(ctx context.Context, lane string, records []string) (links []reconciler.Link, series []string, err error) {
	values, err := s.client.HMGet(ctx, s.keys.links(lane), records...).Result()
	if err != nil {
		return nil, nil, fmt.Errorf("reading links: %w", err)
	}
	for index, value := range values {
		text, ok := value.(string)
		if !ok {
			continue
		}
		if record, occurrence := strings.CutPrefix(text, occurrenceMark); occurrence {
			series = append(series, record)
			continue
		}
		link, err := parseLink(records[index], text)
		if err != nil {
			return nil, nil, fmt.Errorf("reading links: %w", err)
		}
		links = append(links, link)
	}
	slices.Sort(series)
	return links, slices.Compact(series), nil
}

func parseLink(record, text string) (reconciler.Link, error) {
	id, err := strconv.ParseInt(record, 10, 64)
	if err != nil {
		return reconciler.Link{}, errLink
	}
	return decodeLink(id, text)
}

// SomeLinks returns up to count of the lane's links, drawn at random. Of a series
// with many occurrences it is more likely to find the link.
func (s *Store) SomeLinks(ctx context.Context, lane string, count int) ([]reconciler.Link, error) {
	drawn, err := s.client.HRandField(ctx, s.keys.links(lane), count).Result()
	if err != nil {
		return nil, fmt.Errorf("drawing links: %w", err)
	}
	records := make([]int64, 0, len(drawn))
	for _, text := range drawn {
		record, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("drawing links: %w", errLink)
		}
		records = append(records, record)
	}
	return s.Links(ctx, lane, nil, records)
}

// AllLinks implements reconciler.Store. A link that changes while it runs is
// visited in its old or its new form, at least once.
func (s *Store) AllLinks(ctx context.Context, lane string, visit func(reconciler.Link) error) error {
	cursor := uint64(0)
	for {
		found, next, err := s.client.HScan(ctx, s.keys.links(lane), cursor, "", scanStep).Result()
		if err != nil {
			return fmt.Errorf("reading links: %w", err)
		}
		for index := 0; index+1 < len(found); index += 2 {
			if strings.HasPrefix(found[index+1], occurrenceMark) {
				continue
			}
			link, err := parseLink(found[index], found[index+1])
			if err != nil {
				return fmt.Errorf("reading links: %w", err)
			}
			if err := visit(link); err != nil {
				return err
			}
		}
		if next == 0 {
			return nil
		}
		cursor = next
	}
}

// RecordIDs are the records of all links of a lane, those of series' occurrences
// and of links that have ended included, in no order.
func (s *Store) RecordIDs(ctx context.Context, lane string) ([]int64, error) {
	records, err := s.client.HKeys(ctx, s.keys.links(lane)).Result()
	if err != nil {
		return nil, fmt.Errorf("reading links: %w", err)
	}
	ids := make([]int64, 0, len(records))
	for _, record := range records {
		id, err := strconv.ParseInt(record, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("reading links: %w", errLink)
		}
		ids = append(ids, id)
	}
	return ids, nil
}

// Commit implements reconciler.Store.
func (s *Store) Commit(ctx context.Context, lease reconciler.Lease, commit reconciler.Commit) error {
	arguments := []any{lease.Fence, logLength, len(commit.Links), len(commit.Drop), len(commit.Occurrences)}
	for _, link := range commit.Links {
		copyDigest := ""
		if link.GraphID != "" {
			copyDigest = shortDigest(link.GraphID)
		}
		arguments = append(arguments, link.RecordID, copyDigest, shortDigest(link.ChangeKey), encodeLink(link))
	}
	for _, id := range commit.Drop {
		arguments = append(arguments, id)
	}
	for record, series := range commit.Occurrences {
		arguments = append(arguments, record, occurrenceOf(series))
	}
	lines, err := s.logLines(ctx, lease.Lane, commit.Activities)
	if err != nil {
		return err
	}
	arguments = append(arguments, lines...)
	held, err := commitScript.Run(ctx, s.client, s.laneKeys(lease.Lane), arguments...).Int()
	switch {
	case err != nil:
		return fmt.Errorf("recording a round: %w", err)
	case held == 0:
		return reconciler.ErrLeaseLost
	}
	return nil
}

// occurrenceOf is what is stored for an occurrence, nothing for none.
func occurrenceOf(series int64) string {
	if series == 0 {
		return ""
	}
	return occurrenceMark + strconv.FormatInt(series, 10)
}

// Meetings implements reconciler.Store.
func (s *Store) Meetings(ctx context.Context, iCalUIDs []string) (map[string]int64, error) {
	if len(iCalUIDs) == 0 {
		return map[string]int64{}, nil
	}
	pipe := s.client.Pipeline()
	commands := make([]*goredis.StringCmd, 0, len(iCalUIDs))
	for _, uid := range iCalUIDs {
		digest := shortDigest(uid)
		commands = append(commands, pipe.HGet(ctx, s.keys.meetings(digest), digest))
	}
	if _, err := pipe.Exec(ctx); err != nil && !errors.Is(err, goredis.Nil) {
		return nil, fmt.Errorf("reading which record stands for a meeting: %w", err)
	}
	found := map[string]int64{}
	for index, command := range commands {
		id, err := command.Int64()
		switch {
		case errors.Is(err, goredis.Nil):
		case err != nil:
			return nil, fmt.Errorf("reading which record stands for a meeting: %w", err)
		default:
			found[iCalUIDs[index]] = id
		}
	}
	return found, nil
}

// SetMeetings implements reconciler.Store.
func (s *Store) SetMeetings(ctx context.Context, records map[string]int64) error {
	if len(records) == 0 {
		return nil
	}
	pipe := s.client.Pipeline()
	for uid, id := range records {
		digest := shortDigest(uid)
		pipe.HSet(ctx, s.keys.meetings(digest), digest, id)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("keeping which record stands for a meeting: %w", err)
	}
	return nil
}
