package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// SaveToken keeps a member's Microsoft token, encrypted with the first key,
// whatever was kept before.
func (s *Store) SaveToken(ctx context.Context, lane string, token []byte) error {
	key := s.keys.token(lane)
	sealed, err := s.Seal.Seal(token, key)
	if err != nil {
		return err
	}
	if err := s.client.Set(ctx, key, sealed, 0).Err(); err != nil {
		return fmt.Errorf("keeping a token: %w", err)
	}
	return nil
}

// Token returns a member's Microsoft token and which version of it that is, or
// ErrNotFound. Every save makes another version, also of equal tokens.
func (s *Store) Token(ctx context.Context, lane string) (token []byte, version string, err error) {
	key := s.keys.token(lane)
	sealed, err := s.get(ctx, key)
	if err != nil {
		return nil, "", err
	}
	token, err = s.Seal.Open(sealed, key)
	return token, string(sealed), err
}

// replaceScript sets a value if the present one is still the one that was read.
// KEYS value. ARGV former value, new value. Answers 1 if so.
var replaceScript = goredis.NewScript(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
`)

// ReplaceToken keeps a token in place of a version of it, and says whether that
// was still there: if not, nothing is changed.
func (s *Store) ReplaceToken(ctx context.Context, lane, version string, token []byte) (bool, error) {
	key := s.keys.token(lane)
	sealed, err := s.Seal.Seal(token, key)
	if err != nil {
		return false, err
	}
	done, err := replaceScript.Run(ctx, s.client, []string{key}, version, sealed).Int()
	if err != nil {
		return false, fmt.Errorf("keeping a token: %w", err)
	}
	return done == 1, nil
}

// sealingTime is how long encrypting a token anew takes at most; its turn to
// renew the token lasts longer, so that no renewal begins in between.
const sealingTime = 2 * time.Second

// SealTokenAnew encrypts a member's token with the first key if a former one
// encrypted it, so that the former one is of no use any more. False says that
// somebody is just renewing the token, which may come to the same.
func (s *Store) SealTokenAnew(ctx context.Context, lane string) (bool, error) {
	sealed, err := s.get(ctx, s.keys.token(lane))
	if errors.Is(err, ErrNotFound) || err == nil && !s.Seal.Former(sealed) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	holder := s.name + strconv.FormatInt(s.holders.Add(1), 36)
	if taken, err := s.LockToken(ctx, lane, holder, 5*sealingTime); err != nil || !taken {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, sealingTime)
	defer cancel()
	token, version, err := s.Token(ctx, lane)
	switch {
	case errors.Is(err, ErrNotFound):
		err = nil // whoever it was has left
	case err == nil:
		// Who connects at this moment keeps another one, encrypted with the first key.
		_, err = s.ReplaceToken(ctx, lane, version, token)
	}
	return err == nil, errors.Join(err, s.UnlockToken(context.WithoutCancel(ctx), lane, holder))
}

// lockScript takes a lock that is free or over. KEYS lock. ARGV holder, now, end
// of the lock, milliseconds after which nobody needs to know of it. Answers 1 if
// it was taken.
//
// Time is an argument, as in every script here. A library's lock would end by
// the clock of Redis, and gives no fence either; what this one guards is written
// by replaceScript only, which a holder that was too slow cannot pass.
var lockScript = goredis.NewScript(`
local held = redis.call('GET', KEYS[1])
if held and tonumber(string.match(held, '^(%d+)|')) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3] .. '|' .. ARGV[1], 'PX', ARGV[4])
return 1
`)

// unlockScript gives a lock back if it is still the holder's. KEYS lock.
// ARGV holder.
var unlockScript = goredis.NewScript(`
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '|(.*)$') == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`)

// LockToken says that the holder, a name of its own, is about to renew a lane's
// token, for at most the time given; false when somebody else is at it.
func (s *Store) LockToken(ctx context.Context, lane, holder string, life time.Duration) (bool, error) {
	now := s.Now()
	taken, err := lockScript.Run(ctx, s.client, []string{s.keys.renewing(lane)},
		holder, milliseconds(now), milliseconds(now.Add(life)), (2*life).Milliseconds()+1).Int()
	if err != nil {
		return false, fmt.Errorf("taking turns to renew a token: %w", err)
	}
	return taken == 1, nil
}

// UnlockToken ends what LockToken began. A lock that is over by now, or another
// holder's, stays as it is.
func (s *Store) UnlockToken(ctx context.Context, lane, holder string) error {
	if err := unlockScript.Run(ctx, s.client, []string{s.keys.renewing(lane)}, holder).Err(); err != nil {
		return fmt.Errorf("taking turns to renew a token: %w", err)
	}
	return nil
}
