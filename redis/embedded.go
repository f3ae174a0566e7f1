package redis

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	goredis "github.com/redis/go-redis/v9"
	"go.uber.org/zap"
)

// noServer as Config.Server asks for the in-process engine.
const noServer = "none"

// embed starts the store that needs nothing installed: a redis-server found on
// PATH as a child, or else the engine inside this process.
func (s *Store) embed(ctx context.Context) error {
	if s.DataDir == "" {
		return errors.New("GATEWAY_DATA_DIR is missing: the embedded store needs a folder for its data; example: ./data")
	}
	if err := os.MkdirAll(s.DataDir, 0o700); err != nil {
		return fmt.Errorf("GATEWAY_DATA_DIR %s cannot be made: %w", s.DataDir, err)
	}
	path := s.Server
	if path == "" {
		found, err := exec.LookPath("redis-server")
		if err != nil {
			path = noServer
		} else {
			path = found
		}
	}
	if path == noServer {
		engine, err := NewInProcess(s.DataDir, s.Log)
		if err != nil {
			return err
		}
		s.engine, s.kind, s.durable = engine, "embedded, in this process", false
		s.client = engine.client(nil)
		s.Log.Warn("the store is not durable: no REDIS_URL is set and no redis-server was found on PATH; what is acknowledged in the last seconds before a crash is lost")
		return nil
	}
	child, err := startServer(ctx, path, s.DataDir, s.Log)
	if err != nil {
		return err
	}
	s.child, s.kind, s.durable = child, "embedded redis-server", true
	s.client = goredis.NewClient(&goredis.Options{
		Network: "unix", Addr: child.socket, DisableIdentity: true, Protocol: 2, MaxRetries: 3, MaintNotificationsConfig: quiet(),
		ContextTimeoutEnabled: true,
	})
	s.Log.Debug("the embedded redis-server runs", zap.String("program", path))
	return nil
}
