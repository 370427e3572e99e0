package chunk

import (
	"hash/crc32"
	"slices"

	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// data writes a data page of so many rows, compressed if that pays.
func (e *Encoder) data(encoding format.Encoding, payload []byte, rows int) error {
	packed, ok := e.squeezer.page(e.packed[:0], payload)
	if e.packed = packed; !ok {
		packed = payload
	}
	return e.put(encoding, packed, len(payload), ok, rows)
}

// mostDoubles is the size in bytes up to which a dictionary of doubles is searched for repetitions. A longer
// one would become half as long instead of an eighth shorter, at the cost of listing the values once more.
const mostDoubles = 64 << 10

// dictionaryAndData writes a dictionary of size values and e.payload, a page of indexes into
// it: as it is, unless it has been compressed.
func (e *Encoder) dictionaryAndData(dictionary []byte, size int, packed []byte, compressed bool) error {
	if packed != nil {
		e.packed = packed
	}
	if !compressed {
		packed = e.payload
	}
	list, smaller := e.packedList[:0], false
	if e.meta.Type != format.Double || len(dictionary) <= mostDoubles {
		list, smaller = e.squeezer.page(list, dictionary)
	}
	if !smaller { // only data pages may say that they are not compressed
		list = e.squeezer.literals(list, dictionary)
	}
	e.packedList = list
	header := format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: int32(len(dictionary)), CompressedPageSize: int32(len(list)),
		CRC: int32(crc32.ChecksumIEEE(list)), DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: int32(size), Encoding: format.Plain})}
	e.meta.DictionaryPageOffset = int64(len(e.out))
	if err := e.page(&header, format.Plain, list); err != nil {
		return err
	}
	return e.put(format.RLEDictionary, packed, len(e.payload), compressed, e.values.rows)
}

// put writes a data page whose payload took size bytes before it was compressed.
func (e *Encoder) put(encoding format.Encoding, payload []byte, size int, compressed bool, rows int) error {
	if n := len(e.meta.EncodingStats); n == 0 || e.meta.EncodingStats[n-1].PageType == format.DictionaryPage {
		e.meta.DataPageOffset = int64(len(e.out))
	}
	header := format.PageHeader{Type: format.DataPageV2, UncompressedPageSize: int32(len(e.levels) + size), CompressedPageSize: int32(len(e.levels) + len(payload)),
		CRC: int32(crc32.Update(crc32.ChecksumIEEE(e.levels), crc32.IEEETable, payload)),
		DataPageHeaderV2: thrift.New(format.DataPageHeaderV2{NumValues: int32(rows), NumNulls: int32(e.values.nulls), NumRows: int32(rows), Encoding: encoding,
			DefinitionLevelsByteLength: int32(len(e.levels)), IsCompressed: thrift.New(compressed)})}
	return e.page(&header, encoding, e.levels, payload)
}

// page writes a page and what the chunk says about its pages.
func (e *Encoder) page(h *format.PageHeader, encoding format.Encoding, parts ...[]byte) error {
	head, err := thrift.Marshal(new(thrift.CompactProtocol), h)
	if err != nil {
		return err
	}
	e.out = append(e.out, head...)
	for _, p := range parts {
		e.out = append(e.out, p...)
	}
	e.meta.TotalUncompressedSize += int64(len(head)) + int64(h.UncompressedPageSize)
	if !slices.Contains(e.meta.Encoding, encoding) {
		e.meta.Encoding = append(e.meta.Encoding, encoding)
	}
	if n := len(e.meta.EncodingStats); n > 0 && e.meta.EncodingStats[n-1].PageType == h.Type {
		e.meta.EncodingStats[n-1].Count++
		return nil
	}
	e.meta.EncodingStats = append(e.meta.EncodingStats, format.PageEncodingStats{PageType: h.Type, Encoding: encoding, Count: 1})
	return nil
}

// Move adds to the offsets in the description of a column chunk.
func Move(m *format.ColumnMetaData, by int64) {
	m.DataPageOffset += by
	if m.EncodingStats[0].PageType == format.DictionaryPage {
		m.DictionaryPageOffset += by
	}
}
