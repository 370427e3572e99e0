// Package source reads what a company already has: files of orders and other
// tables in CSV, JSON Lines or Parquet, plain or compressed, from a folder or an
// object store. A reader hands out batches of columns as the vendor wrote them;
// it knows nothing of orders. One format a file; every format passes the suite
// in sourcetest.
package source

import (
	"context"
	"fmt"
	"iter"
	"time"

	"gocloud.dev/blob"
)

// Kind says what the values of a column are, as the file stores them.
type Kind uint8

const (
	Text      Kind = iota // UTF-8 bytes in Text
	Int                   // whole numbers in Ints
	Decimal               // Ints × 10^-Scale
	Float                 // Floats; not exact, the mapping warns when money comes from it
	Bool                  // Ints, 0 or 1
	Timestamp             // Ints in microseconds since 1970: an instant when UTC, else local wall time
	Date                  // Ints in days since 1970-01-01
	Other                 // nested or unsupported: the column may be listed, but not read
)

// Field is one column of a file, known before any row is read.
type Field struct {
	Name  string
	Kind  Kind
	Scale int    // of Decimal
	UTC   bool   // of Timestamp
	Why   string // of Other: why it cannot be read
	Asked bool   // OpenEnded.Lookup has made it: the beginning of the file lacks it
}

// Column holds the values of one column in a batch. Exactly one of Start/End (Text),
// Ints (Int, Decimal, Bool, Timestamp, Date), Floats (Float) or Codes is filled.
type Column struct {
	Field
	Data       []byte // Text: value i is Data[Start[i]:End[i]]
	Start, End []uint32
	Ints       []int64
	Floats     []float64
	Null       []bool // nil when no value of the batch is null

	// Dictionary form, of any kind: value i is entry Codes[i] of Dict (undefined where
	// Null[i]). Batches that share a dictionary share the pointer, so a consumer
	// translates each entry once.
	Codes []int32
	Dict  *Column
	// TooBig lists values that do not fit: decimals beyond 18 digits, timestamps beyond
	// int64 microseconds. Their entry in Ints is 0 and the row is rejected.
	TooBig []int32

	ascii   bool   // of a text column of Parquet: all of Data is ASCII
	invalid []bool // of a dictionary: entries that are no UTF-8; nil before they are checked, empty when all are
}

// BadRow is a row that could not be split into columns, e.g. a ragged CSV line.
// Its place in every column of the batch is null.
type BadRow struct {
	Index  int    // row within the batch
	Reason string // a reason of the rejects table: ragged_row, invalid_utf8, field_too_long, invalid_json
	Column string // the column at fault, if one is
	Detail string // for the person who reads the rejects; not more than 200 bytes
	Raw    []byte // the raw row, if at hand
}

// Batch is a run of rows. It and everything in it is valid until the next one is
// asked for; what is kept is copied.
type Batch struct {
	Cols []Column // the columns asked for, in that order
	N    int      // rows
	Row  int64    // 1-based number of the first row within its file, the header not counted
	Bad  []BadRow // ascending by Index
}

// File is one opened input. It is safe to read different units at the same time.
type File interface {
	// Fields lists the columns in file order.
	Fields() []Field
	// Units is the number of parts that can be read side by side, at least 1: row groups
	// of Parquet; of text Options.Threads shares, each of which has the rows that come
	// while it is read. All units together have every row once.
	Units() int
	// Read yields the rows of one unit with the wanted columns (indexes of Fields).
	// An error ends the sequence and names the place (row, column, byte offset).
	Read(ctx context.Context, unit int, want []int) iter.Seq2[*Batch, error]
	Close() error
}

// OpenEnded is a File whose columns are not all known when it is opened.
type OpenEnded interface {
	// Lookup returns the index in Fields of a column by its path, which it adds if needed.
	Lookup(path string) int
}

// Options say how a file is written, where the file itself does not.
type Options struct {
	Format    string        // "csv", "jsonl", "parquet"; empty: by the file's name, else by its first bytes
	Delimiter string        // one byte, "tab" or "whitespace"; empty: , for .csv, tab for .tsv, with a check that it fits
	Encoding  string        // "utf-8", "utf-16", "latin-1", "windows-1252"; empty: UTF-8 or the byte order mark's
	NoHeader  []string      // column names of a text file that has no header line
	MaxField  int           // bytes of the longest field accepted; 0: 1 MiB
	Threads   int           // that read the file at the same time; 0: one
	Read      func(n int64) `json:"-"` // told how many stored bytes of a text have been read, from several goroutines; nil: nobody asks
}

// Object is one stored input object.
type Object struct {
	URL     string // as shown to people: a path or a URL without credentials
	Path    string // canonical path for sorting and for the file column of rejects, relative to the configuration where possible
	Size    int64  // bytes
	ModTime time.Time
	Version string // generation, etag or md5 as the store gives it, with its name before a colon; empty where it has none

	bucket *blob.Bucket // nil: a local file at URL
	key    string       // in the bucket
}

// FileError is an input that cannot be read: what is wrong, where, and what to do.
type FileError struct {
	File   string
	Row    int64  // 0: not in a row
	Column string // "": not in a column
	What   string
	Hint   string
	Err    error // the cause, or nil
}

func (e *FileError) Error() string {
	s := e.File
	if e.Row > 0 {
		s += fmt.Sprintf(", row %d", e.Row)
	}
	if e.Column != "" {
		s += fmt.Sprintf(", column %q", e.Column)
	}
	s += ": " + e.What
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	if e.Hint != "" {
		s += "\n" + e.Hint
	}
	return s
}

func (e *FileError) Unwrap() error { return e.Err }
