package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// unpacker is what the pages of a chunk share to be unpacked.
type unpacker struct {
	zstd     *zstd.Decoder
	gzip     *gzip.Reader
	in, out  []byte
	unpacked int // bytes of out that are those of the page at hand
}

func (u *unpacker) close() {
	if u.zstd != nil {
		u.zstd.Close()
	}
}

// pageContent is the content of a page behind its levels.
type pageContent struct {
	*guard
	packed       bool
	size, stored int64 // bytes unpacked, and in the file
	at           *io.SectionReader
}

// check makes sure that the content unpacks to as many bytes as are declared, as far as
// the library would otherwise make room for more. Where the codec says the size first,
// that is enough.
func (p *pageContent) check() error {
	p.unpacked = 0
	claimed := int64(-1)
	switch {
	case !p.packed:
		p.size = p.stored
		return nil
	case p.meta.Codec == format.Snappy:
		b, err := p.raw(binary.MaxVarintLen64)
		if err != nil {
			return err
		}
		n, k := binary.Uvarint(b)
		if k <= 0 || n > maxPageBytes {
			return fmt.Errorf("its content is no Snappy block of %d bytes", p.size)
		}
		claimed = int64(n)
	case p.meta.Codec == format.Zstd:
		b, err := p.raw(zstd.HeaderMaxSize)
		if err != nil {
			return err
		}
		var h zstd.Header
		if err := h.Decode(b); err != nil {
			return err
		}
		if h.HasFCS {
			claimed = int64(min(h.FrameContentSize, math.MaxInt64))
		}
	case p.meta.Codec == format.Gzip: // a thousandfold is its best
		claimed = p.size
	}
	if claimed >= 0 && claimed != p.size {
		return p.otherSize(claimed)
	}
	if claimed < 0 {
		_, err := p.first(p.size)
		return err
	}
	return nil
}

func (p *pageContent) otherSize(n int64) error {
	return fmt.Errorf("its content unpacks to %d bytes where %d are declared", n, p.size)
}

// raw is the first n bytes of the content as they are stored; there may be fewer.
func (p *pageContent) raw(n int64) ([]byte, error) {
	n = min(n, p.stored)
	if int64(cap(p.in)) < n {
		p.in = make([]byte, n)
	}
	b := p.in[:n]
	if n, err := p.at.ReadAt(b, 0); n < len(b) {
		return nil, err
	}
	return b, nil
}

// counted is the part of the content behind skip bytes whose length stands before it.
func (p *pageContent) counted(skip int64) ([]byte, error) {
	b, err := p.first(skip + 4)
	if err != nil {
		return nil, err
	}
	n := int64(binary.LittleEndian.Uint32(b[skip:]))
	if n > p.size-skip-4 {
		return nil, errors.New("they are longer than the page")
	}
	if b, err = p.first(skip + 4 + n); err != nil {
		return nil, err
	}
	return b[skip+4:], nil
}

// first is the first n bytes of the content, unpacked.
func (p *pageContent) first(n int64) ([]byte, error) {
	if n > p.size {
		return nil, errors.New("it is shorter than its levels")
	}
	if !p.packed {
		return p.raw(n)
	}
	if int64(p.unpacked) >= n {
		return p.out[:n], nil
	}
	if int64(cap(p.out)) < p.size+1 {
		p.out = make([]byte, p.size+1)
	}
	out := p.out[:p.size+1] // one byte more shows whether there is more
	most := int64(math.MaxInt64)
	if n < p.size {
		out, most = out[:min(p.size, max(n, 1<<10))], n+1<<18 // a block of zstd is at most half of that
	}
	b, err := p.raw(most)
	if err != nil {
		return nil, err
	}
	k, err := p.unpack(out, b)
	if int64(k) < n && int64(len(b)) < p.stored { // the beginning was not enough
		if b, err = p.raw(math.MaxInt64); err != nil {
			return nil, err
		}
		k, err = p.unpack(out, b)
	}
	if int64(k) < n && err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && (k > 0 || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	if int64(k) < n || n == p.size && int64(k) != n {
		return nil, p.otherSize(int64(k))
	}
	p.unpacked = k
	return out[:n], nil
}

// unpack unpacks b into out as far as it goes and returns how many bytes that are.
func (p *pageContent) unpack(out, b []byte) (n int, err error) {
	switch p.meta.Codec {
	case format.Lz4Raw:
		return lz4.UncompressBlock(b, p.out[:p.size+1])
	case format.Brotli:
		return io.ReadFull(brotli.NewReader(bytes.NewReader(b)), out)
	case format.Zstd:
		if p.zstd == nil {
			if p.zstd, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxMemory(maxPageBytes)); err != nil {
				return 0, err
			}
		}
		if err := p.zstd.Reset(bytes.NewReader(b)); err != nil {
			return 0, err
		}
		return io.ReadFull(p.zstd, out)
	case format.Gzip:
		if p.gzip == nil {
			p.gzip = new(gzip.Reader)
		}
		if err := p.gzip.Reset(bytes.NewReader(b)); err != nil {
			return 0, err
		}
		return io.ReadFull(p.gzip, out)
	case format.Snappy:
		if int64(len(out)) < p.size {
			return unsnap(out, b)
		}
		b, err = parquet.LookupCompressionCodec(format.Snappy).Decode(p.out[:0], b)
		return copy(p.out[:cap(p.out)], b), err
	}
	return 0, fmt.Errorf("its compression %s cannot be read", p.meta.Codec)
}

// unsnap unpacks the beginning of a Snappy block, as much of it as out holds.
func unsnap(out, b []byte) (n int, err error) {
	_, k := binary.Uvarint(b)
	if k <= 0 {
		return 0, io.ErrUnexpectedEOF
	}
	for b = b[k:]; len(b) > 0 && n < len(out); {
		tag := b[0]
		size, extra := int(tag>>2)+1, 0
		switch tag & 3 {
		case 0: // bytes as they are
			if size > 60 {
				extra = size - 60
			}
		case 1:
			size, extra = int(tag>>2&7)+4, 1
		case 2:
			extra = 2
		case 3:
			extra = 4
		}
		if len(b) < 1+extra {
			return n, io.ErrUnexpectedEOF
		}
		number := 0
		for i := range extra {
			number |= int(b[1+i]) << (8 * i)
		}
		b = b[1+extra:]
		if tag&3 == 0 {
			if extra > 0 {
				size = number + 1
			}
			copied := copy(out[n:], b[:min(size, len(b))])
			n += copied
			b = b[min(size, len(b)):]
			continue
		}
		if tag&3 == 1 {
			number |= int(tag>>5) << 8
		}
		if number == 0 || number > n {
			return n, errors.New("a copy of what is not there")
		}
		for ; size > 0 && n < len(out); size-- {
			out[n] = out[n-number]
			n++
		}
	}
	return n, nil
}
