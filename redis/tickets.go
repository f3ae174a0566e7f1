package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Tickets are short-lived notes that are used once: a sign-in under way, a
// connect link. They are kept encrypted, and gone after their life.

// SaveTicket keeps a ticket under its name.
func (s *Store) SaveTicket(ctx context.Context, name string, content []byte, life time.Duration) error {
	key := s.keys.ticket(name)
	sealed, err := s.Seal.Seal(content, key)
	if err != nil {
		return err
	}
	if err := s.client.Set(ctx, key, sealed, life).Err(); err != nil {
		return fmt.Errorf("keeping a ticket: %w", err)
	}
	return nil
}

// Ticket looks at a ticket without using it up; ErrNotFound when it was used, is
// too old, or never was.
func (s *Store) Ticket(ctx context.Context, name string) ([]byte, error) {
	key := s.keys.ticket(name)
	sealed, err := s.get(ctx, key)
	if err != nil {
		return nil, err
	}
	return s.Seal.Open(sealed, key)
}

// TakeTicket uses a ticket up: of several who try, in whatever replica, one gets
// it and the others ErrNotFound.
func (s *Store) TakeTicket(ctx context.Context, name string) ([]byte, error) {
	key := s.keys.ticket(name)
	sealed, err := s.client.GetDel(ctx, key).Bytes()
	if errors.Is(err, goredis.Nil) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("using a ticket: %w", err)
	}
	return s.Seal.Open(sealed, key)
}

// claimScript lets one in each while. KEYS claim. ARGV now, and how long it holds,
// in milliseconds.
var claimScript = goredis.NewScript(`
local now, life = tonumber(ARGV[1]), tonumber(ARGV[2])
local last = tonumber(redis.call('GET', KEYS[1]) or '-1')
if last >= 0 and last <= now and now - last < life then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
`)

// Claim says whether the caller is the first, of all replicas, to claim something
// within this time.
func (s *Store) Claim(ctx context.Context, name string, life time.Duration) (bool, error) {
	first, err := claimScript.Run(ctx, s.client, []string{s.keys.claim(name)}, s.Now().UnixMilli(), life.Milliseconds()).Bool()
	if err != nil {
		return false, fmt.Errorf("claiming %s: %w", name, err)
	}
	return first, nil
}
