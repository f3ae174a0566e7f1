package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// meetingClaimScript is lockScript for holders that may take their own lock again. KEYS
// and ARGV as there.
var meetingClaimScript = goredis.NewScript(`
local held = redis.call('GET', KEYS[1])
if held and string.match(held, '|(.*)$') ~= ARGV[1] and tonumber(string.match(held, '^(%d+)|')) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[3] .. '|' .. ARGV[1], 'PX', ARGV[4])
return 1
`)

// ClaimMeetings implements reconciler.Store.
func (s *Store) ClaimMeetings(ctx context.Context, lane string, iCalUIDs []string, life time.Duration) (map[string]bool, error) {
	others := map[string]bool{}
	if len(iCalUIDs) == 0 {
		return others, nil
	}
	now := s.Now()
	pipe := s.client.Pipeline()
	commands := make([]*goredis.Cmd, 0, len(iCalUIDs))
	for _, uid := range iCalUIDs {
		commands = append(commands, meetingClaimScript.Eval(ctx, pipe, []string{s.keys.meetingClaim(shortDigest(uid))},
			lane, milliseconds(now), milliseconds(now.Add(life)), (2*life).Milliseconds()+1))
	}
	_, err := pipe.Exec(ctx)
	for index, command := range commands {
		taken, wrong := command.Int()
		err = errors.Join(err, wrong)
		if taken == 0 {
			others[iCalUIDs[index]] = true
		}
	}
	if err != nil {
		return nil, fmt.Errorf("claiming meetings: %w", err)
	}
	return others, nil
}

// UnclaimMeetings implements reconciler.Store.
func (s *Store) UnclaimMeetings(ctx context.Context, lane string, iCalUIDs []string) error {
	if len(iCalUIDs) == 0 {
		return nil
	}
	pipe := s.client.Pipeline()
	for _, uid := range iCalUIDs {
		unlockScript.Eval(ctx, pipe, []string{s.keys.meetingClaim(shortDigest(uid))}, lane)
	}
	if _, err := pipe.Exec(ctx); err != nil {
		return fmt.Errorf("giving up claims to meetings: %w", err)
	}
	return nil
}
