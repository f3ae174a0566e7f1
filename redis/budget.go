package redis

import (
	"context"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// Rate is how much of something may be done: one in Every on average, and Burst
// at once.
type Rate struct {
	Every time.Duration
	Burst int
}

// budgetLife is how long a mailbox's budget is remembered, longer than a full
// one takes to be full again and than anybody asks to wait.
const budgetLife = 2 * time.Hour

// spendScript takes from a budget (GCRA: one number says when it is full again).
// KEYS budget. ARGV now, microseconds for one, microseconds of a full budget,
// how many, longest wait. Times are microseconds; now counts from 1970. Answers
// {1, wait} when they were taken, {0, wait} when they were not, and {-1, wait}
// when it is to be left alone.
var spendScript = goredis.NewScript(`
local now, each, full, longest = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])
local known = redis.call('HMGET', KEYS[1], 'full', 'alone')
local alone = tonumber(known[2] or '0')
if alone > now then return {-1, string.format('%.0f', alone - now)} end
local at = tonumber(known[1] or '0')
if at < now then at = now end
at = at + each * tonumber(ARGV[4])
local wait = at - now - full
if wait < 0 then wait = 0 end
if wait > longest then return {0, string.format('%.0f', wait)} end
redis.call('HSET', KEYS[1], 'full', string.format('%.0f', at))
redis.call('PEXPIRE', KEYS[1], ARGV[6])
return {1, string.format('%.0f', wait)}
`)

// aloneScript has something left alone until a time, or a later one that is
// known already. KEYS budget. ARGV until, microseconds; life of the key,
// milliseconds.
var aloneScript = goredis.NewScript(`
local known = tonumber(redis.call('HGET', KEYS[1], 'alone') or '0')
if tonumber(ARGV[1]) > known then redis.call('HSET', KEYS[1], 'alone', ARGV[1]) end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
`)

// Spend takes a number of calls out of a lane's budget, which every replica
// shares. They may be made after wait. When that would be longer than longest,
// or somebody has asked for the lane to be left alone (see LeaveAlone), nothing
// is taken, spent is false and wait says when to ask again.
func (s *Store) Spend(ctx context.Context, lane string, rate Rate, calls int, longest time.Duration) (wait time.Duration, spent bool, err error) {
	answer, err := spendScript.Run(ctx, s.client, []string{s.keys.budget(lane)},
		s.Now().UnixMicro(), rate.Every.Microseconds(), rate.Every.Microseconds()*int64(rate.Burst), calls, longest.Microseconds(),
		budgetLife.Milliseconds()).Slice()
	if err != nil {
		return 0, false, fmt.Errorf("asking for a mailbox's budget: %w", err)
	}
	var verdict, microseconds int64
	if len(answer) == 2 {
		verdict, _ = answer[0].(int64)
		text, _ := answer[1].(string)
		if _, err := fmt.Sscan(text, &microseconds); err != nil {
			return 0, false, fmt.Errorf("asking for a mailbox's budget: an answer that cannot be understood: %v", answer)
		}
	}
	return time.Duration(microseconds) * time.Microsecond, verdict == 1, nil
}

// LeaveAlone has every replica leave a lane's mailbox alone for so long, or
// longer if that was said before.
func (s *Store) LeaveAlone(ctx context.Context, lane string, pause time.Duration) error {
	err := aloneScript.Run(ctx, s.client, []string{s.keys.budget(lane)},
		s.Now().Add(pause).UnixMicro(), (budgetLife + pause).Milliseconds()).Err()
	if err != nil {
		return fmt.Errorf("having a mailbox left alone: %w", err)
	}
	return nil
}
