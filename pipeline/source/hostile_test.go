package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/schemas"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// oneRow is a row of the files that are made hostile.
type oneRow struct {
	ID string `parquet:"order_id,dict"`
	N  int64  `parquet:"n"`
}

func writeParquet[T any](t testing.TB, rows []T, options ...parquet.WriterOption) []byte {
	t.Helper()
	var b bytes.Buffer
	w := parquet.NewGenericWriter[T](&b, options...)
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// dictionaryFile is a file of one column of texts: a dictionary page of n entries and a
// data page of codes for so many rows.
func dictionaryFile(t testing.TB, dictionary []byte, n int32, codes []byte, rows int32) []byte {
	t.Helper()
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	out := []byte("PAR1")
	m := footerOf(t, writeParquet(t, []struct {
		ID string `parquet:"order_id,dict"`
	}{{"a"}}, parquet.Compression(&parquet.Zstd)))
	m.NumRows, m.RowGroups[0].NumRows = int64(rows), int64(rows)
	c := &m.RowGroups[0].Columns[0].MetaData
	c.NumValues, c.DictionaryPageOffset = int64(rows), 4
	for _, page := range []struct {
		h       format.PageHeader
		content []byte
	}{
		{format.PageHeader{Type: format.DictionaryPage, DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: n})}, dictionary},
		{format.PageHeader{Type: format.DataPage, DataPageHeader: thrift.New(format.DataPageHeader{NumValues: rows, Encoding: format.RLEDictionary})}, codes},
	} {
		packed := e.EncodeAll(page.content, nil)
		page.h.UncompressedPageSize, page.h.CompressedPageSize = int32(len(page.content)), int32(len(packed))
		head, err := thrift.Marshal(new(thrift.CompactProtocol), &page.h)
		if err != nil {
			t.Fatal(err)
		}
		c.DataPageOffset = int64(len(out)) // of the last page
		out = append(append(out, head...), packed...)
	}
	c.TotalCompressedSize = int64(len(out)) - 4
	return withFooter(t, out, m)
}

// bomb is a file of about a kilobyte whose rows all have the same text of so many bytes.
func bomb(t testing.TB, rows int32, length int) []byte {
	dictionary := binary.LittleEndian.AppendUint32(nil, uint32(length))
	dictionary = append(dictionary, bytes.Repeat([]byte{'x'}, length)...)
	codes := binary.AppendUvarint([]byte{1}, uint64(rows)<<1)
	return dictionaryFile(t, dictionary, 1, append(codes, 0), rows)
}

// TestHostileFiles reads files that ask for far more than they hold, in a child process
// with little memory: each is read or refused, soon.
func TestHostileFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector takes memory that is measured here")
	}
	small := writeParquet(t, []oneRow{{"a", 1}, {"b", 2}, {"a", 3}})
	claim := func(edit func(m *format.FileMetaData)) []byte { return editFooter(t, small, edit) }
	page := func(edit func(h *format.PageHeader)) []byte {
		return editPages(t, small, func(h *format.PageHeader, _ []byte) { h.CRC = 0; edit(h) })
	}
	narrow := writeParquet(t, []struct {
		N int64 `parquet:"n"`
	}{{1}, {2}, {3}})
	manyGroups := func(n int) []byte {
		return editFooter(t, narrow, func(m *format.FileMetaData) {
			g := m.RowGroups[0]
			m.RowGroups = nil
			for range n {
				m.RowGroups = append(m.RowGroups, g)
			}
			m.NumRows = int64(n) * g.NumRows
		})
	}
	wide := "c0"
	for i := 1; i < 10_000; i++ {
		wide += fmt.Sprint(",c", i)
	}
	for _, c := range []struct {
		name string
		data []byte
		rows string // that are read
		says string // of the error
	}{
		{"bomb.parquet", bomb(t, 100_000, 10<<20), "100000", ""},
		{"bomb of one text.parquet", bomb(t, 1, 60<<20), "", "take more than 48 MiB of memory"},
		{"run of 3 billion codes.parquet", dictionaryFile(t, []byte("\x01\x00\x00\x00a"), 1, append(binary.AppendUvarint([]byte{1}, 3<<31), 0), 2), "", "runs of 3221225472 values"},
		{"packed codes that are not there.parquet", dictionaryFile(t, []byte("\x01\x00\x00\x00a"), 1, binary.AppendUvarint([]byte{1}, 1<<29|1), 2), "", "runs of 2147483648 values"},
		{"dictionary that is not there.parquet", dictionaryFile(t, []byte("\x01\x00\x00\x00aaaaaaaaaaaa"), 3, []byte{1, 4, 0}, 2), "", "cannot be decoded"},
		{"group of 4 GB.parquet", claim(func(m *format.FileMetaData) {
			m.RowGroups[0].TotalByteSize, m.RowGroups[0].TotalCompressedSize = 1<<32, 1<<32
			m.RowGroups[0].Columns[0].MetaData.TotalCompressedSize = 1 << 32
		}), "", "outside the file"},
		{"group of 1 byte.parquet", claim(func(m *format.FileMetaData) { m.RowGroups[0].Columns[0].MetaData.TotalCompressedSize = 1 }), "", "column \"order_id\": cannot be decoded"},
		{"rows that are not there.parquet", claim(func(m *format.FileMetaData) {
			m.NumRows = math.MaxInt64 - 8
			m.RowGroups[0].NumRows = math.MaxInt64 - 8
		}), "", "fewer rows than its row group"},
		{"million row groups.parquet", manyGroups(1_000_000), "", "takes more than 96 MiB of memory"},
		{"footer of 100 MB.parquet", append(append(make([]byte, 100<<20), small[len(small)-8-4:len(small)-8]...), "\x00\x00\x40\x06PAR1"...), "", "its footer of 104857600 bytes takes more than"},
		{"thousand row groups.parquet", manyGroups(1000), "3000", ""},
		{"dictionary of many.parquet", page(func(h *format.PageHeader) { h.DictionaryPageHeader.V.NumValues *= 1_000_000_000 }), "", "its dictionary claims 2000000000 values"},
		{"dictionary of few.parquet", page(func(h *format.PageHeader) {
			h.DictionaryPageHeader.V.NumValues = min(1, h.DictionaryPageHeader.V.NumValues)
		}), "", "dictionary entry 1 of 1"},
		{"page of many.parquet", page(func(h *format.PageHeader) { h.DataPageHeaderV2.V.NumValues = math.MaxInt32 }), "", "claims 2147483647 values, 3 rows are left"},
		{"page of 2 GB.parquet", page(func(h *format.PageHeader) { h.UncompressedPageSize = math.MaxInt32 }), "", "claims to unpack"},
		{"codes without a dictionary.parquet", claim(func(m *format.FileMetaData) {
			c := &m.RowGroups[0].Columns[0].MetaData
			c.TotalCompressedSize -= c.DataPageOffset - c.DictionaryPageOffset
			c.DictionaryPageOffset = 0
		}), "", "the column has none"},
		{"10,000 columns.csv", []byte(wide + "\n" + strings.Repeat(",", 9_999) + "\n,\n"), "2", ""},
		{"2 million columns.csv", append(bytes.Repeat([]byte{','}, 2<<20), '\n'), "", "more than 1048575 columns"},
		{"commas.csv", append([]byte("a,b\n"), append(bytes.Repeat([]byte{','}, 40<<20), "\n1,2\n"...)...), "2", ""},
		{"quotes.csv", append([]byte("a,b\n"), append(bytes.Repeat([]byte{'"'}, 8<<20), "\n1,2\n"...)...), "2", ""},
		{"brackets.jsonl", append([]byte("{\"a\":1}\n"), append(bytes.Repeat([]byte{'['}, 8<<20), "\n{\"a\":2}\n"...)...), "3", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), c.name)
			if err := os.WriteFile(path, c.data, 0o600); err != nil {
				t.Fatal(err)
			}
			said := inChild(t, "read", path, time.Minute)
			seconds, err := strconv.ParseFloat(said["seconds"], 64)
			if err != nil || seconds > 20 {
				t.Errorf("%s seconds, %v", said["seconds"], err)
			}
			t.Logf("%d bytes, %s s, peak %s, %s rows, %s", len(c.data), said["seconds"], said["peak"], said["rows"], said["error"])
			if c.says == "" && (said["error"] != "" || said["rows"] != c.rows) || !strings.Contains(said["error"], c.says) {
				t.Errorf("%s rows, error %q", said["rows"], said["error"])
			}
		})
	}
}

// TestManyColumns reads a Parquet file of 10,000 columns.
func TestManyColumns(t *testing.T) {
	group := parquet.Group{}
	for i := range 10_000 {
		group[fmt.Sprintf("c%05d", i)] = parquet.Optional(parquet.Leaf(parquet.Int64Type))
	}
	var b bytes.Buffer
	w := parquet.NewGenericWriter[any](&b, parquet.NewSchema("wide", group))
	row := make(parquet.Row, 10_000)
	for i := range row {
		row[i] = parquet.Int64Value(int64(i)).Level(0, 1, i)
	}
	if _, err := w.WriteRows([]parquet.Row{row, row}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := openParquet("wide", bytes.NewReader(b.Bytes()), int64(b.Len()), io.NopCloser(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := all(f)
	if err != nil || len(rows) != 2 || rows[1][9_999] != "9999" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

// TestEveryFlippedBitInAPage flips each bit of the pages of a file with checksums: none
// is read as if nothing had happened.
func TestEveryFlippedBitInAPage(t *testing.T) {
	type flipped struct{ from, to int64 }
	good := writeParquet(t, mixedRows(20), parquet.Compression(&parquet.Uncompressed))
	var contents []flipped
	f, err := openParquet("f", bytes.NewReader(good), int64(len(good)), io.NopCloser(nil), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range footerOf(t, good).RowGroups {
		for i, c := range g.Columns {
			if f.Fields()[i].Kind == Other {
				continue
			}
			pages, err := openChunk(bytes.NewReader(good), int64(len(good)), &c.MetaData, nil, g.NumRows, 1)
			if err != nil {
				t.Fatal(err)
			}
			for pages.rest > 0 {
				h, err := pages.header()
				if err != nil {
					t.Fatal(err)
				}
				if h.CRC == 0 {
					t.Fatal("a page has no checksum")
				}
				n, err := pages.r.Discard(int(h.CompressedPageSize))
				if err != nil {
					t.Fatal(err)
				}
				from := chunkStart(&c.MetaData) + c.MetaData.TotalCompressedSize - pages.rest
				pages.rest -= int64(n)
				contents = append(contents, flipped{from, from + int64(n)})
			}
		}
	}
	if len(contents) < 10 {
		t.Fatalf("%d pages", len(contents))
	}
	for _, c := range contents {
		for bit := 8 * c.from; bit < 8*c.to; bit++ {
			data := bytes.Clone(good)
			data[bit/8] ^= 1 << (bit % 8)
			f, err := openParquet("f", bytes.NewReader(data), int64(len(data)), io.NopCloser(nil), false)
			if err == nil {
				_, err = drainFile(f, math.MaxInt64)
			}
			var fe *FileError
			if !errors.As(err, &fe) || !strings.Contains(err.Error(), "checksum") {
				t.Fatalf("bit %d of byte %d: %v", bit%8, bit/8, err)
			}
		}
	}
}

// TestLineOfAGigabyte passes over one line of 1 GB.
func TestLineOfAGigabyte(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	for _, quote := range []string{"", "\""} {
		text := io.MultiReader(strings.NewReader("1,x\n2,"+quote), io.LimitReader(repeat('y'), 1<<30), strings.NewReader(quote+"\n3,z\n"))
		f, err := openCSV("a.csv", func() (io.ReadCloser, error) { return io.NopCloser(text), nil }, Options{NoHeader: []string{"id", "name"}})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := all(f)
		if err != nil || len(rows) != 3 || rows[1][0] != schemas.ReasonFieldTooLong || rows[2][1] != "z" {
			t.Errorf("%q: %d rows, %v", quote, len(rows), err)
		}
	}
}
