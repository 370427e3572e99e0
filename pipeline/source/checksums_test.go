package source

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestChecksums(t *testing.T) {
	dir := t.TempDir()
	var objects []Object
	var want []string
	for i, n := range []int{10, 700_000, 0, 300_001, 64} {
		text := bytes.Repeat([]byte{byte('a' + i)}, n)
		path := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		objects = append(objects, Object{URL: path, Path: path, Size: int64(n)})
		sum := sha256.Sum256(text)
		want = append(want, hex.EncodeToString(sum[:]))
	}
	for _, threads := range []int{1, 2, 8} {
		sums, err := Checksums(t.Context(), objects, threads)
		if err != nil || fmt.Sprint(sums) != fmt.Sprint(want) {
			t.Errorf("%d threads: %v, %v, want %v", threads, sums, err, want)
		}
	}
	if sums, err := Checksums(t.Context(), nil, 2); err != nil || len(sums) != 0 {
		t.Errorf("of nothing: %v, %v", sums, err)
	}

	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Checksums(gone, objects, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("of a run that has been stopped: %v", err)
	}
	var fe *FileError
	if _, err := Checksums(t.Context(), []Object{{URL: dir, Path: "exports/folder"}}, 1); !errors.As(err, &fe) || fe.File != "exports/folder" || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("of what is no file: %v", err)
	}
	if _, err := Checksums(t.Context(), []Object{objects[0], {URL: filepath.Join(dir, "missing"), Path: "missing"}}, 1); !errors.As(err, &fe) || !errors.Is(err, ErrMissing) {
		t.Errorf("of a file that is gone: %v", err)
	}
}
