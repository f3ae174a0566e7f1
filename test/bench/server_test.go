package bench_test

import (
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// redisProgram finds redis-server, or skips the test where none is required.
func redisProgram(t testing.TB) string {
	t.Helper()
	path, err := exec.LookPath("redis-server")
	if err != nil {
		if os.Getenv("REQUIRE_REDIS") != "" || *report {
			t.Fatal("redis-server is not on PATH")
		}
		t.Skip("redis-server is not on PATH; ./scripts/test installs it")
	}
	return path
}

// startRedis runs a redis-server of its own, with the settings of
// docker-compose.yml, on a free port of loopback, and returns its REDIS_URL.
func startRedis(t testing.TB) string {
	t.Helper()
	return startRedisSyncing(t, "always")
}

// startRedisSyncing is startRedis with another value of appendfsync.
func startRedisSyncing(t testing.TB, when string) string {
	t.Helper()
	program := redisProgram(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().(*net.TCPAddr)
	listener.Close()
	command := exec.Command(program, "--bind", "127.0.0.1", "--port", strconv.Itoa(address.Port), "--dir", t.TempDir(),
		"--appendonly", "yes", "--appendfsync", when, "--maxmemory-policy", "noeviction", "--loglevel", "warning")
	command.Stderr = os.Stderr
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = command.Process.Kill() // its data is thrown away
		_ = command.Wait()
	})
	url := "redis://" + address.String()
	client := driver(t, url)
	for attempt := 0; ; attempt++ {
		err := client.Ping(t.Context()).Err()
		if err == nil {
			return url
		}
		if attempt == 1000 {
			t.Fatalf("redis-server does not answer: %v", err)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// driver is a client of a redis-server with nothing of ours around it.
func driver(t testing.TB, url string) *goredis.Client {
	t.Helper()
	options, err := goredis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	options.DisableIdentity = true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	client := goredis.NewClient(options)
	t.Cleanup(func() { client.Close() })
	return client
}

// heldBy is how many bytes a redis-server holds under the keys of each kind, where
// kind says of what kind a key is.
func heldBy(t testing.TB, url string, kind func(key string) string) map[string]int64 {
	t.Helper()
	client, held := driver(t, url), map[string]int64{}
	keys := client.Scan(t.Context(), 0, "*", 1000).Iterator()
	for keys.Next(t.Context()) {
		size, err := client.MemoryUsage(t.Context(), keys.Val(), 0).Result()
		if err != nil {
			t.Fatal(err)
		}
		held[kind(keys.Val())] += size
	}
	if err := keys.Err(); err != nil {
		t.Fatal(err)
	}
	return held
}
