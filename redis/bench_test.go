package redis_test

import (
	"errors"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/nightpos/outlook-gateway/reconciler"
	"github.com/nightpos/outlook-gateway/redis"
)

// The floors are what the same redis-server does, with the same settings and
// over the same kind of socket, when it is asked for nothing but one write, or
// one hand-over from a writer to a waiting reader.

// embedded opens a store on a redis-server of its own.
func embedded(b *testing.B) *redis.Store {
	b.Helper()
	return open(b, redis.Config{DataDir: b.TempDir(), Server: programPath(b)})
}

// bare starts a redis-server as the embedded store does, and a client of it.
func bare(b *testing.B) *goredis.Client {
	b.Helper()
	socket := filepath.Join(b.TempDir(), "redis.sock")
	command := exec.CommandContext(b.Context(), programPath(b), "--port", "0", "--unixsocket", socket,
		"--dir", b.TempDir(), "--appendonly", "yes", "--appendfsync", "always", "--save", "", "--loglevel", "warning")
	if err := command.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = command.Process.Kill()
		_ = command.Wait()
	})
	eventually(b, "redis-server", func() error {
		connection, err := net.Dial("unix", socket)
		if err != nil {
			return err
		}
		return connection.Close()
	})
	client := goredis.NewClient(&goredis.Options{Network: "unix", Addr: socket, DisableIdentity: true, Protocol: 2})
	b.Cleanup(func() { client.Close() })
	return client
}

// percentiles reports the median and the 99th percentile.
func percentiles(b *testing.B, spent []time.Duration) {
	slices.Sort(spent)
	for name, part := range map[string]float64{"p50-µs": 0.5, "p99-µs": 0.99} {
		b.ReportMetric(float64(spent[int(part*float64(len(spent)-1))].Nanoseconds())/1000, name)
	}
}

func BenchmarkAddHints(b *testing.B) {
	store := embedded(b)
	var spent []time.Duration
	for index := 0; b.Loop(); index++ {
		begin := time.Now()
		hint := reconciler.Hint{Lane: strconv.Itoa(index % 100), Item: reconciler.Item{Key: "outlook:" + strconv.Itoa(index), Version: "v"}}
		if _, err := store.AddHints(b.Context(), []reconciler.Hint{hint}); err != nil {
			b.Fatal(err)
		}
		spent = append(spent, time.Since(begin))
	}
	percentiles(b, spent)
}

func BenchmarkBareWrite(b *testing.B) {
	client := bare(b)
	var spent []time.Duration
	for index := 0; b.Loop(); index++ {
		begin := time.Now()
		if err := client.HSet(b.Context(), strconv.Itoa(index%100), "outlook:"+strconv.Itoa(index), "v").Err(); err != nil {
			b.Fatal(err)
		}
		spent = append(spent, time.Since(begin))
	}
	percentiles(b, spent)
}

// BenchmarkEnqueueToStart measures from before AddHints until a waiting worker
// has the item in its hands.
func BenchmarkEnqueueToStart(b *testing.B) {
	store := embedded(b)
	started, failed := make(chan time.Time), make(chan error, 1)
	go func() {
		for {
			batch, err := store.Take(b.Context(), 10)
			if err != nil {
				failed <- err
				return
			}
			at := time.Now()
			if err := store.Finish(b.Context(), batch.Lease, []reconciler.Outcome{{Key: batch.Items[0].Key}}); err != nil {
				failed <- err
				return
			}
			started <- at
		}
	}()
	var spent []time.Duration
	for index := 0; b.Loop(); index++ {
		hint := reconciler.Hint{Lane: strconv.Itoa(index % 100), Item: reconciler.Item{Key: "outlook:a", Version: "v"}}
		begin := time.Now()
		if _, err := store.AddHints(b.Context(), []reconciler.Hint{hint}); err != nil {
			b.Fatal(err)
		}
		select {
		case at := <-started:
			spent = append(spent, at.Sub(begin))
		case err := <-failed:
			b.Fatal(err)
		}
	}
	percentiles(b, spent)
}

// BenchmarkBareBlockingPop measures from before LPUSH until a waiting BLPOP has
// the value.
func BenchmarkBareBlockingPop(b *testing.B) {
	client := bare(b)
	started, failed := make(chan time.Time), make(chan error, 1)
	go func() {
		for {
			_, err := client.BLPop(b.Context(), time.Second, "list").Result()
			if errors.Is(err, goredis.Nil) {
				continue
			}
			if err != nil {
				failed <- err
				return
			}
			started <- time.Now()
		}
	}()
	var spent []time.Duration
	for b.Loop() {
		begin := time.Now()
		if err := client.LPush(b.Context(), "list", "outlook:a").Err(); err != nil {
			b.Fatal(err)
		}
		select {
		case at := <-started:
			spent = append(spent, at.Sub(begin))
		case err := <-failed:
			b.Fatal(err)
		}
	}
	percentiles(b, spent)
}
