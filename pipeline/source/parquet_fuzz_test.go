package source

import (
	"bytes"
	"errors"
	"io"
	"testing"
)

// FuzzParquet reads damaged files: data or an error that names the place, never a panic.
func FuzzParquet(f *testing.F) {
	for _, file := range mixedFiles(f) {
		f.Add(file)
	}
	f.Add(bomb(f, 10, 100))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := openParquet("f", bytes.NewReader(data), int64(len(data)), io.NopCloser(nil), false)
		if err == nil {
			_, err = drainFile(file, 100_000)
		}
		var fe *FileError
		if err != nil && !errors.As(err, &fe) {
			t.Errorf("an error without place: %v", err)
		}
	})
}
