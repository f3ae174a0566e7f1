package redis

import (
	"context"
	"errors"
	"fmt"
	"time"

	goredis "github.com/redis/go-redis/v9"
)

// ErrOtherMailbox says that a member has another mailbox.
var ErrOtherMailbox = errors.New("the member has another mailbox")

// TakenError says that a mailbox is another member's.
type TakenError struct {
	// Lane is the other member's.
	Lane string
}

func (e *TakenError) Error() string { return "the mailbox is connected to member " + e.Lane }

// claimLife is how long a claim stands without a member behind it: longer than
// connecting takes. A process that ended in between blocks nobody for longer.
const claimLife = time.Minute

// claim decides between people who connect at the same time, on any replica: a
// mailbox has one member and a member one mailbox. Both directions are kept in
// one hash beside the members, each with when it was claimed.
//
// KEYS 1 members 2 mailboxes; ARGV 1 lane 2 mailbox 3 now 4 life of a claim
var claim = goredis.NewScript(`
local function parse(entry)
  if not entry then return nil end
  local value, since = string.match(entry, '^(.*)|(%d+)$')
  return value, tonumber(since)
end
local function stands(lane, since)
  return redis.call('HEXISTS', KEYS[1], lane) == 1 or tonumber(ARGV[3]) - since < tonumber(ARGV[4])
end
local owner, since = parse(redis.call('HGET', KEYS[2], 'mailbox:' .. ARGV[2]))
if owner and owner ~= ARGV[1] then
  if stands(owner, since) then return {'taken', owner} end
  redis.call('HDEL', KEYS[2], 'lane:' .. owner)
end
local former
former, since = parse(redis.call('HGET', KEYS[2], 'lane:' .. ARGV[1]))
if former and former ~= ARGV[2] then
  if stands(ARGV[1], since) then return {'other', ''} end
  redis.call('HDEL', KEYS[2], 'mailbox:' .. former)
end
redis.call('HSET', KEYS[2], 'mailbox:' .. ARGV[2], ARGV[1] .. '|' .. ARGV[3], 'lane:' .. ARGV[1], ARGV[2] .. '|' .. ARGV[3])
return {'claimed', ''}
`)

// release ends the claim of a lane that is no member's.
//
// KEYS 1 members 2 mailboxes; ARGV 1 lane
var release = goredis.NewScript(`
if redis.call('HEXISTS', KEYS[1], ARGV[1]) == 1 then return 0 end
local entry = redis.call('HGET', KEYS[2], 'lane:' .. ARGV[1])
if not entry then return 0 end
redis.call('HDEL', KEYS[2], 'lane:' .. ARGV[1], 'mailbox:' .. string.match(entry, '^(.*)|%d+$'))
return 1
`)

// ClaimMailbox makes a mailbox the lane's own, before anything is kept for it:
// whoever else connects the same mailbox, or the same person, meanwhile is
// refused. The mailbox is named by what never changes of it. The claim stands
// for a minute, and then for as long as the lane is a member. The error is a
// *TakenError or wraps ErrOtherMailbox when it is refused.
func (s *Store) ClaimMailbox(ctx context.Context, lane, mailbox string) error {
	if lane == "" || mailbox == "" {
		return errors.New("claiming a mailbox: no name")
	}
	answer, err := claim.Run(ctx, s.client, []string{s.keys.members(), s.keys.mailboxes()},
		lane, mailbox, milliseconds(s.Now()), claimLife.Milliseconds()).StringSlice()
	switch {
	case err != nil:
		return fmt.Errorf("claiming a mailbox: %w", err)
	case len(answer) != 2:
		return fmt.Errorf("claiming a mailbox: the store answered %d values", len(answer))
	case answer[0] == "taken":
		return &TakenError{Lane: answer[1]}
	case answer[0] == "other":
		return fmt.Errorf("claiming a mailbox: %w", ErrOtherMailbox)
	}
	return nil
}

// ReleaseMailbox gives up the claim of a lane that did not become a member.
func (s *Store) ReleaseMailbox(ctx context.Context, lane string) error {
	if err := release.Run(ctx, s.client, []string{s.keys.members(), s.keys.mailboxes()}, lane).Err(); err != nil {
		return fmt.Errorf("giving up a mailbox: %w", err)
	}
	return nil
}
