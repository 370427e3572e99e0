package source

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/parquet-go/parquet-go"
)

// FuzzParquet reads damaged files: data or an error that names the place, never a panic.
func FuzzParquet(f *testing.F) {
	type row struct {
		ID   string   `parquet:"id,dict"`
		Name *string  `parquet:"name,optional"`
		N    int64    `parquet:"n,delta"`
		X    *float64 `parquet:"x,optional"`
	}
	name, x := "größe", 1.5
	for _, codec := range []parquet.WriterOption{parquet.Compression(&parquet.Uncompressed), parquet.Compression(&parquet.Zstd)} {
		var b bytes.Buffer
		if err := parquet.Write(&b, []row{{"a", &name, 1, nil}, {"b", nil, 2, &x}, {"a", &name, 3, nil}}, codec); err != nil {
			f.Fatal(err)
		}
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := openParquet("f", bytes.NewReader(data), int64(len(data)), io.NopCloser(nil), false)
		if err != nil || totalRows(file) > 100_000 {
			return
		}
		var fe *FileError
		if _, err := all(file); err != nil && !errors.As(err, &fe) {
			t.Errorf("an error without place: %v", err)
		}
	})
}
