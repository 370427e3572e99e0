package store

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A small object must not be seen before the names that it speaks of are on the disk.
func TestFolderSyncsNamesFirst(t *testing.T) {
	f, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	if err := Write(ctx, f, "results/1/a.parquet", func(w io.Writer) error {
		_, err := w.Write([]byte("rows"))
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if err := f.Copy(ctx, "results/1/a.parquet", "tables/a/a.parquet"); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"results/1", "results", "tables/a", "tables"} {
		if _, ok := f.names.dirs[filepath.Join(f.root, dir)]; !ok {
			t.Errorf("%s names something new and is not waiting to be synced", dir)
		}
	}
	broken := filepath.Join(f.root, "results/1/a.parquet/none") // cannot be synced: it would lie in a file
	for name, put := range map[string]func(context.Context, string, []byte) error{"runs/1.json": f.PutNew, "runs/1.done": f.Put} {
		f.names.add(broken)
		if err := put(ctx, name, []byte("{}")); err == nil {
			t.Errorf("%s is written although a name before it is not on the disk", name)
		}
		if _, err := f.Open(ctx, name); !errors.Is(err, ErrNotExist) {
			t.Errorf("%s is seen although a name before it is not on the disk: %v", name, err)
		}
		delete(f.names.dirs, broken)
		if err := put(ctx, name, []byte("{}")); err != nil {
			t.Error(err)
		}
		if n := len(f.names.dirs); n > 0 {
			t.Errorf("%d folders are not synced after %s", n, name)
		}
	}
}

// What cannot be opened is nil, so that callers can tell that there is nothing to close.
func TestOpenFails(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{filepath.Join(file, "warehouse"), "ftp://host/warehouse", "s3:///warehouse"} {
		if s, err := Open(t.Context(), address); err == nil || s != nil {
			t.Errorf("%s: %v, %v", address, s, err)
		}
	}
}
