package source

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// mixedRow has a column of each kind that exports have.
type mixedRow struct {
	ID      string    `parquet:"order_id"`
	Status  string    `parquet:"status,dict"`
	Channel *string   `parquet:"channel,optional,dict"`
	Email   *string   `parquet:"email,optional"`
	At      time.Time `parquet:"ordered_at,timestamp(microsecond)"`
	Gross   int64     `parquet:"gross_amount,decimal(4:18)"`
	Lines   int32     `parquet:"lines,delta"`
	Name    string    `parquet:"name,delta"`
	Weight  *float64  `parquet:"weight,optional"`
	Test    bool      `parquet:"is_test"`
	Key     [16]byte  `parquet:"key,uuid"`
}

func mixedRows(n int) []mixedRow {
	rows := make([]mixedRow, n)
	for i := range rows {
		channel, email, weight := fmt.Sprint("channel", i%3), fmt.Sprintf("u%d@example.com", i), float64(i)/8
		rows[i] = mixedRow{ID: fmt.Sprint("o-", i), Status: []string{"paid", "refunded"}[i%2], At: time.Unix(1.7e9+int64(i), 0).UTC(), Gross: int64(i * 12_345),
			Lines: int32(i % 7), Name: fmt.Sprint("größe ", i/2), Test: i%5 == 0, Key: [16]byte{byte(i), 15: byte(i >> 8)}}
		if i%4 > 0 {
			rows[i].Channel, rows[i].Email, rows[i].Weight = &channel, &email, &weight
		}
	}
	return rows
}

// mixedFiles are files of mixed rows in every codec and both page formats, with and
// without checksums.
func mixedFiles(t testing.TB) [][]byte {
	t.Helper()
	var files [][]byte
	rows := mixedRows(120)
	for _, codec := range []parquet.WriterOption{parquet.Compression(&parquet.Uncompressed), parquet.Compression(&parquet.Snappy), parquet.Compression(&parquet.Zstd),
		parquet.Compression(&parquet.Gzip), parquet.Compression(&parquet.Lz4Raw), parquet.Compression(&parquet.Brotli)} {
		for version := 1; version <= 2; version++ {
			var b bytes.Buffer
			w := parquet.NewGenericWriter[mixedRow](&b, codec, parquet.DataPageVersion(version), parquet.PageBufferSize(512))
			for part := rows; len(part) > 0; part = part[60:] {
				if _, err := w.Write(part[:60]); err != nil {
					t.Fatal(err)
				}
				if err := w.Flush(); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			files = append(files, b.Bytes(), editPages(t, b.Bytes(), func(h *format.PageHeader, _ []byte) { h.CRC = 0 }))
		}
	}
	return files
}

// footerOf is the description of a file.
func footerOf(t testing.TB, file []byte) *format.FileMetaData {
	t.Helper()
	n := int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	m := &format.FileMetaData{}
	if err := thrift.Unmarshal(new(thrift.CompactProtocol), file[len(file)-8-n:len(file)-8], m); err != nil {
		t.Fatal(err)
	}
	return m
}

// withFooter is a file of pages and a description.
func withFooter(t testing.TB, pages []byte, m *format.FileMetaData) []byte {
	t.Helper()
	footer, err := thrift.Marshal(new(thrift.CompactProtocol), m)
	if err != nil {
		t.Fatal(err)
	}
	out := append(bytes.Clone(pages), footer...)
	out = binary.LittleEndian.AppendUint32(out, uint32(len(footer)))
	return append(out, "PAR1"...)
}

// editFooter changes the description of a file.
func editFooter(t testing.TB, file []byte, edit func(m *format.FileMetaData)) []byte {
	m := footerOf(t, file)
	edit(m)
	return withFooter(t, file[:len(file)-8-int(binary.LittleEndian.Uint32(file[len(file)-8:]))], m)
}

// editPages changes the headers and contents of all pages of a file, and moves what
// follows a header that has become longer or shorter.
func editPages(t testing.TB, file []byte, edit func(h *format.PageHeader, content []byte)) []byte {
	t.Helper()
	m := footerOf(t, file)
	out := []byte("PAR1")
	for g := range m.RowGroups {
		for c := range m.RowGroups[g].Columns {
			chunk := &m.RowGroups[g].Columns[c]
			at := chunkStart(&chunk.MetaData)
			end := at + chunk.MetaData.TotalCompressedSize
			start := int64(len(out))
			data := int64(-1)
			for at < end {
				reader := new(thrift.CompactProtocol).NewReaderFromBytes(file[at:end])
				var h format.PageHeader
				if err := thrift.NewDecoder(reader).Decode(&h); err != nil {
					t.Fatal(err)
				}
				at += int64(reader.BytesRead())
				content := bytes.Clone(file[at : at+int64(h.CompressedPageSize)])
				at += int64(h.CompressedPageSize)
				edit(&h, content)
				head, err := thrift.Marshal(new(thrift.CompactProtocol), &h)
				if err != nil {
					t.Fatal(err)
				}
				if data < 0 && h.Type != format.DictionaryPage {
					data = int64(len(out))
				}
				out = append(append(out, head...), content...)
			}
			if chunk.MetaData.DictionaryPageOffset != 0 {
				chunk.MetaData.DictionaryPageOffset = start
			}
			chunk.MetaData.DataPageOffset = data
			chunk.MetaData.TotalCompressedSize = int64(len(out)) - start
			chunk.OffsetIndexOffset, chunk.ColumnIndexOffset, chunk.OffsetIndexLength, chunk.ColumnIndexLength = 0, 0, 0, 0
			chunk.MetaData.BloomFilterOffset = 0
		}
	}
	return withFooter(t, out, m)
}
