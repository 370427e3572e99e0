package main

import (
	"bufio"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/schemas"
)

// predictions are the columns that --out writes: named as in the table customer_ltv.
var predictions = schemas.Table{
	Name: "predictions", Key: []string{"customer_id"},
	Description: "What every customer is expected to buy within the horizon, and how sure that is.",
	Columns: []schemas.Column{
		{Name: "customer_id", Description: "As in the input."},
		{Name: "model", Description: "Model of purchases."},
		{Name: "frequency", Type: schemas.Int64, Description: "Purchases after the first."},
		{Name: "recency", Type: schemas.Double, Description: "Time from the first to the last purchase, in the unit of the input; weeks for a warehouse."},
		{Name: "age", Type: schemas.Double, Description: "Time from the first purchase to the end of observation."},
		{Name: "probability_alive", Type: schemas.Double, Nullable: true, Description: "Probability that the customer has not been lost; null where the model takes it for certain."},
		{Name: "expected_orders", Type: schemas.Double, Description: "Expected purchases within the horizon."},
		{Name: "expected_orders_low", Type: schemas.Int64, Description: "Lower bound of the interval of the purchases."},
		{Name: "expected_orders_high", Type: schemas.Int64, Description: "Upper bound of that interval."},
		{Name: "probability_no_purchase", Type: schemas.Double, Description: "Probability of no purchase within the horizon."},
		{Name: "expected_spend", Type: schemas.Double, Nullable: true, Description: "Expected value of a purchase to come; null without a model of spend."},
		{Name: "predicted_ltv", Type: schemas.Double, Nullable: true, Description: "Expected value of the purchases within the horizon, discounted to now."},
		{Name: "predicted_ltv_low", Type: schemas.Double, Nullable: true, Description: "Lower bound of the interval of that value."},
		{Name: "predicted_ltv_high", Type: schemas.Double, Nullable: true, Description: "Upper bound of that interval."},
	},
}

// prediction is a row of it.
type prediction struct {
	ID         string               `col:"customer_id"`
	Model      string               `col:"model"`
	Frequency  int64                `col:"frequency"`
	Recency    float64              `col:"recency"`
	Age        float64              `col:"age"`
	Alive      schemas.Opt[float64] `col:"probability_alive"`
	Orders     float64              `col:"expected_orders"`
	OrdersLow  int64                `col:"expected_orders_low"`
	OrdersHigh int64                `col:"expected_orders_high"`
	NoPurchase float64              `col:"probability_no_purchase"`
	Spend      schemas.Opt[float64] `col:"expected_spend"`
	Value      schemas.Opt[float64] `col:"predicted_ltv"`
	ValueLow   schemas.Opt[float64] `col:"predicted_ltv_low"`
	ValueHigh  schemas.Opt[float64] `col:"predicted_ltv_high"`
}

// predictions are the rows of all customers, in the order of the input.
func (f *fitting) predictions() iter.Seq[prediction] {
	return func(yield func(prediction) bool) {
		for i, id := range f.IDs {
			r, c := f.RFM[i], f.customer(i)
			some := func(v float64) schemas.Opt[float64] { return schemas.Opt[float64]{Value: v, Valid: c.HasValue} }
			if !yield(prediction{id, f.candidates[f.chosen].Name, int64(r.Frequency), r.Recency, r.Age,
				schemas.Opt[float64]{Value: c.Alive, Valid: !f.mute(r)}, c.Expected, int64(c.OrdersLow), int64(c.OrdersHigh), c.NoPurchase,
				some(c.Spend), some(c.Value), some(c.ValueLow), some(c.ValueHigh)}) {
				return
			}
		}
	}
}

// checkOut looks at --out before anything is computed.
func checkOut(path string) error {
	if path == "" {
		return nil
	}
	if e := filepath.Ext(path); e != ".csv" && e != ".parquet" {
		return &usageError{fmt.Errorf("--out cannot be %q: end it in .csv or .parquet", path)}
	}
	return checkFolder("--out", path)
}

// writePredictions writes a file whole or not at all.
func writePredictions(path string, f *fitting) error {
	write := func(w io.Writer) error {
		_, err := sink.Parquet(w, schemas.Encode(predictions, f.predictions()))
		return err
	}
	if filepath.Ext(path) == ".csv" {
		write = func(w io.Writer) error { return predictionsCSV(w, f.predictions()) }
	}
	return replaceFile("--out", path, write)
}

// replaceFile writes a file beside its place and then moves it there.
func replaceFile(flag, path string, write func(io.Writer) error) error {
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return fmt.Errorf("%s cannot be written: %w", flag, err)
	}
	w := bufio.NewWriterSize(file, 1<<20)
	err = errors.Join(write(w), w.Flush(), file.Chmod(0o644), file.Close())
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		os.Remove(file.Name())
		return fmt.Errorf("%s cannot be written: %w", flag, err)
	}
	return nil
}

func predictionsCSV(w io.Writer, rows iter.Seq[prediction]) error {
	out := csv.NewWriter(w)
	var line []string
	for _, c := range predictions.Columns {
		line = append(line, c.Name)
	}
	if err := out.Write(line); err != nil {
		return err
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	perhaps := func(v schemas.Opt[float64]) string {
		if !v.Valid {
			return ""
		}
		return number(v.Value)
	}
	for r := range rows {
		line = append(line[:0], r.ID, r.Model, strconv.FormatInt(r.Frequency, 10), number(r.Recency), number(r.Age), perhaps(r.Alive),
			number(r.Orders), strconv.FormatInt(r.OrdersLow, 10), strconv.FormatInt(r.OrdersHigh, 10), number(r.NoPurchase),
			perhaps(r.Spend), perhaps(r.Value), perhaps(r.ValueLow), perhaps(r.ValueHigh))
		if err := out.Write(line); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}
