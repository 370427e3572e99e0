package transforms

import (
	"sync"

	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// looked is a customer on the way from its bytes to what needs all customers.
type looked struct {
	value    ltv.CustomerValue
	historic schemas.Sum
	group    int
	segments int // where its segments begin in the batch
}

// lookedBatch is the customers of one record.
type lookedBatch struct {
	customers []looked
	at        []located
	values    []ltv.RowValue
	segments  []uint32
	failed    error
}

// Look goes once through all customers, for what needs all of them: the percentiles of
// customer_ltv, and cohort_ltv_forecast where it is wanted. Customers are read from their
// bytes while those before them are added up, in their order.
func (f *Forecasts) Look(histories Histories, cohorts bool) error {
	f.ranks = newValueRanks()
	if cohorts {
		f.cohorts = newCohortForecast(f)
	}
	full, empty := make(chan *lookedBatch, 1), make(chan *lookedBatch, 3)
	for range cap(empty) {
		empty <- new(lookedBatch)
	}
	go func() {
		defer close(full)
		for b, err := range histories() {
			to := <-empty
			to.fill(f, b, err)
			failed := to.failed != nil
			full <- to
			if failed {
				return
			}
		}
	}()
	var failed error
	for batch := range full {
		if failed = batch.failed; failed != nil {
			continue // the last one
		}
		f.take(batch, cohorts)
		empty <- batch
	}
	f.ranks.sum()
	return failed
}

// fill reads the customers of a record.
func (l *lookedBatch) fill(f *Forecasts, b []byte, err error) {
	l.customers, l.segments, l.failed = l.customers[:0], l.segments[:0], err
	if err != nil {
		return
	}
	r := readHistories(b, len(f.base.s.Dimensions))
	if l.at, l.failed = f.locate(r, l.at); l.failed != nil {
		return
	}
	l.values = l.values[:0]
	for _, at := range l.at {
		l.values = append(l.values, f.rowValue(at))
	}
	l.failed = r.each(len(l.at), func(h *history, i int) {
		w, group := f.base.worths(h), l.at[i].group
		value := f.segments[group].forecast.ValueOf(&l.values[i], schemas.SumFloat(w.repeat))
		l.customers = append(l.customers, looked{value, w.total, int(group), len(l.segments)})
		l.segments = append(l.segments, h.segments...)
	})
}

// take adds the customers of a batch.
func (f *Forecasts) take(l *lookedBatch, cohorts bool) {
	var added sync.WaitGroup
	if cohorts {
		for d := range f.cohorts.tables {
			added.Go(func() { f.cohorts.add(d, l) })
		}
	}
	for i := range l.customers {
		if v := &l.customers[i].value; v.HasValue {
			f.ranks.add(v.Value)
		}
	}
	added.Wait()
}
