package jobs

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

//go:embed examples/demo
var demo embed.FS

// WriteDemo puts the built-in example into a folder. Files that are there already and
// differ are left alone and reported.
func WriteDemo(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	entries, err := demo.ReadDir("examples/demo")
	if err != nil {
		return err
	}
	for _, e := range entries {
		data, err := demo.ReadFile("examples/demo/" + e.Name())
		if err != nil {
			return err
		}
		path := filepath.Join(dir, e.Name())
		have, err := os.ReadFile(path)
		switch {
		case err == nil && string(have) == string(data):
			continue
		case err == nil:
			return fmt.Errorf("demo: %s exists and is another file; choose another folder with --dir", path)
		case !errors.Is(err, fs.ErrNotExist):
			return fmt.Errorf("demo: %w", err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	return nil
}
