package redis_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/redis"
)

// rotated opens the store at an address with keys, named by what fills them.
func rotated(t *testing.T, address string, fills ...byte) *redis.Store {
	t.Helper()
	var keys [][]byte
	for _, fill := range fills {
		keys = append(keys, bytes.Repeat([]byte{fill}, 32))
	}
	sealer, err := redis.NewSealer(keys...)
	if err != nil {
		t.Fatal(err)
	}
	store, err := redis.Open(t.Context(), redis.Config{URL: "redis://" + address, Seal: sealer})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// TestKeysRotateWhileReplicasRun goes through a change of GATEWAY_SECRET_KEY as
// it is done with several replicas: first every one learns the new key behind
// the old, then the new one goes to the front, then the old one goes.
func TestKeysRotateWhileReplicasRun(t *testing.T) {
	address := startServers(t, 1)[0]
	before, learning, leading, after := rotated(t, address, 1), rotated(t, address, 1, 2), rotated(t, address, 2, 1), rotated(t, address, 2)
	if err := before.SaveToken(t.Context(), "7", []byte("token")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := after.Token(t.Context(), "7"); err == nil || !strings.Contains(err.Error(), "GATEWAY_SECRET_KEY") {
		t.Errorf("with the new key alone too early: got %v, want the setting named", err)
	}
	text, version, err := leading.Token(t.Context(), "7")
	if err != nil || string(text) != "token" {
		t.Fatalf("with both keys: got %q, %v, want the token", text, err)
	}
	if done, err := leading.ReplaceToken(t.Context(), "7", version, []byte("renewed")); err != nil || !done {
		t.Fatalf("ReplaceToken: got %t, %v, want it done", done, err)
	}
	for name, store := range map[string]*redis.Store{"learning": learning, "leading": leading, "after": after} {
		if text, _, err := store.Token(t.Context(), "7"); err != nil || string(text) != "renewed" {
			t.Errorf("%s, after the next save: got %q, %v, want the renewed token", name, text, err)
		}
	}
	if _, _, err := before.Token(t.Context(), "7"); err == nil {
		t.Error("with the former key alone: got the token, want an error: the first key encrypts")
	}
}

// TestTokensOutliveTheKeyThatEncryptedThem: a token may not be renewed for weeks,
// while its person is paused or Microsoft is out.
func TestTokensOutliveTheKeyThatEncryptedThem(t *testing.T) {
	address := startServers(t, 1)[0]
	before, leading, after := rotated(t, address, 1), rotated(t, address, 2, 1), rotated(t, address, 2)
	if err := before.SaveToken(t.Context(), "7", []byte("token")); err != nil {
		t.Fatal(err)
	}
	if taken, err := before.LockToken(t.Context(), "7", "somebody", time.Minute); err != nil || !taken {
		t.Fatalf("LockToken: got %t, %v, want it taken", taken, err)
	}
	if done, err := leading.SealTokenAnew(t.Context(), "7"); err != nil || done {
		t.Fatalf("while somebody renews the token: got %t, %v, want it left alone", done, err)
	}
	if err := before.UnlockToken(t.Context(), "7", "somebody"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if done, err := leading.SealTokenAnew(t.Context(), "7"); err != nil || !done {
			t.Fatalf("got %t, %v, want it done", done, err)
		}
	}
	text, version, err := after.Token(t.Context(), "7")
	if err != nil || string(text) != "token" {
		t.Errorf("with the new key alone: got %q, %v, want the token", text, err)
	}
	if taken, err := after.LockToken(t.Context(), "7", "somebody", time.Minute); err != nil || !taken {
		t.Errorf("LockToken afterwards: got %t, %v, want it taken", taken, err)
	}
	if done, err := leading.SealTokenAnew(t.Context(), "7"); err != nil || !done {
		t.Errorf("once more: got %t, %v, want nothing left to do", done, err)
	}
	if _, same, err := after.Token(t.Context(), "7"); err != nil || same != version {
		t.Errorf("once more: the token was saved anew (%v), want it left as it was", err)
	}
	if done, err := leading.SealTokenAnew(t.Context(), "8"); err != nil || !done {
		t.Errorf("for somebody without a token: got %t, %v, want nothing to do", done, err)
	}
}

// TestSettingsOutliveTheKeyThatEncryptedThem: nothing saves a setting again, so
// reading it while both keys are known has to.
func TestSettingsOutliveTheKeyThatEncryptedThem(t *testing.T) {
	address := startServers(t, 1)[0]
	before, leading, after := rotated(t, address, 1), rotated(t, address, 2, 1), rotated(t, address, 2)
	if err := before.SaveSetting(t.Context(), "client_secret", []byte("hush")); err != nil {
		t.Fatal(err)
	}
	if text, err := after.Setting(t.Context(), "client_secret"); err == nil {
		t.Fatalf("with the new key alone too early: got %q, want an error", text)
	}
	if text, err := leading.Setting(t.Context(), "client_secret"); err != nil || string(text) != "hush" {
		t.Fatalf("with both keys: got %q, %v, want the setting", text, err)
	}
	if text, err := after.Setting(t.Context(), "client_secret"); err != nil || string(text) != "hush" {
		t.Errorf("with the new key alone: got %q, %v, want the setting", text, err)
	}
}

// TestSealedValuesOpenInTheirPlaceOnly copies what is encrypted to where somebody
// who can write to Redis might want it.
func TestSealedValuesOpenInTheirPlaceOnly(t *testing.T) {
	address := startServers(t, 1)[0]
	store := rotated(t, address, 1)
	client := goredis.NewClient(&goredis.Options{Addr: address})
	defer client.Close()
	if err := store.SaveToken(t.Context(), "7", []byte("alice's")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"client_secret", "other"} {
		if err := store.SaveSetting(t.Context(), name, []byte("hush")); err != nil {
			t.Fatal(err)
		}
	}
	const namespace = "outlook-gateway:"
	sealed, err := client.Get(t.Context(), namespace+"{lane:7}:token").Result()
	if err != nil || strings.Contains(sealed, "alice") {
		t.Fatalf("the stored token: got %q, %v, want it encrypted", sealed, err)
	}
	setting, err := client.HGet(t.Context(), namespace+"{settings}", "client_secret").Result()
	if err != nil || strings.Contains(setting, "hush") {
		t.Fatalf("the stored setting: got %q, %v, want it encrypted", setting, err)
	}
	if err := client.Set(t.Context(), namespace+"{lane:8}:token", sealed, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := client.HSet(t.Context(), namespace+"{settings}", "other", setting, "token", sealed).Err(); err != nil {
		t.Fatal(err)
	}
	if text, _, err := store.Token(t.Context(), "8"); err == nil {
		t.Errorf("a token in another lane: got %q, want an error", text)
	}
	for _, name := range []string{"other", "token"} {
		if text, err := store.Setting(t.Context(), name); err == nil {
			t.Errorf("a value in setting %s: got %q, want an error", name, text)
		}
	}
	changed := []byte(sealed)
	changed[len(changed)-1] ^= 1
	if err := client.Set(t.Context(), namespace+"{lane:7}:token", changed, 0).Err(); err != nil {
		t.Fatal(err)
	}
	if text, _, err := store.Token(t.Context(), "7"); err == nil {
		t.Errorf("a token with one bit changed: got %q, want an error", text)
	}
}
