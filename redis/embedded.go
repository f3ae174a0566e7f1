package redis

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

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
	if err := foreignData(s.DataDir, path == noServer); err != nil {
		return err
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

// snapshotName is where the in-process engine keeps its data in the folder.
const snapshotName = "snapshot"

// appendOnlyNames are where a redis-server does: since version 7, and before.
var appendOnlyNames = []string{"appendonlydir", "appendonly.aof"}

// ForeignDataError says that a folder holds the data of the other kind of embedded
// store than is to use it. That one would start empty, and everybody would have to
// connect again.
type ForeignDataError struct {
	// Folder is GATEWAY_DATA_DIR, Names the files and folders in it that the data is
	// in.
	Folder string
	Names  []string
	// Server says that a redis-server is to use it, and Both that the data of either
	// kind is there.
	Server, Both bool
}

// Error says what to do.
func (e *ForeignDataError) Error() string {
	names := strings.Join(e.Names, " and ")
	switch {
	case e.Both:
		return fmt.Sprintf("GATEWAY_DATA_DIR %s holds the data of two stores, one with a redis-server and one without: move away what is not to be used of %s", e.Folder, names)
	case e.Server:
		return fmt.Sprintf("GATEWAY_DATA_DIR %s holds what was stored without a redis-server, and the one on PATH cannot read it: run outlook-gateway backup FILE, move %s away, and run outlook-gateway restore FILE", e.Folder, names)
	}
	return fmt.Sprintf("GATEWAY_DATA_DIR %s holds what a redis-server stored, and none is on PATH: install it again; to do without, first run outlook-gateway backup FILE with it, move %s away, and then outlook-gateway restore FILE", e.Folder, names)
}

// foreignData refuses a folder with data that the engine would not see.
func foreignData(folder string, inProcess bool) error {
	there := func(names ...string) (found []string, err error) {
		for _, name := range names {
			switch _, failed := os.Lstat(filepath.Join(folder, name)); {
			case failed == nil:
				found = append(found, name)
			case !errors.Is(failed, fs.ErrNotExist):
				err = errors.Join(err, fmt.Errorf("GATEWAY_DATA_DIR %s cannot be used: %w", folder, failed))
			}
		}
		return found, err
	}
	snapshot, err := there(snapshotName)
	appended, failed := there(appendOnlyNames...)
	if err := errors.Join(err, failed); err != nil {
		return err
	}
	foreign := snapshot
	if inProcess {
		foreign = appended
	}
	if len(foreign) == 0 {
		return nil
	}
	refused := &ForeignDataError{Folder: folder, Names: foreign, Server: !inProcess, Both: len(snapshot) > 0 && len(appended) > 0}
	if refused.Both {
		refused.Names = append(snapshot, appended...)
	}
	return refused
}

// withItsEngine has a folder read by the engine that wrote it, where that is the
// one that is always there: so what was stored without a redis-server can be backed
// up also once there is one.
func withItsEngine(config Config) Config {
	if config.URL != "" || config.Engine != nil || config.Connection != nil || config.DataDir == "" {
		return config
	}
	var foreign *ForeignDataError
	if errors.As(foreignData(config.DataDir, false), &foreign) && !foreign.Both {
		config.Server = noServer
	}
	return config
}
