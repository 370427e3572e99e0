package source

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// OpenParquet opens a Parquet file that lies in r. Close of the File closes c.
func OpenParquet(name string, r io.ReaderAt, size int64, c io.Closer) (File, error) {
	return openParquet(name, r, size, c, false)
}

// Open opens one object. The format is that of the options, else that of the file's
// first bytes and name; compression is recognised by its magic bytes.
func Open(ctx context.Context, o Object, opts Options) (File, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	format, err := o.format(ctx, opts)
	if err != nil {
		return nil, err
	}
	if format == "parquet" {
		r, closer, size, err := o.readerAt(ctx)
		if err != nil {
			return nil, err
		}
		file, err := openParquet(o.Path, r, size, closer, o.bucket != nil)
		if err != nil {
			closer.Close()
		}
		return file, err
	}
	stream := func() (io.ReadCloser, error) { return decompressed(ctx, o, opts.Read) }
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

// ByColumn says whether a column of an object can be read without the others, and without a
// request for it.
func ByColumn(ctx context.Context, o Object, opts Options) (bool, error) {
	format, err := o.format(ctx, opts)
	return format == "parquet" && o.bucket == nil, err
}

// format is the format of an object: that of the options, else that of its first bytes and name.
func (o Object) format(ctx context.Context, opts Options) (string, error) {
	head, err := o.head(ctx)
	switch {
	case err != nil:
		return "", err
	case opts.Format != "":
		return opts.Format, nil
	case bytes.Equal(head, []byte("PAR1")):
		return "parquet", nil
	}
	switch suffix(o.Path) {
	case ".jsonl", ".ndjson", ".json":
		return "jsonl", nil
	case ".parquet":
		return "parquet", nil
	}
	return "csv", nil
}

// head is the first four bytes of an object, fewer when it is shorter, but not none.
func (o Object) head(ctx context.Context) ([]byte, error) {
	f, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 4)
	n, err := io.ReadFull(f, head)
	switch {
	case errors.Is(err, io.EOF):
		return nil, &FileError{File: o.Path, What: "there is nothing in it", Err: ErrEmpty, Hint: "an export without orders still has a header line; export it again"}
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		var fe *FileError
		if !errors.As(err, &fe) {
			err = &FileError{File: o.Path, What: "cannot be read", Err: err}
		}
		return nil, err
	}
	return head[:n], nil
}

// counted tells how many bytes have been read.
type counted struct {
	io.Reader
	tell func(n int64)
}

func (c *counted) Read(b []byte) (int, error) {
	n, err := c.Reader.Read(b)
	c.tell(int64(n))
	return n, err
}

// decompressed opens the object's bytes from the start, unpacked. read, unless nil, is told
// how many stored bytes have been read.
func decompressed(ctx context.Context, o Object, read func(n int64)) (io.ReadCloser, error) {
	f, err := o.open(ctx)
	if err != nil {
		return nil, err
	}
	stored := io.Reader(f)
	if read != nil {
		stored = &counted{f, read}
	}
	b := bufio.NewReaderSize(stored, 1<<16)
	head, _ := b.Peek(4) // what is missing shows when it is read
	switch {
	case bytes.HasPrefix(head, []byte{0x1f, 0x8b}):
		z, err := gzip.NewReader(b)
		if err != nil {
			f.Close()
			return nil, damaged(o.Path, 0, err)
		}
		return &unpacked{z, z, f}, nil
	case bytes.Equal(head, []byte{0x28, 0xb5, 0x2f, 0xfd}):
		z, err := zstd.NewReader(b, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(1<<27))
		if err != nil {
			f.Close()
			return nil, damaged(o.Path, 0, err)
		}
		return &unpacked{z, z.IOReadCloser(), f}, nil
	}
	return &unpacked{b, io.NopCloser(nil), f}, nil
}

// unpacked is a decompressor and the file below it.
type unpacked struct {
	io.Reader
	z io.Closer
	f io.Closer
}

func (u *unpacked) Close() error { return errors.Join(u.z.Close(), u.f.Close()) }

// damaged is the error of bytes that cannot be unpacked or decoded.
func damaged(file string, row int64, err error) error {
	return &FileError{File: file, Row: row, What: "is cut off or damaged", Err: err, Hint: "export or copy the file again; nothing was changed"}
}
