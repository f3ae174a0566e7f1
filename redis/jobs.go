package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// JobLife is how long a job, and what it deleted, is remembered.
const JobLife = 30 * 24 * time.Hour

// auditLength is how many deeds are kept.
const auditLength = 10_000

// SaveJob keeps a job, encrypted, for JobLife from now.
func (s *Store) SaveJob(ctx context.Context, id string, job []byte) error {
	key := s.keys.job(id)
	sealed, err := s.Seal.Seal(job, key)
	if err != nil {
		return err
	}
	if err := s.client.Set(ctx, key, sealed, JobLife).Err(); err != nil {
		return fmt.Errorf("keeping a job: %w", err)
	}
	return nil
}

// Job returns a job, or ErrNotFound.
func (s *Store) Job(ctx context.Context, id string) ([]byte, error) {
	key := s.keys.job(id)
	sealed, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	return s.Seal.Open(sealed, key)
}

// KeepUndo adds to what a job is about to delete, encrypted, for JobLife from
// now. The name tells entries apart: one that is kept twice is kept once.
func (s *Store) KeepUndo(ctx context.Context, job string, entries map[string][]byte) error {
	if len(entries) == 0 {
		return nil
	}
	key := s.keys.undo(job)
	values := make([]any, 0, 2*len(entries))
	for name, entry := range entries {
		sealed, err := s.Seal.Seal(entry, key+"/"+name)
		if err != nil {
			return err
		}
		values = append(values, name, sealed)
	}
	_, err := s.client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		pipe.HSet(ctx, key, values...)
		pipe.Expire(ctx, key, JobLife)
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping what is deleted: %w", err)
	}
	return nil
}

// Undo returns what a job deleted, by name; empty when nothing is kept.
func (s *Store) Undo(ctx context.Context, job string) (map[string][]byte, error) {
	key := s.keys.undo(job)
	sealed, err := s.client.HGetAll(ctx, key).Result()
	if err != nil {
		return nil, fmt.Errorf("reading what was deleted: %w", err)
	}
	entries := make(map[string][]byte, len(sealed))
	for name, text := range sealed {
		if entries[name], err = s.Seal.Open([]byte(text), key+"/"+name); err != nil {
			return nil, err
		}
	}
	return entries, nil
}

// DropUndo forgets entries that were restored.
func (s *Store) DropUndo(ctx context.Context, job string, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	if err := s.client.HDel(ctx, s.keys.undo(job), names...).Err(); err != nil {
		return fmt.Errorf("forgetting what was restored: %w", err)
	}
	return nil
}

// Audit adds a deed of an administrator's to those that are kept, the last ten
// thousand.
func (s *Store) Audit(ctx context.Context, deed []byte) error {
	_, err := s.client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		pipe.LPush(ctx, s.keys.audit(), deed)
		pipe.LTrim(ctx, s.keys.audit(), 0, auditLength-1)
		return nil
	})
	if err != nil {
		return fmt.Errorf("keeping who did what: %w", err)
	}
	return nil
}

// Audits returns the deeds that are kept, newest first.
func (s *Store) Audits(ctx context.Context) ([][]byte, error) {
	kept, err := s.client.LRange(ctx, s.keys.audit(), 0, -1).Result()
	if err != nil {
		return nil, fmt.Errorf("reading who did what: %w", err)
	}
	deeds := make([][]byte, len(kept))
	for index, text := range kept {
		deeds[index] = []byte(text)
	}
	return deeds, nil
}

// forgetScript forgets a lane's event map. A worker that is at it finds its lease
// lost, so that it records nothing afterwards. KEYS are a lane's.
var forgetScript = goredis.NewScript(`
redis.call('HINCRBY', KEYS[5], 'fence', 1)
redis.call('DEL', KEYS[6], KEYS[7])
return 1
`)

// CountUndo says how many entries of a job's are kept.
func (s *Store) CountUndo(ctx context.Context, job string) (int, error) {
	count, err := s.client.HLen(ctx, s.keys.undo(job)).Result()
	if err != nil {
		return 0, fmt.Errorf("reading what was deleted: %w", err)
	}
	return int(count), nil
}

// CountLinks says how many links a lane has, ended ones included.
func (s *Store) CountLinks(ctx context.Context, lane string) (int, error) {
	count, err := s.client.HLen(ctx, s.keys.links(lane)).Result()
	if err != nil {
		return 0, fmt.Errorf("counting links: %w", err)
	}
	return int(count), nil
}

// EmptyLinks is ForgetLinks for the holder of the lane's lease, who keeps it.
func (s *Store) EmptyLinks(ctx context.Context, lane string) error {
	if err := s.client.Del(ctx, s.keys.links(lane), s.keys.copies(lane), s.keys.sweeps(lane), s.keys.pairs(lane)).Err(); err != nil {
		return fmt.Errorf("forgetting an event map: %w", err)
	}
	return nil
}

// ForgetLinks forgets a lane's event map and how far its changes are known. What
// is recorded under a lease that was given before is refused.
func (s *Store) ForgetLinks(ctx context.Context, lane string) error {
	err := forgetScript.Run(ctx, s.client, s.laneKeys(lane)).Err()
	err = errors.Join(err, s.client.Del(ctx, s.keys.sweeps(lane), s.keys.pairs(lane)).Err())
	if err != nil {
		return fmt.Errorf("forgetting an event map: %w", err)
	}
	return nil
}

// ForgetToken forgets a lane's token and subscription.
func (s *Store) ForgetToken(ctx context.Context, lane string) error {
	err := s.client.Del(ctx, s.keys.token(lane), s.keys.renewing(lane), s.keys.subscription(lane)).Err()
	if err != nil {
		return fmt.Errorf("forgetting a token: %w", err)
	}
	return nil
}
