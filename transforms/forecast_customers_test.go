package transforms

import (
	"errors"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/apache/arrow/go/v17/arrow"
)

// foretoldCustomers are forecasts of customers of a gatherer, and their bytes.
func foretoldCustomers(t *testing.T) (*Forecasts, [][]byte) {
	t.Helper()
	base, chunks := newGatherer(3000, 5).gather(t, 2, maxSampled)
	f, err := base.Forecast(inTurn)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Look(inOrder(chunks, nil), false); err != nil {
		t.Fatal(err)
	}
	return f, chunks
}

// inOrder are histories that end with an error, if there is one.
func inOrder(chunks [][]byte, failed error) Histories {
	return func() iter.Seq2[[]byte, error] {
		return func(yield func([]byte, error) bool) {
			for _, b := range chunks {
				if !yield(b, nil) {
					return
				}
			}
			if failed != nil {
				yield(nil, failed)
			}
		}
	}
}

// Records that are made side by side come in the order of the customers, each once.
func TestCustomersComeInOrder(t *testing.T) {
	f, chunks := foretoldCustomers(t)
	i := 0
	for r, err := range f.Customers(inOrder(chunks, nil)).Batches {
		if err != nil {
			t.Fatal(err)
		}
		b := readHistories(chunks[i], 1)
		ids, ok := r.Column(0).(interface{ Value(int) string })
		if !ok || r.NumRows() != int64(len(b.rows)/4) {
			t.Fatalf("record %d: %d rows of %T, want %d", i, r.NumRows(), r.Column(0), len(b.rows)/4)
		}
		for k := 0; b.next(); k++ {
			if got := ids.Value(k); got != string(b.h.id) {
				t.Fatalf("record %d, row %d: %q, want %q", i, k, got, b.h.id)
			}
		}
		i++
	}
	if i != len(chunks) || i < 20 {
		t.Errorf("%d records, want %d", i, len(chunks))
	}
}

// What cannot be read ends the table with its error, wherever it is; a reader that leaves ends
// the making, too.
func TestCustomersEnd(t *testing.T) {
	f, chunks := foretoldCustomers(t)
	running := runtime.NumGoroutine()
	lost := errors.New("the disk is gone")
	damaged := append([][]byte{chunks[0], chunks[1][:len(chunks[1])-3]}, chunks[2:]...)
	for want, histories := range map[error]Histories{lost: inOrder(chunks, lost), errDamaged: inOrder(damaged, nil)} {
		var last error
		f.Customers(histories).Batches(func(_ arrow.Record, err error) bool {
			last = err
			return true
		})
		if !errors.Is(last, want) {
			t.Errorf("the table ends with %v, want %v", last, want)
		}
	}
	for _, err := range f.Customers(inOrder(chunks, nil)).Batches {
		if err != nil {
			t.Error(err)
		}
		break
	}
	for range 200 {
		if runtime.NumGoroutine() <= running {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("%d goroutines, %d before", runtime.NumGoroutine(), running)
}
