package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// unpacker unpacks the pages of a column chunk, within the memory that one may take.
type unpacker struct {
	codec format.CompressionCodec
	room  int64
	zstd  *zstd.Decoder
	gzip  *gzip.Reader
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}

// unpack fills out, which has room for one byte more, with what b unpacks to, which must
// be as much as out holds.
func (u *unpacker) unpack(out, b []byte) error {
	n, err := u.into(out[:len(out)+1], b)
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return err
	}
	if n != len(out) {
		return fmt.Errorf("its content unpacks to %d bytes where %d are declared", n, len(out))
	}
	return nil
}

// into unpacks b into out as far as it goes and returns how many bytes that are.
func (u *unpacker) into(out, b []byte) (n int, err error) {
	switch u.codec {
	case format.Zstd:
		if u.zstd == nil {
			if u.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(u.room))); err != nil {
				return 0, err
			}
		}
		return whole(out)(u.zstd.DecodeAll(b, out[:0]))
	case format.Snappy:
		if size, k := binary.Uvarint(b); k <= 0 || size != uint64(len(out)-1) {
			return 0, fmt.Errorf("its content is no Snappy block of %d bytes", len(out)-1)
		}
		return whole(out)(parquet.LookupCompressionCodec(format.Snappy).Decode(out[:0], b))
	case format.Gzip:
		if u.gzip == nil {
			u.gzip = new(gzip.Reader)
		}
		if err := u.gzip.Reset(bytes.NewReader(b)); err != nil {
			return 0, err
		}
		return io.ReadFull(u.gzip, out)
	case format.Lz4Raw:
		return lz4.UncompressBlock(b, out)
	case format.Brotli:
		return io.ReadFull(brotli.NewReader(bytes.NewReader(b)), out)
	}
	return 0, fmt.Errorf("its compression %s cannot be read", u.codec)
}

// whole is the number of bytes that a decoder has appended to out[:0].
func whole(out []byte) func(b []byte, err error) (int, error) {
	return func(b []byte, err error) (int, error) {
		if len(b) <= len(out) && len(b) > 0 && &b[0] != &out[0] {
			copy(out, b)
		}
		return len(b), err
	}
}
