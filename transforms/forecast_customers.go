package transforms

import (
	"encoding/binary"
	"iter"
	"math"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// ForecastRow is a row of customer_ltv.
type ForecastRow struct {
	CustomerID []byte               `col:"customer_id"`
	Segment    string               `col:"segment"`
	Model      string               `col:"model"`
	FittedOn   string               `col:"fitted_on"`
	Basis      string               `col:"value_basis"`
	Frequency  int64                `col:"frequency"`
	Recency    float64              `col:"recency"`
	Age        float64              `col:"age"`
	Alive      schemas.Opt[float64] `col:"probability_alive"`
	Orders     schemas.Opt[float64] `col:"expected_orders"`
	OrdersLow  schemas.Opt[int64]   `col:"expected_orders_low"`
	OrdersHigh schemas.Opt[int64]   `col:"expected_orders_high"`
	NoPurchase schemas.Opt[float64] `col:"probability_no_purchase"`
	Spend      schemas.Opt[float64] `col:"expected_spend"`
	Value      schemas.Opt[float64] `col:"predicted_ltv"`
	ValueLow   schemas.Opt[float64] `col:"predicted_ltv_low"`
	ValueHigh  schemas.Opt[float64] `col:"predicted_ltv_high"`
	Historic   schemas.Sum          `col:"historic_ltv"`
	Total      schemas.Opt[float64] `col:"total_ltv"`
	Percentile schemas.Opt[float64] `col:"percentile"`
	Tier       schemas.Opt[string]  `col:"tier"`
	Note       schemas.Opt[string]  `col:"note"`
}

// Notes of customer_ltv.
const (
	noteNoFit     = "no_fit"
	noteNoSpend   = "no_spend_model"
	noteNeverLost = "never_lost_by_assumption"
)

// worths are the total and the repeat value of a customer by the basis of the run.
func (b *Base) worths(h *history) worth {
	if b.Basis != basisMargin {
		return h.net
	}
	return worth{h.net.total.Sub(h.cost.total), h.net.repeat.Sub(h.cost.repeat)}
}

// forecastCustomer is one customer with the forecast of its segment.
type forecastCustomer struct {
	ltv.CustomerForecast
	fit   *segmentFit
	worth worth
}

// groupAt is the group of a place among the rows of all groups.
func (f *Forecasts) groupAt(place uint32) int {
	from, to := 0, len(f.base.Groups)-1
	for from < to {
		if middle := (from + to + 1) / 2; f.base.Groups[middle].from <= place {
			from = middle
		} else {
			to = middle - 1
		}
	}
	return from
}

// located is where a customer is found: its group, and its row among those of the group.
type located struct{ group, row int32 }

// locate finds the customers that a reader has still to read. It takes the places of all
// before anything is done with one: the memory of none waits for the one before.
func (f *Forecasts) locate(r *historyReader, list []located) ([]located, error) {
	list = list[:0]
	if r.worker >= len(f.base.places) {
		return list, errDamaged
	}
	places := f.base.places[r.worker]
	for b := r.rows; len(b) >= 4; b = b[4:] {
		i := binary.LittleEndian.Uint32(b)
		if int(i) >= len(places) {
			return list, errDamaged
		}
		g := f.groupAt(places[i])
		list = append(list, located{int32(g), int32(places[i] - f.base.Groups[g].from)})
	}
	return list, nil
}

// each calls for every customer of a record, in order, with its place among them.
func (r *historyReader) each(customers int, do func(h *history, i int)) error {
	i := 0
	for ; r.next(); i++ {
		do(&r.h, i)
	}
	if r.bad || i < customers {
		return errDamaged
	}
	return nil
}

// rowForecast is what the customers of a row have in common.
func (f *Forecasts) rowForecast(at located) ltv.RowForecast {
	if forecast := f.segments[at.group].forecast; forecast != nil {
		return forecast.Row(int(at.row))
	}
	return ltv.RowForecast{RFM: f.base.Groups[at.group].Purchases.Rows()[at.row].RFM}
}

// customer is a customer of a row.
func (f *Forecasts) customer(group int32, row *ltv.RowForecast, h *history) forecastCustomer {
	c := forecastCustomer{fit: f.segments[group], worth: f.base.worths(h)}
	if c.fit.forecast != nil {
		c.CustomerForecast = c.fit.forecast.CustomerOf(row, schemas.SumFloat(c.worth.repeat))
	} else {
		c.RFM = row.RFM
	}
	return c
}

// rowValue is what the value of the customers of a row needs.
func (f *Forecasts) rowValue(at located) ltv.RowValue {
	if forecast := f.segments[at.group].forecast; forecast != nil {
		return forecast.RowValue(int(at.row))
	}
	return ltv.NoValue(f.base.Groups[at.group].Purchases.Rows()[at.row].RFM)
}

// row fills a row of customer_ltv.
func (f *Forecasts) row(r *ForecastRow, id []byte, c *forecastCustomer, ranks *valueRanks) {
	*r = ForecastRow{CustomerID: id, Segment: c.fit.name, Model: c.fit.model, FittedOn: c.fit.fittedOn, Basis: f.base.Basis,
		Frequency: int64(c.Frequency), Recency: c.Recency, Age: c.Age, Historic: c.worth.total}
	if c.fit.forecast == nil {
		r.Note = schemas.Some(noteNoFit)
		return
	}
	if c.fit.fits[c.fit.chosen].candidate.AssumesAlive(c.RFM) {
		r.Note = schemas.Some(noteNeverLost)
	} else {
		r.Alive = schemas.Some(c.Alive)
	}
	r.Orders, r.NoPurchase = schemas.Some(c.Expected), schemas.Some(c.NoPurchase)
	r.OrdersLow, r.OrdersHigh = schemas.Some(int64(c.OrdersLow)), schemas.Some(int64(c.OrdersHigh))
	if !c.HasValue {
		r.Note = schemas.Some(noteNoSpend)
		return
	}
	r.Spend, r.Value = schemas.Some(c.Spend), schemas.Some(c.Value)
	r.ValueLow, r.ValueHigh = schemas.Some(c.ValueLow), schemas.Some(c.ValueHigh)
	r.Total = schemas.Some(schemas.SumFloat(c.worth.total) + c.Value)
	percentile := ranks.percentile(c.Value)
	r.Percentile, r.Tier = schemas.Some(percentile), schemas.Some(tier(percentile))
}

// tier names a percentile.
func tier(percentile float64) string {
	switch {
	case percentile >= 90:
		return "top"
	case percentile >= 70:
		return "high"
	case percentile >= 40:
		return "middle"
	}
	return "low"
}

// Histories are the bytes of the fold's histories, record by record in its order; they can
// be read more than once.
type Histories func() iter.Seq2[[]byte, error]

// makers of customer_ltv make the rows of a record each.
const makers = 2

// Customers is the table customer_ltv. Look must have been called with the same histories.
// Records are made side by side and come in their order.
func (f *Forecasts) Customers(histories Histories) schemas.Data {
	return schemas.Data{Table: schemas.CustomerLTV, Batches: func(yield func(arrow.Record, error) bool) {
		q := &foretelling{spare: make(chan *foretold, 2*makers), work: make(chan *foretold, 2*makers), order: make(chan *foretold, 2*makers), gone: make(chan struct{})}
		defer close(q.gone)
		for range cap(q.spare) {
			q.spare <- &foretold{made: make(chan struct{}, 1)}
		}
		go q.gather(f, histories)
		for range makers {
			go q.make(f)
		}
		for b := range q.order {
			<-b.made
			if b.failed != nil {
				yield(nil, b.failed)
				return
			}
			record := b.record
			q.spare <- b
			more := yield(record, nil)
			record.Release()
			if !more {
				return
			}
		}
	}}
}

// foretelling is records on their way: from spare to be filled, to work and, in their order,
// to the reader, until gone is closed.
type foretelling struct {
	spare, work, order chan *foretold
	gone               chan struct{}
}

// foretold is the customers of a record, still as bytes, with their rows.
type foretold struct {
	bytes  []byte
	reader *historyReader
	at     []located
	rows   []ltv.RowForecast
	made   chan struct{} // gets one when record or failed is there
	record arrow.Record
	failed error
}

// fill takes the customers of a record, without making a row of any.
func (b *foretold) fill(f *Forecasts, bytes []byte, err error) {
	b.at, b.rows, b.failed = b.at[:0], b.rows[:0], err
	if err != nil {
		return
	}
	b.bytes = append(b.bytes[:0], bytes...)
	b.reader = readHistories(b.bytes, len(f.base.s.Dimensions))
	b.at, b.failed = f.locate(b.reader, b.at)
	for _, at := range b.at {
		b.rows = append(b.rows, f.rowForecast(at))
	}
}

// gather fills what is spare with the customers of all records, until it fails or nobody is
// there any more. There is room for all that are spare in each channel.
func (q *foretelling) gather(f *Forecasts, histories Histories) {
	defer close(q.work)
	defer close(q.order)
	for bytes, err := range histories() {
		select {
		case b := <-q.spare:
			b.fill(f, bytes, err)
			failed := b.failed != nil
			q.work <- b
			q.order <- b
			if failed {
				return
			}
		case <-q.gone:
			return
		}
	}
}

// make makes the records of what has been filled.
func (q *foretelling) make(f *Forecasts) {
	e := schemas.NewEncoder[ForecastRow](schemas.CustomerLTV)
	for b := range q.work {
		if b.failed == nil {
			b.record, b.failed = f.encode(e, b)
		}
		b.made <- struct{}{}
	}
}

// encode makes the rows of the customers of a record.
func (f *Forecasts) encode(e *schemas.Encoder[ForecastRow], b *foretold) (arrow.Record, error) {
	if err := b.reader.each(len(b.at), func(h *history, i int) {
		c := f.customer(b.at[i].group, &b.rows[i], h)
		r := e.Row()
		f.row(r, h.id, &c, f.ranks)
		e.Append(r)
	}); err != nil {
		return nil, err
	}
	return e.Take()
}

// valueRanks counts values by their leading digits, to rank any number of them in a few
// megabytes: two values are told apart when they differ by one part in 4,096.
type valueRanks struct {
	counts []uint32
	below  []uint64 // twice the values below the class, and those in it
	n      uint64
}

// Classes of values: the exponent of a double and twelve bits of the mantissa, from 2^-20 to 2^44.
const (
	rankShift = 40
	rankLow   = (1023 - 20) << 12
	rankHigh  = (1023 + 44) << 12
)

func newValueRanks() *valueRanks { return &valueRanks{counts: make([]uint32, rankHigh-rankLow+1)} }

func rankOf(v float64) int {
	if !(v > 0) {
		return 0
	}
	return min(max(int(math.Float64bits(v)>>rankShift)-rankLow, 0), rankHigh-rankLow)
}

func (r *valueRanks) add(v float64) { r.counts[rankOf(v)]++ }

// sum makes percentiles of the counts.
func (r *valueRanks) sum() {
	r.below = make([]uint64, len(r.counts))
	for i, n := range r.counts {
		r.below[i] = 2*r.n + uint64(n)
		r.n += uint64(n)
	}
}

// percentile is the share of the values that are lower, and half of the equal ones.
func (r *valueRanks) percentile(v float64) float64 {
	return 100 * float64(r.below[rankOf(v)]) / float64(2*r.n)
}
