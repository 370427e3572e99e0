package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// Open opens one object. The format is that of the options, else that of the file's
// first bytes and name; compression is recognised by its magic bytes.
func Open(ctx context.Context, o Object, opts Options) (File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(o.URL)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrMissing
		}
		return nil, &FileError{File: o.Path, What: "cannot be opened", Err: err}
	}
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	head = head[:n]
	switch {
	case errors.Is(err, io.EOF):
		f.Close()
		return nil, &FileError{File: o.Path, What: "there is nothing in it", Err: ErrEmpty, Hint: "an export without orders still has a header line; export it again"}
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		f.Close()
		return nil, &FileError{File: o.Path, What: "cannot be read", Err: err}
	}
	format := opts.Format
	if format == "" {
		switch {
		case bytes.Equal(head, []byte("PAR1")):
			format = "parquet"
		case suffix(o.Path) == ".jsonl", suffix(o.Path) == ".ndjson", suffix(o.Path) == ".json":
			format = "jsonl"
		case suffix(o.Path) == ".parquet":
			format = "parquet"
		default:
			format = "csv"
		}
	}
	if format == "parquet" {
		info, err := f.Stat()
		if err != nil {
			f.Close()
			return nil, &FileError{File: o.Path, What: "cannot be read", Err: err}
		}
		file, err := openParquet(o.Path, f, info.Size(), f, opts)
		if err != nil {
			f.Close()
		}
		return file, err
	}
	f.Close()
	stream := func() (io.ReadCloser, error) { return decompressed(o) }
	switch format {
	case "jsonl":
		return openJSONL(o.Path, stream, opts)
	case "csv":
		if opts.Delimiter == "" && suffix(o.Path) == ".tsv" {
			opts.Delimiter = "tab"
		}
		return openCSV(o.Path, stream, opts)
	}
	return nil, &FileError{File: o.Path, What: fmt.Sprintf("format %q is unknown", format), Hint: "use csv, jsonl or parquet"}
}

// decompressed opens the object's bytes from the start, unpacked.
func decompressed(o Object) (io.ReadCloser, error) {
	f, err := os.Open(o.URL)
	if err != nil {
		return nil, &FileError{File: o.Path, What: "cannot be opened", Err: err}
	}
	head := make([]byte, 4)
	n, _ := io.ReadFull(f, head) // what is missing shows when it is read again
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		f.Close()
		return nil, &FileError{File: o.Path, What: "cannot be read", Err: err}
	}
	head = head[:n]
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(f)
		if err != nil {
			f.Close()
			return nil, damaged(o.Path, 0, err)
		}
		return &unpacked{z, z, f}, nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(f, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<27))
		if err != nil {
			f.Close()
			return nil, damaged(o.Path, 0, err)
		}
		return &unpacked{z, z.IOReadCloser(), f}, nil
	}
	return f, nil
}

// unpacked is a decompressor and the file below it.
type unpacked struct {
	io.Reader
	z io.Closer
	f *os.File
}

func (u *unpacked) Close() error { return errors.Join(u.z.Close(), u.f.Close()) }

// damaged is the error of bytes that cannot be unpacked or decoded.
func damaged(file string, row int64, err error) error {
	return &FileError{File: file, Row: row, What: "is cut off or damaged", Err: err, Hint: "export or copy the file again; nothing was changed"}
}
