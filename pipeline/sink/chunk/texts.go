package chunk

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"
)

const (
	pageText    = 1 << 20 // bytes of text of a page at most, unless one text alone is longer
	mostTexts   = 1 << 16 // different texts of a dictionary at most
	earlyTexts  = 4096    // after which a dictionary is given up when half of the texts are different
	hashFactor  = 0x9E3779B97F4A7C15
	hashFactor2 = 0xC2B2AE3D27D4EB4F
)

// texts writes texts: as indexes into a dictionary where few are different, else as
// lengths and bytes.
func (e *Encoder) texts() error {
	v, list := &e.values, &e.list
	if e.textDictionary() {
		e.meta.Statistics = list.statistics(schemas.String)
		e.meta.Statistics.NullCount = int64(v.nulls)
		page, at := e.plainList[:0], 0
		for _, n := range list.lengths {
			page = append(binary.LittleEndian.AppendUint32(page, uint32(n)), list.text[at:at+int(n)]...)
			at += int(n)
		}
		e.plainList = page
		if len(list.lengths) <= 256 {
			e.bytes = bytesOf(e.bytes, e.dict.codes)
			return indexed(e, page, len(list.lengths), e.bytes)
		}
		return indexed(e, page, len(list.lengths), e.dict.codes)
	}
	v.spread()
	e.meta.Statistics = v.statistics(schemas.String)
	if len(e.levels) > 0 || len(v.text) <= pageText {
		return e.textPage(v.lengths, v.text, v.rows)
	}
	lengths, text := v.lengths, v.text
	for len(lengths) > 0 {
		n, size := 1, int(lengths[0])
		for n < len(lengths) && size+int(lengths[n]) <= pageText {
			size += int(lengths[n])
			n++
		}
		if err := e.textPage(lengths[:n], text[:size], n); err != nil {
			return err
		}
		lengths, text = lengths[n:], text[size:]
	}
	return nil
}

func (e *Encoder) textPage(lengths []int32, text []byte, rows int) (err error) {
	if e.payload, err = e.deltas.EncodeInt32(e.payload[:0], lengths); err != nil {
		return err
	}
	e.payload = append(e.payload, text...)
	return e.data(format.DeltaLengthByteArray, e.payload, rows)
}

// textDictionary puts the different texts into e.list and the index of each text into
// e.dict.codes; false where that does not pay.
func (e *Encoder) textDictionary() bool {
	v, d, list := &e.values, &e.dict, &e.list
	*list = values{lengths: list.lengths[:0], text: list.text[:0]}
	rows := v.rows - v.nulls
	e.limit = min(rows/2+1, mostTexts)
	e.shift = d.room(e.limit)
	d.values, d.codes = d.values[:0], slices.Grow(d.codes[:0], rows) // values: where a text of the list begins
	if len(v.codes) > 0 {
		return e.labelDictionary()
	}
	at := 0
	last, code := []byte(nil), uint32(0)
	for k, n := range v.lengths {
		text := v.text[at : at+int(n)]
		if k == 0 || !bytes.Equal(text, last) {
			if code = e.entry(k, at, n); code == 0 {
				return false
			}
			last = text
		}
		d.codes = append(d.codes, code-1)
		at += int(n)
	}
	return len(list.lengths) > 0
}

// labelDictionary is textDictionary of texts that are listed: each is looked for once.
func (e *Encoder) labelDictionary() bool {
	v := &e.values
	e.starts = starts(e.starts[:0], v.lengths)
	e.entries = append(e.entries[:0], make([]uint32, len(v.lengths))...)
	codes := e.dict.codes[:len(v.codes)]
	for k, c := range v.codes {
		entry := e.entries[c]
		if entry == 0 {
			if entry = e.entry(k, e.starts[c], v.lengths[c]); entry == 0 {
				return false
			}
			e.entries[c] = entry
		}
		codes[k] = entry - 1
	}
	e.dict.codes = codes
	return true
}

// entry is the place in e.list, from 1, of the text of row k, which is n bytes long and
// begins at a place; 0 where a dictionary does not pay.
func (e *Encoder) entry(k, at int, n int32) uint32 {
	v, d, list := &e.values, &e.dict, &e.list
	text := v.text[at : at+int(n)]
	i := hashText(v.text, at, int(n)) >> e.shift
	for d.table[i] != 0 {
		if m := d.table[i] - 1; list.lengths[m] == n && string(list.text[d.values[m]:d.values[m]+int64(n)]) == string(text) {
			return d.table[i]
		}
		i = (i + 1) & uint64(len(d.table)-1)
	}
	if len(list.lengths) == e.limit || len(list.text) > pageText || k >= earlyTexts && len(list.lengths) > k/2 {
		return 0
	}
	d.values = append(d.values, int64(len(list.text)))
	list.lengths, list.text = append(list.lengths, n), append(list.text, text...)
	d.table[i] = uint32(len(list.lengths))
	return d.table[i]
}

// textSeed makes the hashes of texts others than those by which customers are sorted: ids
// that come in the order of their places would crowd one end of the table.
const textSeed = 0x9e3779b97f4a7c15

// hashText is a hash of a text of n bytes: of short ones cheaper than a library's for any length.
func hashText(text []byte, at, n int) uint64 {
	if n > 8 {
		return xxh3.HashSeed(text[at:at+n], textSeed)
	}
	h := (headOf(text, at, n) + uint64(n)) * hashFactor
	return (h ^ h>>32) * hashFactor2
}
