//go:build unix

// Command ltvfit does for bench/ltv.py what the Python libraries are asked to do: fit one
// model to a file of customers, then the probability to be alive and the expected
// purchases of each. It prints the log-likelihood and the seconds as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"syscall"
	"time"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/transforms/ltv"
)

// result is what is printed.
type result struct {
	LogLikelihood float64   `json:"log_likelihood"`
	Parameters    []float64 `json:"parameters"`
	Seconds       float64   `json:"seconds"`
	CPU           float64   `json:"cpu_seconds"`
	Expected      float64   `json:"expected"` // sum over customers
	Alive         float64   `json:"alive"`
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "ltvfit:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 2 {
		return errors.New("usage: ltvfit MODEL FILE")
	}
	at := slices.IndexFunc(ltv.Candidates(), func(c ltv.Candidate) bool { return c.Name == args[0] })
	if at < 0 {
		return fmt.Errorf("no model %q", args[0])
	}
	customers, err := jobs.ReadSummaries(context.Background(), args[1], ltv.Week)
	if err != nil {
		return err
	}
	start, used := time.Now(), cpu()
	r, err := fit(ltv.Candidates()[at], customers.RFM)
	if err != nil {
		return err
	}
	r.Seconds, r.CPU = time.Since(start).Seconds(), cpu()-used
	return json.NewEncoder(os.Stdout).Encode(r)
}

// fit is what is timed: from a list of customers to two numbers for each.
func fit(c ltv.Candidate, customers []ltv.RFM) (result, error) {
	s, row, err := ltv.Compress(customers)
	if err != nil {
		return result{}, err
	}
	m, f := c.Fit(s)
	if !f.Verdict.Usable() {
		return result{}, errors.New(f.Verdict.Reason)
	}
	predictions := ltv.Predict(m, s, 52)
	alive, expected := make([]float64, len(customers)), make([]float64, len(customers))
	for i, k := range row {
		alive[i], expected[i] = predictions[k].Alive, predictions[k].Expected
	}
	r := result{LogLikelihood: f.LogLikelihood, Parameters: f.Values}
	for i := range alive {
		r.Alive += alive[i]
		r.Expected += expected[i]
	}
	return r, nil
}

// cpu is the processor time of the process so far, in seconds.
func cpu() float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
