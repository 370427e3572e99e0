package chunk

import (
	"encoding/binary"
	"slices"

	"github.com/parquet-go/parquet-go/format"
	"github.com/zeebo/xxh3"
)

// pageText is the most bytes of text in a page, unless one text alone is longer.
const pageText = 1 << 20

// texts writes texts: as indexes into a dictionary where few are different, else as
// lengths and bytes.
func (e *Encoder) texts() error {
	v := &e.values
	if list, n, ok := e.textDictionary(); ok {
		e.codes = e.dict.codes
		return e.indexed(list, n)
	}
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

// textDictionary makes the dictionary of the texts, as a PLAIN page; false where it does not pay.
func (e *Encoder) textDictionary() (page []byte, size int, ok bool) {
	v, d := &e.values, &e.dict
	limit := min(len(v.lengths)/2+1, 1<<16)
	shift := 64 - 17
	if cap(d.table) < 1<<17 {
		d.table = make([]uint32, 1<<17)
	}
	d.table = d.table[:1<<17]
	clear(d.table)
	d.codes = slices.Grow(d.codes[:0], len(v.lengths))
	var starts []int // of each entry in page
	at := 0
	var last []byte
	code := uint32(0)
	for k, n := range v.lengths {
		text := v.text[at : at+int(n)]
		at += int(n)
		if k == 0 || string(text) != string(last) {
			i := xxh3.Hash(text) >> shift
			for d.table[i] != 0 {
				s := starts[d.table[i]-1]
				if m := int(binary.LittleEndian.Uint32(page[s:])); m == len(text) && string(page[s+4:s+4+m]) == string(text) {
					break
				}
				i = (i + 1) & (1<<17 - 1)
			}
			if d.table[i] == 0 {
				if len(starts) == limit || len(page) > pageText || k >= 4096 && len(starts) > k/2 {
					return nil, 0, false
				}
				starts = append(starts, len(page))
				page = append(binary.LittleEndian.AppendUint32(page, uint32(n)), text...)
				d.table[i] = uint32(len(starts))
			}
			code, last = d.table[i]-1, text
		}
		d.codes = append(d.codes, code)
	}
	return page, len(starts), len(starts) > 0
}
