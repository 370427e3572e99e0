package transforms

import (
	"encoding/binary"
	"slices"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/apache/arrow/go/v17/arrow/array"
	"github.com/apache/arrow/go/v17/arrow/decimal128"
	"github.com/apache/arrow/go/v17/arrow/memory"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// LTVRules say which lifetime value is predicted, and how.
type LTVRules struct {
	Model    string   // auto, or one of ltv's models of purchases by its name in the tables
	By       []int    // places in Settings.Dimensions: their values have fits of their own
	Horizon  ltv.Span // from the as-of instant on
	Discount ltv.Discount
	HoldOut  ltv.Span // before the as-of instant, by which models are compared
	Interval float64  // probability of the intervals

	Contracts bool  // customers renew contracts of the length of a period
	Contract  Grain // this one
}

// RFM gathers what the models of lifetime value need of every customer: equal ones as
// counts, for the fits, and each one as a few bytes, for the predictions.
type RFM struct {
	Worker    int // number of this gathering among those of the run
	s         Settings
	groups    groupIndex
	rows      rfmTable
	contracts []contractCounts // by group
	net       spendTable
	margin    spendTable
	costs     bool        // every cost is known so far
	total     schemas.Sum // net revenue
	sample    sample
	bytes     []byte   // of the customers since the last record
	places    []uint32 // of their rows
	queue     []queuedHistory

	keys   []rfmKey // of the queue, as everything below
	found  []uint32
	spends []spendKey
	worths []schemas.Sum
}

// queuedHistory is a customer still to be counted. The tables are too large for the caches:
// many customers one behind the other wait for memory together.
type queuedHistory struct {
	key         rfmKey
	net, margin schemas.Sum // of the order-days after the first
	costs       bool
}

// NewRFM returns an empty gathering.
func NewRFM(s Settings) *RFM {
	return &RFM{s: s, groups: newGroupIndex(), costs: true, sample: sample{limit: maxSampled}}
}

// maxQueued is how many customers are counted at a time.
const maxQueued = 512

// maxBy is how many dimensions a fit can be split by: all there are.
const maxBy = 6

// groupKey is the codes of the values by which fits are split.
type groupKey [maxBy]uint32

// groupIndex numbers the groups in the order in which they come.
type groupIndex struct {
	keys   []groupKey
	places map[groupKey]uint32
	last   uint32
}

func newGroupIndex() groupIndex { return groupIndex{places: make(map[groupKey]uint32)} }

func (g *groupIndex) of(k groupKey) uint32 {
	if int(g.last) < len(g.keys) && g.keys[g.last] == k {
		return g.last
	}
	i, ok := g.places[k]
	if !ok {
		i = uint32(len(g.keys))
		g.keys = append(g.keys, k)
		g.places[k] = i
	}
	g.last = i
	return i
}

// worth is what order-days have brought: of all of them, and of those after the first.
type worth struct{ total, repeat schemas.Sum }

// Add takes one customer.
func (r *RFM) Add(x *Customer) {
	var k groupKey
	for i, d := range r.s.LTV.By {
		k[i] = x.Segments[d]
	}
	group := r.groups.of(k)
	first, last := &x.Days[0], &x.Days[len(x.Days)-1]
	frequency := uint32(len(x.Days) - 1)
	q := queuedHistory{key: rfmKey{group, frequency, uint32(last.Day - first.Day), uint32(max(r.s.LastDay, last.Day) - first.Day)}}
	var net, cost worth
	unknown := int32(0)
	for i := range x.Days {
		d := &x.Days[i]
		net.total, cost.total = net.total.Add(d.Net), cost.total.Add(d.Cost)
		unknown += d.OrdersNoCost
	}
	net.repeat, cost.repeat = net.total.Sub(first.Net), cost.total.Sub(first.Cost)
	r.costs = r.costs && unknown == 0
	q.net, q.margin, q.costs = net.repeat, net.repeat.Sub(cost.repeat), r.costs
	r.total = r.total.Add(net.total)
	if r.s.LTV.Contracts {
		for len(r.contracts) <= int(group) {
			r.contracts = append(r.contracts, contractCounts{})
		}
		r.contracts[group].add(&r.s, x)
	}
	r.sample.add(x, group)
	r.encode(x, net, cost)
	if r.queue = append(r.queue, q); len(r.queue) == maxQueued {
		r.count()
	}
}

// count counts the customers of the queue.
func (r *RFM) count() {
	r.keys = r.keys[:0]
	for i := range r.queue {
		r.keys = append(r.keys, r.queue[i].key)
	}
	r.found = r.rows.placesOf(r.keys, r.found)
	for _, p := range r.found {
		r.rows.rows[p].value++
	}
	r.places = append(r.places, r.found...)
	r.countSpend(&r.net, len(r.queue), func(q *queuedHistory) schemas.Sum { return q.net })
	costs := len(r.queue) // once a cost is not known none counts
	if !r.costs {
		costs = slices.IndexFunc(r.queue, func(q queuedHistory) bool { return !q.costs })
	}
	r.countSpend(&r.margin, costs, func(q *queuedHistory) schemas.Sum { return q.margin })
	r.queue = r.queue[:0]
}

// countSpend adds the first customers of the queue to a table of spend.
func (r *RFM) countSpend(t *spendTable, n int, worth func(*queuedHistory) schemas.Sum) {
	r.spends, r.worths = r.spends[:0], r.worths[:0]
	for i := range r.queue[:max(n, 0)] {
		if q := &r.queue[i]; q.key.frequency > 0 {
			w := worth(q)
			r.spends, r.worths = append(r.spends, spendKeyOf(q.key.group, q.key.frequency, w)), append(r.worths, w)
		}
	}
	r.found = t.placesOf(r.spends, r.found)
	for i, p := range r.found {
		t.add(p, spent{1, r.worths[i]})
	}
}

// encode appends the customer to the bytes: see historyReader.
func (r *RFM) encode(x *Customer, net, cost worth) {
	b := binary.AppendUvarint(r.bytes, uint64(len(x.ID)))
	b = append(b, x.ID...)
	values := [4]schemas.Sum{net.total, net.repeat, cost.total, cost.repeat}
	n := 2
	if r.costs {
		n = 4
	}
	wide := slices.ContainsFunc(values[:n], func(v schemas.Sum) bool { return v.HighBits() != int64(v.LowBits())>>63 })
	b = append(b, byte(n)|bool8(wide)<<7)
	for _, v := range values[:n] {
		b = binary.AppendVarint(b, int64(v.LowBits()))
		if wide {
			b = binary.AppendVarint(b, v.HighBits())
		}
	}
	for _, code := range x.Segments {
		b = binary.AppendUvarint(b, uint64(code))
	}
	r.bytes = b
}

func bool8(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// historyBytes is the type of a record of customers in bytes: one value.
var historyBytes = arrow.NewSchema([]arrow.Field{{Name: "customers", Type: arrow.BinaryTypes.Binary}}, nil)

// take returns the customers since the last call, as a record of one value, nil for none.
func (r *RFM) take() arrow.Record {
	if len(r.bytes) == 0 {
		return nil
	}
	r.count()
	b := make([]byte, 8, 8+4*len(r.places)+len(r.bytes))
	binary.LittleEndian.PutUint32(b, uint32(r.Worker))
	binary.LittleEndian.PutUint32(b[4:], uint32(len(r.places)))
	for _, p := range r.places {
		b = binary.LittleEndian.AppendUint32(b, p)
	}
	b = append(b, r.bytes...)
	r.bytes, r.places = r.bytes[:0], r.places[:0]
	ends := make([]byte, 8)
	binary.LittleEndian.PutUint32(ends[4:], uint32(len(b)))
	data := array.NewData(arrow.BinaryTypes.Binary, 1, []*memory.Buffer{nil, memory.NewBufferBytes(ends), memory.NewBufferBytes(b)}, nil, 0, 0)
	defer data.Release()
	values := array.NewBinaryData(data)
	defer values.Release()
	return array.NewRecord(historyBytes, []arrow.Array{values}, 1)
}

// HistoryBytes are the customers in a record of the fold's.
func HistoryBytes(r arrow.Record) []byte { return r.Column(0).(*array.Binary).Value(0) }

// history is one customer as the bytes hold it.
type history struct {
	id        []byte
	row       uint32
	net, cost worth
	costs     bool
	segments  []uint32
}

// historyReader reads customers one after the other. The bytes are our own: what cannot be
// read is a defect, or a damaged temporary file.
type historyReader struct {
	b      []byte
	rows   []byte // places of the rows, four bytes each
	worker int
	h      history
	bad    bool
}

func readHistories(b []byte, dimensions int) *historyReader {
	r := &historyReader{bad: true}
	if len(b) < 8 {
		return r
	}
	r.worker = int(binary.LittleEndian.Uint32(b))
	n := 4 * int(binary.LittleEndian.Uint32(b[4:]))
	if b = b[8:]; n > len(b) {
		return r
	}
	r.rows, r.b, r.bad = b[:n], b[n:], false
	r.h.segments = make([]uint32, dimensions)
	return r
}

// next reads the next customer, which is valid until the one after it.
func (r *historyReader) next() bool {
	if len(r.rows) == 0 || r.bad {
		return false
	}
	r.h.row, r.rows = binary.LittleEndian.Uint32(r.rows), r.rows[4:]
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad = true
		return false
	}
	r.h.id, r.b = r.b[:n], r.b[n:]
	if len(r.b) == 0 {
		r.bad = true
		return false
	}
	flags := r.b[0]
	r.b = r.b[1:]
	wide := flags&0x80 != 0
	r.h.costs = flags&0x7f == 4
	r.h.net, r.h.cost = worth{r.sum(wide), r.sum(wide)}, worth{}
	if r.h.costs {
		r.h.cost = worth{r.sum(wide), r.sum(wide)}
	}
	for d := range r.h.segments {
		r.h.segments[d] = uint32(r.uvarint())
	}
	return !r.bad
}

func (r *historyReader) sum(wide bool) schemas.Sum {
	low := r.varint()
	if !wide {
		return decimal128.FromI64(low)
	}
	return decimal128.New(r.varint(), uint64(low))
}

func (r *historyReader) uvarint() uint64 {
	if len(r.b) > 0 && r.b[0] < 0x80 { // most are lengths and codes
		v := uint64(r.b[0])
		r.b = r.b[1:]
		return v
	}
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *historyReader) varint() int64 {
	v := r.uvarint()
	return int64(v>>1) ^ -int64(v&1)
}
