package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nightpos/outlook-gateway/outlook"
	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// tokens keeps outlook's tokens in the store, encrypted there.
type tokens struct{ store *redis.Store }

var _ outlook.TokenStore = (*tokens)(nil)

// noSignIn is the reason of a person whose sign-in is not in the store.
const noSignIn = "no sign-in is stored"

// Token implements outlook.TokenStore: nobody's token is a person who must
// connect.
func (t *tokens) Token(ctx context.Context, lane string) (outlook.Token, string, error) {
	text, version, err := t.store.Token(ctx, lane)
	if errors.Is(err, redis.ErrNotFound) {
		return outlook.Token{}, "", errors.Join(reconciler.ErrReconnect, t.needsReconnect(ctx, lane, noSignIn))
	}
	if err != nil {
		return outlook.Token{}, "", err
	}
	var token outlook.Token
	if err := json.Unmarshal(text, &token); err != nil {
		return outlook.Token{}, "", fmt.Errorf("reading a token: %w", err)
	}
	return token, version, nil
}

// SaveToken keeps the token of somebody who has just signed in, whatever was
// kept before.
func (t *tokens) SaveToken(ctx context.Context, lane string, token outlook.Token) error {
	text, err := json.Marshal(token)
	if err != nil {
		return fmt.Errorf("keeping a token: %w", err)
	}
	return t.store.SaveToken(ctx, lane, text)
}

// ReplaceToken implements outlook.TokenStore.
func (t *tokens) ReplaceToken(ctx context.Context, lane, version string, token outlook.Token) (bool, error) {
	text, err := json.Marshal(token)
	if err != nil {
		return false, fmt.Errorf("keeping a token: %w", err)
	}
	return t.store.ReplaceToken(ctx, lane, version, text)
}

// RefuseToken implements outlook.TokenStore.
func (t *tokens) RefuseToken(ctx context.Context, lane, version string, token outlook.Token) (bool, error) {
	done, err := t.ReplaceToken(ctx, lane, version, token)
	if err != nil || !done {
		return done, err
	}
	return true, t.needsReconnect(ctx, lane, token.Refused)
}

// needsReconnect notes with a member that only a new sign-in helps. Whoever
// signs in again saves the token first and the member after it: when the token
// is a good one by now, the member is left alone.
func (t *tokens) needsReconnect(ctx context.Context, lane, reason string) error {
	err := t.store.UpdateMember(ctx, lane, func(member *redis.MemberState) (bool, error) {
		text, _, err := t.store.Token(ctx, lane)
		switch {
		case errors.Is(err, redis.ErrNotFound):
		case err != nil:
			return false, err
		default:
			var token outlook.Token
			if err := json.Unmarshal(text, &token); err != nil {
				return false, fmt.Errorf("reading a token: %w", err)
			}
			if token.Refused == "" {
				return false, nil
			}
		}
		changed := member.Refused != reason
		member.Standing = member.After(reconciler.TurnRefused, reason)
		return changed, nil
	})
	if errors.Is(err, redis.ErrNotFound) {
		return nil // somebody who is just connecting, or has just left
	}
	return err
}

// LockToken implements outlook.TokenStore.
func (t *tokens) LockToken(ctx context.Context, lane, holder string, life time.Duration) (bool, error) {
	return t.store.LockToken(ctx, lane, holder, life)
}

// UnlockToken implements outlook.TokenStore.
func (t *tokens) UnlockToken(ctx context.Context, lane, holder string) error {
	return t.store.UnlockToken(ctx, lane, holder)
}

// budget keeps what may be asked of each mailbox in the store.
type budget struct{ store *redis.Store }

// Spend implements outlook.Budget.
func (b budget) Spend(ctx context.Context, lane string, every time.Duration, burst, calls int, longest time.Duration) (time.Duration, bool, error) {
	return b.store.Spend(ctx, lane, redis.Rate{Every: every, Burst: burst}, calls, longest)
}

// LeaveAlone implements outlook.Budget.
func (b budget) LeaveAlone(ctx context.Context, lane string, pause time.Duration) error {
	return b.store.LeaveAlone(ctx, lane, pause)
}
