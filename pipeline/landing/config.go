package landing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/cohortline/cohortline/pipeline/store"
)

// Config is a configuration as it was written: references such as ${env:NAME} are not
// replaced by what they name, so that no secret is stored.
type Config struct {
	Version    int    `json:"version"`           // of this format: 1
	Path       string `json:"path"`              // of the file
	Dir        string `json:"dir"`               // where relative paths begin
	References string `json:"references_sha256"` // of what the references stood for, see jobs.Past
	Text       string `json:"text"`
}

const configDir = "landing/configs/"

// WriteConfig stores a configuration under its fingerprint, unless it is there.
func WriteConfig(ctx context.Context, s store.Store, fingerprint string, c Config) error {
	h, err := listShelf(ctx, s, configDir, ".json")
	if err != nil || h.usable(fingerprint) != "" {
		return err
	}
	c.Version = 1
	data, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	data = append(data, '\n')
	if err := store.PutOnce(ctx, s, h.fresh(fingerprint), data); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("the configuration cannot be recorded: %w", err)
	}
	return nil
}

// ReadConfig reads the configuration of a fingerprint; store.ErrNotExist says that it was
// not recorded.
func ReadConfig(ctx context.Context, s store.Store, fingerprint string) (Config, error) {
	var c Config
	h, err := listShelf(ctx, s, configDir, ".json")
	if err != nil {
		return c, err
	}
	name := h.any(fingerprint)
	if name == "" {
		return c, store.ErrNotExist
	}
	data, err := store.Read(ctx, s, name)
	if err != nil {
		return c, err
	}
	if err := json.Unmarshal(data, &c); err != nil {
		return c, &DamageError{Object: s.Path(name), What: "is damaged: " + err.Error()}
	}
	return c, store.CheckVersion(s, name, c.Version, 1)
}
