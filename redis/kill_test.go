package redis_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// watched writes a program that is redis-server, run through the given prefix,
// and that notes the process id of each start in a file.
func watched(t *testing.T, prefix string) (program, notes string) {
	t.Helper()
	server := programPath(t)
	folder := t.TempDir()
	program, notes = filepath.Join(folder, "redis-server"), filepath.Join(folder, "starts")
	script := fmt.Sprintf("#!/bin/sh\necho $$ >> '%s'\nexec %s '%s' \"$@\"\n", notes, prefix, server)
	if err := os.WriteFile(program, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	return program, notes
}

// starts are the process ids so far.
func starts(t *testing.T, notes string) []int {
	t.Helper()
	content, err := os.ReadFile(notes)
	if err != nil {
		t.Fatal(err)
	}
	var ids []int
	for _, line := range strings.Fields(string(content)) {
		id, err := strconv.Atoi(line)
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, id)
	}
	return ids
}

// hinting adds hints from several sides until the context ends, and returns the
// lane and key of those that were acknowledged.
func hinting(ctx context.Context, store *redis.Store, name string) (wait func() []string) {
	var mutex sync.Mutex
	var acknowledged []string
	var group sync.WaitGroup
	for lane := range 4 {
		group.Go(func() {
			for index := 0; ctx.Err() == nil; index++ {
				hint := reconciler.Hint{Lane: strconv.Itoa(lane), Item: reconciler.Item{Key: fmt.Sprintf("outlook:%s-%d", name, index)}}
				// What fails is not acknowledged, and nothing is promised.
				if _, err := store.AddHints(ctx, []reconciler.Hint{hint}); err == nil {
					mutex.Lock()
					acknowledged = append(acknowledged, hint.Lane+" "+hint.Item.Key)
					mutex.Unlock()
				}
			}
		})
	}
	return func() []string {
		group.Wait()
		return acknowledged
	}
}

// missing takes everything and returns which of the hints were not there.
func missing(t *testing.T, store *redis.Store, hints []string) []string {
	t.Helper()
	found := map[string]bool{}
	for lane := range 4 {
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		batch, err := store.Take(ctx, 1_000_000)
		cancel()
		if err != nil {
			t.Fatalf("Take of lane %d of 4: got %v, want a batch", lane+1, err)
		}
		for _, item := range batch.Items {
			found[batch.Lane+" "+item.Key] = true
		}
	}
	return slices.DeleteFunc(hints, func(hint string) bool { return found[hint] })
}

func TestAcknowledgedHintsSurviveKill(t *testing.T) {
	t.Parallel()
	cases := map[string]string{"an idle disk": ""}
	// A slow disk is what makes redis-server hold writes back, unless it is told
	// to sync each of them.
	cases["a busy disk"] = "strace -D -f -qq -o /dev/null -e trace=fdatasync,fsync -e inject=fdatasync,fsync:delay_enter=100000"
	for name, prefix := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if prefix != "" && exec.Command("strace", "-qq", "-o", "/dev/null", "true").Run() != nil {
				t.Skip("strace is not on PATH, or not allowed here")
			}
			program, notes := watched(t, prefix)
			config := redis.Config{DataDir: t.TempDir(), Server: program, Seal: seal(t)}
			store, err := redis.Open(t.Context(), config)
			if err != nil {
				t.Fatal(err)
			}
			var acknowledged []string
			const kills = 3
			for round := range kills {
				ctx, cancel := context.WithCancel(t.Context())
				wait := hinting(ctx, store, strconv.Itoa(round))
				// Each round is killed at another point of its writing.
				tick := time.NewTimer(time.Duration(300+170*round) * time.Millisecond)
				<-tick.C
				ids := starts(t, notes)
				if err := syscall.Kill(ids[len(ids)-1], syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
				cancel()
				got := wait()
				if len(got) == 0 {
					t.Fatalf("round %d: no hint was acknowledged before the kill", round)
				}
				acknowledged = append(acknowledged, got...)
				eventually(t, "the server's next start", func() error {
					if count := len(starts(t, notes)); count != round+2 {
						return fmt.Errorf("started %d times, want %d", count, round+2)
					}
					return store.Ping(t.Context())
				})
			}
			if err := store.Close(); err != nil {
				t.Fatalf("Close: got %v, want no error", err)
			}
			if lost := missing(t, open(t, config), slices.Clone(acknowledged)); len(lost) > 0 {
				t.Errorf("lost: got %d of %d acknowledged hints (%s ...), want none", len(lost), len(acknowledged), lost[0])
			}
		})
	}
}

// TestEmbeddedServerWakesWorkers adds while a worker waits, with no other
// process about and nothing else due.
func TestEmbeddedServerWakesWorkers(t *testing.T) {
	t.Parallel()
	store := open(t, redis.Config{DataDir: t.TempDir(), Server: programPath(t)})
	for range 3 {
		waiting := make(chan error, 1)
		go func() {
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			batch, err := store.Take(ctx, 1)
			if err == nil {
				err = store.Finish(t.Context(), batch.Lease, []reconciler.Outcome{{Key: "outlook:a"}})
			}
			waiting <- err
		}()
		if err := store.Add(t.Context(), "1", reconciler.Item{Key: "outlook:a"}); err != nil {
			t.Fatal(err)
		}
		if err := <-waiting; err != nil {
			t.Fatalf("Take and Finish: got %v, want no error", err)
		}
	}
}
