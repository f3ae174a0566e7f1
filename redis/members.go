package redis

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
)

// ErrNotFound says that the store holds no such thing.
var ErrNotFound = errors.New("not found in the store")

// MemberState is a member and how the connection stands.
type MemberState struct {
	reconciler.Member
	// MailboxID is the connected account's object id at Microsoft, by which it is
	// known again whatever its addresses; empty for connections older than that.
	MailboxID string
	// MailboxTenant is the directory of that account; empty when nobody told.
	MailboxTenant string
	// Standing is what decides about the member's state.
	reconciler.Standing
}

func (m MemberState) member() reconciler.Member {
	member := m.Member
	member.Parked, member.Halt = m.Obstacle(), m.Halted
	return member
}

// memberList is a copy of the members that this process may use for a while.
type memberList struct {
	states  []MemberState
	members []reconciler.Member
	// version is that of the list in the store, read when it was still this one.
	version string
	read    time.Time
}

// MemberLife is how long a copy of the members is used: so much later every
// replica knows of a change.
const MemberLife = 2 * time.Second

// memberOutage is how long a copy is used while the store cannot be reached: a
// change that NightPOS tells of meanwhile is told once only.
const memberOutage = 10 * time.Minute

// SaveMember adds or changes a member.
func (s *Store) SaveMember(ctx context.Context, member MemberState) error {
	if member.ID == "" {
		return errors.New("saving a member: no id")
	}
	member.Parked, member.Halt = "", reconciler.Halt{} // follow from the standing
	text, err := json.Marshal(member)
	if err != nil {
		return fmt.Errorf("saving a member: %w", err)
	}
	if err := s.changeMembers(ctx, func(pipe goredis.Pipeliner) { pipe.HSet(ctx, s.keys.members(), member.ID, text) }); err != nil {
		return fmt.Errorf("saving a member: %w", err)
	}
	return nil
}

// changeMembers changes who is connected, and gives the list another version.
func (s *Store) changeMembers(ctx context.Context, change func(goredis.Pipeliner)) error {
	defer s.members.Store(nil)
	_, err := s.client.TxPipelined(ctx, func(pipe goredis.Pipeliner) error {
		change(pipe)
		pipe.Set(ctx, s.keys.membersVersion(), rand.Text(), 0)
		return nil
	})
	return err
}

// changeScript changes one field of a hash if it is still what was read, and the
// hash's version with it. KEYS hash, version. ARGV field, former value, new value,
// new version. Answers 1 if so.
var changeScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
redis.call('SET', KEYS[2], ARGV[4])
return 1
`)

// changeTries bounds how often UpdateMember starts again because somebody else
// was quicker.
const changeTries = 20

// UpdateMember changes a member. Change gets the member as it is and returns
// false to leave it so; it is called again when somebody else changed the member
// meanwhile. The error wraps ErrNotFound when there is no such member.
func (s *Store) UpdateMember(ctx context.Context, lane string, change func(*MemberState) (bool, error)) error {
	for range changeTries {
		text, err := s.client.HGet(ctx, s.keys.members(), lane).Result()
		if errors.Is(err, goredis.Nil) {
			return fmt.Errorf("changing member %s: %w", lane, ErrNotFound)
		}
		if err != nil {
			return fmt.Errorf("changing member %s: %w", lane, err)
		}
		var member MemberState
		if err := json.Unmarshal([]byte(text), &member); err != nil {
			return fmt.Errorf("changing member %s: %w", lane, err)
		}
		if changed, err := change(&member); err != nil || !changed {
			return err
		}
		member.Parked, member.Halt = "", reconciler.Halt{}
		next, err := json.Marshal(member)
		if err != nil {
			return fmt.Errorf("changing member %s: %w", lane, err)
		}
		done, err := changeScript.Run(ctx, s.client, []string{s.keys.members(), s.keys.membersVersion()}, lane, text, next, rand.Text()).Int()
		s.members.Store(nil)
		switch {
		case err != nil:
			return fmt.Errorf("changing member %s: %w", lane, err)
		case done == 1:
			return nil
		}
	}
	return fmt.Errorf("changing member %s: others changed it %d times meanwhile", lane, changeTries)
}

// MemberNow implements reconciler.Store.
func (s *Store) MemberNow(ctx context.Context, lane string) (reconciler.Member, bool, error) {
	text, err := s.client.HGet(ctx, s.keys.members(), lane).Result()
	if errors.Is(err, goredis.Nil) {
		return reconciler.Member{}, false, nil
	}
	if err != nil {
		return reconciler.Member{}, false, fmt.Errorf("reading member %s: %w", lane, err)
	}
	var member MemberState
	if err := json.Unmarshal([]byte(text), &member); err != nil {
		return reconciler.Member{}, false, fmt.Errorf("reading member %s: %w", lane, err)
	}
	return member.member(), true, nil
}

// MemberState returns one member as stored now; the error wraps ErrNotFound when
// nobody is connected on the lane.
func (s *Store) MemberState(ctx context.Context, lane string) (MemberState, error) {
	var state MemberState
	text, err := s.client.HGet(ctx, s.keys.members(), lane).Bytes()
	if errors.Is(err, goredis.Nil) {
		err = ErrNotFound
	}
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	if err != nil {
		return MemberState{}, fmt.Errorf("reading member %s: %w", lane, err)
	}
	return state, nil
}

// RemoveMember forgets a member, and the token, the subscription and how far
// changes are known with it; links and log stay. The mailbox is free for whoever
// connects it next.
func (s *Store) RemoveMember(ctx context.Context, lane string) error {
	err := s.changeMembers(ctx, func(pipe goredis.Pipeliner) { pipe.HDel(ctx, s.keys.members(), lane) })
	err = errors.Join(err, s.ReleaseMailbox(ctx, lane))
	err = errors.Join(err, s.client.Del(ctx, s.keys.token(lane), s.keys.renewing(lane), s.keys.budget(lane), s.keys.subscription(lane), s.keys.sweeps(lane), s.keys.pairs(lane)).Err())
	if err != nil {
		return fmt.Errorf("forgetting a member: %w", err)
	}
	return nil
}

// MemberStates returns every member, in order of id. It may be two seconds old,
// and some minutes while the store cannot be reached. The slice is shared and
// must not be changed.
func (s *Store) MemberStates(ctx context.Context) ([]MemberState, error) {
	list, err := s.memberList(ctx)
	if err != nil {
		return nil, err
	}
	return list.states, nil
}

// Members implements reconciler.Store. The slice is shared and must not be
// changed.
func (s *Store) Members(ctx context.Context) ([]reconciler.Member, error) {
	list, err := s.memberList(ctx)
	if err != nil {
		return nil, err
	}
	return list.members, nil
}

// MembersNow implements reconciler.Store.
func (s *Store) MembersNow(ctx context.Context) ([]reconciler.Member, error) {
	list, err := s.readMembers(ctx)
	if err != nil {
		return nil, err
	}
	return list.members, nil
}

// memberList returns the copy, and reads a new one when that is old. One caller
// reads at a time: the others go on with a copy that may still be used, or wait
// for the new one.
func (s *Store) memberList(ctx context.Context) (*memberList, error) {
	known := s.members.Load()
	age := s.memberAge(known)
	switch {
	case age < MemberLife/2:
		return known, nil
	case age < MemberLife:
		select {
		case s.reading <- struct{}{}:
		default:
			return known, nil
		}
	default:
		select {
		case s.reading <- struct{}{}:
		case <-ctx.Done():
			return outlasting(known, age, fmt.Errorf("reading who is connected: %w", ctx.Err()))
		}
	}
	defer func() { <-s.reading }()
	if read := s.members.Load(); s.memberAge(read) < MemberLife/2 {
		return read, nil
	}
	list, err := s.readMembers(ctx)
	if err != nil {
		return outlasting(known, age, err)
	}
	return list, nil
}

// memberAge is how old a copy is; none is older than any.
func (s *Store) memberAge(list *memberList) time.Duration {
	if list == nil {
		return math.MaxInt64
	}
	return s.Now().Sub(list.read).Abs()
}

// outlasting returns an old copy in place of an error, where it may be used.
func outlasting(known *memberList, age time.Duration, err error) (*memberList, error) {
	if age < memberOutage {
		return known, nil
	}
	return nil, err
}

// readMembers reads who is connected. There may be a hundred thousand members
// and hardly ever another one, so that first only the version is asked for; as
// long as nobody comes, goes or changes, the list is the same one.
func (s *Store) readMembers(ctx context.Context) (*memberList, error) {
	now := s.Now()
	version, err := s.client.Get(ctx, s.keys.membersVersion()).Result()
	if err != nil && !errors.Is(err, goredis.Nil) {
		return nil, fmt.Errorf("reading who is connected: %w", err)
	}
	if known := s.members.Load(); known != nil && version != "" && version == known.version {
		again := *known
		again.read = now
		s.members.CompareAndSwap(known, &again)
		return &again, nil
	}
	stored, err := s.client.HGetAll(ctx, s.keys.members()).Result()
	if err != nil {
		return nil, fmt.Errorf("reading who is connected: %w", err)
	}
	list := &memberList{version: version, read: now, states: make([]MemberState, 0, len(stored)), members: make([]reconciler.Member, 0, len(stored))}
	for lane, text := range stored {
		var member MemberState
		if err := json.Unmarshal([]byte(text), &member); err != nil {
			return nil, fmt.Errorf("reading member %s: %w", lane, err)
		}
		list.states = append(list.states, member)
	}
	slices.SortFunc(list.states, func(a, b MemberState) int { return strings.Compare(a.ID, b.ID) })
	for _, state := range list.states {
		list.members = append(list.members, state.member())
	}
	s.members.Store(list)
	return list, nil
}

// SaveSubscription keeps what is known of a mailbox's subscription.
func (s *Store) SaveSubscription(ctx context.Context, lane string, subscription []byte) error {
	if err := s.client.Set(ctx, s.keys.subscription(lane), subscription, 0).Err(); err != nil {
		return fmt.Errorf("keeping a subscription: %w", err)
	}
	return nil
}

// Subscription returns what is known of a mailbox's subscription, or
// ErrNotFound.
func (s *Store) Subscription(ctx context.Context, lane string) ([]byte, error) {
	return s.get(ctx, s.keys.subscription(lane))
}

// Sweeps implements reconciler.Store.
func (s *Store) Sweeps(ctx context.Context, lane string) (reconciler.Sweeps, error) {
	var known reconciler.Sweeps
	text, err := s.get(ctx, s.keys.sweeps(lane))
	if errors.Is(err, ErrNotFound) {
		return known, nil
	}
	if err != nil {
		return known, err
	}
	if err := json.Unmarshal(text, &known); err != nil {
		return known, fmt.Errorf("reading how far changes are known: %w", err)
	}
	return known, nil
}

// SaveSweeps implements reconciler.Store. It needs no lease: whatever was saved
// first or last, the changes up to there wait in the lane.
func (s *Store) SaveSweeps(ctx context.Context, lane string, sweeps reconciler.Sweeps) error {
	text, err := json.Marshal(sweeps)
	if err != nil {
		return fmt.Errorf("keeping how far changes are known: %w", err)
	}
	if err := s.client.Set(ctx, s.keys.sweeps(lane), text, 0).Err(); err != nil {
		return fmt.Errorf("keeping how far changes are known: %w", err)
	}
	return nil
}

func (s *Store) get(ctx context.Context, key string) ([]byte, error) {
	value, err := s.client.Get(ctx, key).Bytes()
	if errors.Is(err, goredis.Nil) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading the store: %w", err)
	}
	return value, nil
}

// SaveSetting keeps a setting that an administrator made, encrypted.
func (s *Store) SaveSetting(ctx context.Context, name string, value []byte) error {
	sealed, err := s.Seal.Seal(value, s.keys.settings()+"/"+name)
	if err != nil {
		return err
	}
	if err := s.client.HSet(ctx, s.keys.settings(), name, sealed).Err(); err != nil {
		return fmt.Errorf("keeping setting %s: %w", name, err)
	}
	return nil
}

// replaceSettingScript sets a setting if it is still the one that was read. KEYS
// settings. ARGV name, former value, new value.
var replaceSettingScript = goredis.NewScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
`)

// changeSettingScript sets a setting if it is still what was read, an empty text
// standing for none. KEYS settings. ARGV name, former value, new value. Answers 1 if
// so.
var changeSettingScript = goredis.NewScript(`
if (redis.call('HGET', KEYS[1], ARGV[1]) or '') ~= ARGV[2] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], ARGV[3])
return 1
`)

// settingChanges is how often ChangeSetting tries when others change the same.
const settingChanges = 10

// ChangeSetting changes a setting: change gets the present value, nil for none, and
// returns the new one, nil to leave it. It is called again when another replica was
// faster.
func (s *Store) ChangeSetting(ctx context.Context, name string, change func([]byte) ([]byte, error)) error {
	place := s.keys.settings() + "/" + name
	for range settingChanges {
		sealed, err := s.client.HGet(ctx, s.keys.settings(), name).Bytes()
		if err != nil && !errors.Is(err, goredis.Nil) {
			return fmt.Errorf("reading setting %s: %w", name, err)
		}
		var value []byte
		if len(sealed) > 0 {
			if value, err = s.Seal.Open(sealed, place); err != nil {
				return err
			}
		}
		next, err := change(value)
		if err != nil || next == nil {
			return err
		}
		anew, err := s.Seal.Seal(next, place)
		if err != nil {
			return err
		}
		done, err := changeSettingScript.Run(ctx, s.client, []string{s.keys.settings()}, name, sealed, anew).Int()
		if err != nil {
			return fmt.Errorf("keeping setting %s: %w", name, err)
		}
		if done == 1 {
			return nil
		}
	}
	return fmt.Errorf("keeping setting %s: others changed it %d times meanwhile", name, settingChanges)
}

// Setting returns a setting that an administrator made, or ErrNotFound. One that a
// former key encrypted is encrypted anew, since nothing else ever would: settings
// outlive every key.
func (s *Store) Setting(ctx context.Context, name string) ([]byte, error) {
	sealed, err := s.client.HGet(ctx, s.keys.settings(), name).Bytes()
	if errors.Is(err, goredis.Nil) {
		return nil, ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("reading setting %s: %w", name, err)
	}
	place := s.keys.settings() + "/" + name
	value, err := s.Seal.Open(sealed, place)
	if err != nil || !s.Seal.Former(sealed) {
		return value, err
	}
	anew, err := s.Seal.Seal(value, place)
	if err != nil {
		return nil, err
	}
	if err := replaceSettingScript.Run(ctx, s.client, []string{s.keys.settings()}, name, sealed, anew).Err(); err != nil {
		return nil, fmt.Errorf("encrypting setting %s with the present key: %w", name, err)
	}
	return value, nil
}
