package redis_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// Examine tells what was set, and whether what is stored opens.
func TestExamine(t *testing.T) {
	address := startServers(t, 1, "--appendonly", "yes", "--appendfsync", "everysec", "--maxmemory", "50mb", "--maxmemory-policy", "volatile-ttl")[0]
	sealed := func(fill byte) redis.Sealer {
		seal, err := redis.NewSealer(bytes.Repeat([]byte{fill}, 32))
		if err != nil {
			t.Fatal(err)
		}
		return seal
	}
	store, err := redis.Open(t.Context(), redis.Config{URL: "redis://" + address, Seal: sealed(1)})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close()
	for _, id := range []string{"6", "7", "8"} {
		if err := store.SaveMember(t.Context(), redis.MemberState{Member: reconciler.Member{ID: id}}); err != nil {
			t.Fatal(err)
		}
		if id == "8" {
			continue // has no token
		}
		if err := store.SaveToken(t.Context(), id, []byte("token")); err != nil {
			t.Fatal(err)
		}
	}
	for fill, unreadable := range map[byte]int{1: 0, 2: 2} {
		found, err := redis.Examine(t.Context(), redis.Config{URL: "redis://" + address, Seal: sealed(fill)})
		if err != nil {
			t.Fatal(err)
		}
		if found.Tokens != 2 || found.Unreadable != unreadable || len(found.Nodes) != 1 {
			t.Errorf("with key %d: got %+v, want 2 tokens of which %d do not open", fill, found, unreadable)
		}
		node := found.Nodes[0]
		if node.Address != address || node.Version == "" || !node.AppendOnly || node.AppendSync != "everysec" || node.Eviction != "volatile-ttl" ||
			node.MaxMemory != 50<<20 || node.UsedMemory == 0 || node.Replica || node.Clustered || node.Guarded || node.WriteFailed || node.Ahead.Abs() > 5e9 {
			t.Errorf("got %+v", node)
		}
	}
	client := goredis.NewClient(&goredis.Options{Addr: address})
	defer client.Close()
	if err := client.ConfigSet(t.Context(), "min-replicas-to-write", "1").Err(); err != nil {
		t.Fatal(err)
	}
	if found, err := redis.Examine(t.Context(), redis.Config{URL: "redis://" + address}); err != nil || !found.Nodes[0].Guarded {
		t.Errorf("where replicas are asked for: got %+v, %v", found, err)
	}
	if _, err := redis.Examine(t.Context(), redis.Config{URL: "redis://:hush@127.0.0.1:1,nonsense"}); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a wrong address: got %v", err)
	}
}

// TestExamineLeavesTheClientLibrarySilent: an examination is made beside a gateway
// that goes on for months, whose log is JSON on standard error.
func TestExamineLeavesTheClientLibrarySilent(t *testing.T) {
	said, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	defer said.Close()
	before := os.Stderr
	os.Stderr = said
	defer func() { os.Stderr = before }()
	unreachable := redis.Config{URL: "redis://127.0.0.1:1", Seal: seal(t)}
	for range 2 {
		if store, err := redis.Open(t.Context(), unreachable); err == nil {
			t.Error("nothing answers: got a store", store.Close())
		}
		if _, err := redis.Examine(t.Context(), unreachable); err == nil {
			t.Error("nothing answers: got no error")
		}
	}
	if text, err := os.ReadFile(said.Name()); err != nil || len(text) > 0 {
		t.Errorf("on standard error: got %q, %v, want nothing", text, err)
	}
}
