package command

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/nightpos/outlook-gateway/gateway"
	"github.com/nightpos/outlook-gateway/redis"
)

// storeFlags say which store a command is for.
type storeFlags struct {
	Config   string `help:"YAML file with settings, named as the environment variables in lower case; the environment wins." placeholder:"FILE"`
	Database string `help:"Which database of the settings' list, where there are several." placeholder:"NAME"`
}

// store is the configuration of the store of the settings. What else is set, or
// not, does not matter here.
func (f storeFlags) store(in *invocation) (redis.Config, error) {
	settings, problems, err := gateway.CheckDatabase(in.Lookup, f.Config, f.Database)
	if err != nil {
		return redis.Config{}, err
	}
	for _, problem := range problems {
		switch problem.Name {
		case "REDIS_URL", "REDIS_NAMESPACE", "GATEWAY_SECRET_KEY", "GATEWAY_DATA_DIR":
			return redis.Config{}, &problem
		}
	}
	config := redis.Config{
		URL: settings.RedisURL.Reveal(), Namespace: settings.RedisNamespace, DataDir: settings.DataDir,
		Log: in.logger(settings.LogLevel, settings.LogFormat),
	}
	keys := settings.SecretKeys
	if len(keys) == 0 {
		key, err := redis.LoadOrCreateKey(settings.DataDir)
		if err != nil {
			return redis.Config{}, err
		}
		keys = [][]byte{key}
	}
	if keys, err = settings.KeysOf(keys); err != nil {
		return redis.Config{}, err
	}
	config.Seal, err = redis.NewSealer(keys...)
	return config, err
}

// backupCommand writes everything that the store holds to a file.
type backupCommand struct {
	File string `arg:"" help:"File to write; one that is there is replaced when the backup is complete."`
	storeFlags
}

// Run writes the file, complete or not at all.
func (c backupCommand) Run(in *invocation) (err error) {
	config, err := c.store(in)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(c.File), filepath.Base(c.File)+".new-*")
	if err != nil {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(file.Name()))
		}
	}()
	count, err := redis.Backup(in.ctx, config, file)
	if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
		return err
	}
	if err = os.Rename(file.Name(), c.File); err != nil {
		return fmt.Errorf("the backup cannot be written: %w", err)
	}
	key := "GATEWAY_SECRET_KEY"
	if config.URL == "" {
		if value, _ := in.Lookup(key); value == "" {
			key = "the key in " + filepath.Join(config.DataDir, "secret.key") + " (base64 of it is a GATEWAY_SECRET_KEY)"
		}
	}
	fmt.Fprintf(in.Out, "%d keys are in %s. Sign-ins in it open only with %s: keep that as well, elsewhere.\n", count, c.File, key)
	return nil
}

// restoreCommand puts a backup into the store.
type restoreCommand struct {
	File    string `arg:"" help:"File that backup wrote."`
	Replace bool   `help:"Remove what the store holds first."`
	storeFlags
}

// Run restores the file.
func (c restoreCommand) Run(in *invocation) error {
	config, err := c.store(in)
	if err != nil {
		return err
	}
	file, err := os.Open(c.File)
	if err != nil {
		return fmt.Errorf("the backup cannot be read: %w", err)
	}
	defer file.Close()
	done, err := redis.Restore(in.ctx, config, file, c.Replace)
	switch {
	case errors.Is(err, redis.ErrNotEmpty):
		return errors.New("the store is not empty: stop every gateway that uses it and give --replace to remove what it holds")
	case err != nil:
		return err
	case done.Unreadable > 0:
		return fmt.Errorf("%d keys were restored, but %d of %d sign-ins that were tried do not open: add the key that they were encrypted with to GATEWAY_SECRET_KEY, or these people have to connect again",
			done.Keys, done.Unreadable, done.Tokens)
	}
	fmt.Fprintf(in.Out, "%d keys were restored. Start the gateway: it compares every calendar and makes good what changed since the backup.\n", done.Keys)
	return nil
}
