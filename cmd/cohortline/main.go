// Command cohortline turns the orders a company already has into customer-cohort
// tables, retention curves and lifetime value.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, caught := untilSignal(context.Background())
	code := run(ctx, os.Args, os.Stdin, os.Stdout, os.Stderr)
	if s := caught(); s != 0 {
		code = 128 + int(s)
	}
	os.Exit(code)
}

// untilSignal returns a context that the first SIGINT or SIGTERM cancels, and a
// function that says which one came. A second signal ends the process at once.
func untilSignal(parent context.Context) (context.Context, func() syscall.Signal) {
	ctx, cancel := context.WithCancel(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	got := make(chan syscall.Signal, 1)
	go func() {
		s, ok := (<-signals).(syscall.Signal)
		if ok {
			got <- s
		}
		signal.Stop(signals)
		cancel()
	}()
	return ctx, func() syscall.Signal {
		select {
		case s := <-got:
			return s
		default:
			return 0
		}
	}
}
