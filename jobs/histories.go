package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/transforms"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// Histories are the order-days of all customers up to an as-of date.
type Histories struct {
	ltv.Histories
	AsOf     string
	Last     int32    // the last day that was observed, since 1970-01-01
	Segments []string // values of the dimension, by number; nil without one
}

// ErrNoDays is the cause of the error of a warehouse whose customer_periods have no days.
var ErrNoDays = errors.New("no rows of grain day")

// ReadHistories reads the tables customers and customer_periods of a warehouse, which must
// have the grain day. A dimension, unless empty, splits the customers into segments.
func ReadHistories(ctx context.Context, output store.Store, asOf, dimension string) (*Histories, error) {
	h := &Histories{}
	customers, date, err := pipeline.TablePath(ctx, output, "customers", asOf)
	if err != nil {
		return nil, err
	}
	h.AsOf = date
	periods, _, err := pipeline.TablePath(ctx, output, "customer_periods", date)
	if err != nil {
		return nil, err
	}
	list, err := h.customers(ctx, customers, dimension)
	if err != nil {
		return nil, err
	}
	if err := h.days(ctx, periods, list); err != nil {
		return nil, err
	}
	return h, nil
}

// historyOf is what the table customers says of a customer.
type historyOf struct {
	id      string
	age     int32
	segment int32
}

func (h *Histories) customers(ctx context.Context, path, dimension string) ([]historyOf, error) {
	var list []historyOf
	numbers := map[string]int32{}
	names := []string{"customer_id", "age_days"}
	if dimension != "" {
		names = append(names, "first_"+dimension)
	}
	return list, pipeline.ReadColumns(ctx, path, byName(path, names...), func(l *pipeline.Line) error {
		id, _ := l.Text(0)
		age, _, err := l.Number(1)
		if err != nil {
			return err
		}
		c := historyOf{id: id, age: int32(age)}
		if dimension != "" {
			value, _ := l.Text(2)
			number, ok := numbers[value]
			if !ok {
				number = int32(len(h.Segments))
				numbers[value] = number
				h.Segments = append(h.Segments, value)
			}
			c.segment = number
		}
		list = append(list, c)
		return nil
	})
}

// days reads the order-days, which lie in the order of the customers.
func (h *Histories) days(ctx context.Context, path string, list []historyOf) error {
	var days []int32
	var values []float64
	next := 0
	end := func() error {
		if len(days) == 0 {
			return nil
		}
		c := list[next-1]
		h.Last = days[0] + c.age
		return h.Add(days[0], c.segment, days[1:], values[1:])
	}
	err := pipeline.ReadColumns(ctx, path, byName(path, "customer_id", "grain", "period", "net_revenue"), func(l *pipeline.Line) error {
		if grain, _ := l.Text(1); grain != transforms.Grains[transforms.Day] {
			return nil
		}
		id, _ := l.Text(0)
		if next == 0 || list[next-1].id != id {
			if err := end(); err != nil {
				return err
			}
			days, values = days[:0], values[:0]
			if next++; next > len(list) || list[next-1].id != id {
				return l.Wrong(0, fmt.Sprintf("customer %q does not come in the order of the table customers", id), "both tables must be of the same run: run it again")
			}
		}
		day, err := l.Day(2)
		if err != nil {
			return err
		}
		value, _, err := l.Number(3)
		days, values = append(days, day), append(values, value)
		return err
	})
	if err != nil {
		return err
	}
	if next == 0 && len(list) > 0 {
		return &source.FileError{File: path, What: "its periods are no days", Err: ErrNoDays,
			Hint: "add day to reporting.grains and run again, or let the orders be read: --config cohortline.yaml --as-of " + h.AsOf}
	}
	if next < len(list) {
		return &source.FileError{File: path, What: fmt.Sprintf("has no order-day of customer %q", list[next].id), Hint: "both tables must be of the same run: run it again"}
	}
	return end()
}

// byName chooses columns by their names.
func byName(path string, names ...string) func([]source.Field) ([]int, error) {
	return func(fields []source.Field) ([]int, error) {
		var want []int
		for _, name := range names {
			i := slices.IndexFunc(fields, func(f source.Field) bool { return f.Name == name })
			if i < 0 {
				return nil, &SummaryError{fmt.Sprintf("%s has no column %s; it has %s", path, name, fieldNames(fields))}
			}
			want = append(want, i)
		}
		return want, nil
	}
}

// OrderHistories reads the orders of a configuration: a run of its own into a temporary
// folder, of which nothing is left.
func OrderHistories(ctx context.Context, c *Config, o Options, dimension string) (_ *Histories, err error) {
	temp, remove, err := temporaryStore(ctx, o.TempDir)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, remove()) }()
	o.Store = temp
	daily := *c
	daily.Grains, daily.Tables, daily.Dimensions = []transforms.Grain{transforms.Day}, []string{"customers", "customer_periods"}, nil
	if dimension != "" {
		daily.Dimensions = []string{dimension}
	}
	if _, err := Cohorts(ctx, &daily, o); err != nil {
		return nil, err
	}
	return ReadHistories(ctx, temp, "", dimension)
}
