package chunk

import (
	"fmt"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"github.com/parquet-go/parquet-go/format"
)

// Span is a part of the rows of a column: rows From to To of an array.
type Span struct {
	Array    arrow.Array
	From, To int
}

// Encoder encodes column chunks, one after the other. Its memory is reused; it belongs to
// one goroutine at a time.
type Encoder struct {
	squeezer              *squeezer
	values                values
	dict                  dictionary
	bytes                 []uint8  // codes of a small dictionary
	list                  values   // the texts of a dictionary
	limit, shift          int      // most texts of it, and what hashes are shifted by
	starts                []int    // of listed texts, and
	entries               []uint32 // their places in the dictionary
	payload               []byte   // of a page, before compression
	packed                []byte   // and after
	plainList, packedList []byte   // the page of a dictionary, before and after
	dates                 []int32
	levels                []byte
	deltas                delta.BinaryPackedEncoding
	runs                  rle.Encoding

	out  []byte
	meta format.ColumnMetaData
}

// NewEncoder returns an encoder.
func NewEncoder() (*Encoder, error) {
	s, err := newSqueezer()
	if err != nil {
		return nil, err
	}
	return &Encoder{squeezer: s, runs: rle.Encoding{BitWidth: 1}}, nil
}

// Encode appends the column chunk of the rows in spans to out and describes it; offsets
// count from the start of out.
func (e *Encoder) Encode(out []byte, c schemas.Column, spans []Span) (_ []byte, meta format.ColumnMetaData, err error) {
	if err := e.values.gather(c, spans); err != nil {
		return nil, meta, fmt.Errorf("column %s: %w", c.Name, err)
	}
	v, from := &e.values, len(out)
	e.out = out
	// The codec is the same in all chunks of a column, compressed or not: some readers look at the first one only.
	e.meta = format.ColumnMetaData{Type: physical(c.Type), PathInSchema: []string{c.Name}, Codec: format.Zstd, NumValues: int64(v.rows)}
	if e.levels, err = v.definitionLevels(e.levels[:0], c.Nullable, &e.runs); err != nil {
		return nil, meta, fmt.Errorf("column %s: %w", c.Name, err)
	}
	if c.Type != schemas.String { // of texts those of a dictionary will do
		e.meta.Statistics = v.statistics(c.Type)
	}
	switch {
	case c.Type == schemas.String:
		err = e.texts()
	case c.Type == schemas.Bool:
		err = e.data(format.Plain, packBits(e.payload[:0], v.ints, 1), v.rows)
	case v.wide != nil:
		err = e.data(format.Plain, v.wide, v.rows)
	default:
		err = e.fixed(c.Type)
	}
	if err != nil {
		return nil, meta, fmt.Errorf("column %s: %w", c.Name, err)
	}
	e.meta.TotalCompressedSize = int64(len(e.out) - from)
	return e.out, e.meta, nil
}

// physical is the type in which a logical type is stored.
func physical(t schemas.Type) format.Type {
	switch t {
	case schemas.Int64, schemas.Timestamp, schemas.Amount:
		return format.Int64
	case schemas.Double:
		return format.Double
	case schemas.Bool:
		return format.Boolean
	case schemas.Date:
		return format.Int32
	case schemas.Money:
		return format.FixedLenByteArray
	default:
		return format.ByteArray
	}
}
