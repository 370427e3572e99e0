package jobs

import (
	"context"
	"errors"
	"sync"

	"github.com/apache/arrow/go/v17/arrow"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/schemas"
)

// stream turns records that are pushed into the Data that a sink pulls: what the fold
// emits is written while the fold goes on. At most a few records wait in between.
type stream struct {
	table   schemas.Table
	records chan arrow.Record
	gone    chan struct{} // closed when the reader has stopped reading
	once    sync.Once
	failed  error // set before records is closed
}

// errReaderGone is returned by push when the sink has stopped early; its own error is the one to report.
var errReaderGone = errors.New("the sink stopped reading")

func newStream(t schemas.Table) *stream {
	return &stream{table: t, records: make(chan arrow.Record, 4), gone: make(chan struct{})}
}

// push hands over a record and its ownership.
func (s *stream) push(r arrow.Record) error {
	select {
	case s.records <- r:
		return nil
	case <-s.gone:
		r.Release()
		return errReaderGone
	}
}

// close ends the stream: with nil the table is whole, else the reader sees the error.
func (s *stream) close(err error) {
	s.failed = err
	close(s.records)
}

// leave says that nobody reads the stream any more: push fails from then on.
func (s *stream) leave() { s.once.Do(func() { close(s.gone) }) }

// data is the reading end; it must be read by one goroutine, once.
func (s *stream) data() schemas.Data {
	return schemas.Data{Table: s.table, Batches: func(yield func(arrow.Record, error) bool) {
		defer s.leave()
		for r := range s.records {
			ok := yield(r, nil)
			r.Release()
			if !ok {
				return
			}
		}
		if s.failed != nil {
			yield(nil, s.failed)
		}
	}}
}

// writeAhead writes a table and makes its batches while those before them are written. A
// writer that fails before it reads ends the making, too. made is called when no more are made.
func writeAhead(ctx context.Context, p *pipeline.Publication, d schemas.Data, made func()) error {
	s := newStream(d.Table)
	defer s.leave()
	go func() {
		defer made()
		for r, err := range d.Batches {
			if err != nil {
				s.close(err)
				return
			}
			r.Retain()
			if s.push(r) != nil {
				break
			}
		}
		s.close(nil)
	}()
	_, err := p.Write(ctx, s.data())
	return err
}
