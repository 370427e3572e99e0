package schemas

import (
	"unsafe"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
)

// Repeated is the text of a row that mostly is the same as in the row before.
type Repeated []byte

// labelType is the type of a column of texts most of which come many times: indexes into
// a list of texts, in which a text may stand more than once.
var labelType = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Uint32, ValueType: arrow.BinaryTypes.String}

// labelPlaces is how many strings a labelColumn remembers.
const labelPlaces = 256

// labelColumn holds texts that are never null as indexes into a list of them. A string is
// found in the list by its address: rows name their segments, grains and the like by a few
// strings, and one that is not found is listed once more.
type labelColumn struct {
	codes []uint32
	list  textColumn
	known [labelPlaces]knownLabel // by address
}

type knownLabel struct {
	text string
	code uint32
}

// add adds a string.
func (c *labelColumn) add(s string) { c.codes = append(c.codes, c.code(s)) }

// code is the place of a string in the list.
func (c *labelColumn) code(s string) uint32 {
	p := uint64(uintptr(unsafe.Pointer(unsafe.StringData(s))))
	k := &c.known[(p+uint64(len(s)))*0x9E3779B97F4A7C15>>56]
	if unsafe.StringData(k.text) != unsafe.StringData(s) || len(k.text) != len(s) || len(s) == 0 {
		*k = knownLabel{s, c.enlist(s)}
	}
	return k.code
}

// repeat adds a text that is likely to be the last one again.
func (c *labelColumn) repeat(b Repeated) {
	if n := len(c.list.ends); n < 2 || string(c.list.data[c.list.ends[n-2]:]) != string(b) {
		addText(&c.list, []byte(b))
	}
	c.codes = append(c.codes, uint32(len(c.list.ends)-2))
}

// enlist adds a text to the list.
func (c *labelColumn) enlist(s string) uint32 {
	addText(&c.list, s)
	return uint32(len(c.list.ends) - 2)
}

// gather adds fields of type string.
func (c *labelColumn) gather(f fields, _ bool) error {
	n := len(c.codes)
	c.codes = grow(c.codes, f.n)[:n+f.n]
	last, code := "", uint32(0)
	for i := range f.n {
		s := *fieldOf[string](f, i)
		if unsafe.StringData(s) != unsafe.StringData(last) || len(s) != len(last) || len(s) == 0 {
			last, code = s, c.code(s)
		}
		c.codes[n+i] = code
	}
	return nil
}

func (c *labelColumn) take(t arrow.DataType) arrow.Array {
	n := len(c.codes)
	codes := newArray(labelType.IndexType, n, 0, nil, handOver(c.codes))
	defer codes.Release()
	list := c.list.take(labelType.ValueType)
	defer list.Release()
	c.codes, c.known = fresh[uint32](n+n/8), [labelPlaces]knownLabel{}
	return array.NewDictionaryArray(t, codes, list)
}
