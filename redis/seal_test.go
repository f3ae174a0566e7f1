package redis_test

import (
	"bytes"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/nightpos/outlook-gateway/redis"
)

// Many who ask for the key of a new store at once get the one that is kept: what
// another one encrypted could never be read again.
func TestOneKeyIsMade(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "data")
	const many = 32
	keys := make([][]byte, many)
	var group sync.WaitGroup
	begin := make(chan struct{})
	for index := range many {
		group.Go(func() {
			<-begin
			var err error
			if keys[index], err = redis.LoadOrCreateKey(folder); err != nil {
				t.Error(err)
			}
		})
	}
	close(begin)
	group.Wait()
	kept, err := os.ReadFile(filepath.Join(folder, "secret.key"))
	if err != nil || len(kept) != 32 {
		t.Fatalf("the key that is kept: got %d bytes, %v, want 32", len(kept), err)
	}
	for index, key := range keys {
		if !bytes.Equal(key, kept) {
			t.Errorf("number %d got another key than is kept", index)
		}
	}
	if left, err := filepath.Glob(filepath.Join(folder, "*")); err != nil || len(left) != 1 {
		t.Errorf("got the files %v, %v, want the key alone", left, err)
	}
	// A damaged key is said, and never replaced.
	if err := os.WriteFile(filepath.Join(folder, "secret.key"), kept[:31], 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := redis.LoadOrCreateKey(folder); err == nil {
		t.Error("a key of 31 bytes: got no error")
	}
}
