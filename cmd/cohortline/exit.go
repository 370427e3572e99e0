package main

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/cohortline/cohortline/jobs"
	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// skipError ends a run that had nothing to do with the code the user has chosen.
type skipError struct{ code int }

func (e *skipError) Error() string { return "nothing to do" }

// Exit codes. The table below says when which is used.
const (
	exitDone    = 0
	exitFailed  = 1
	exitUsage   = 2
	exitCheck   = 3
	exitPart    = 4
	exitMissing = 5
	exitLocked  = 6
	exitMemory  = 7
	exitUnknown = 9
	exitBug     = 70
)

// exits says which error ends with which code; the first entry that matches decides.
var exits = []struct {
	code    int
	meaning string
	is      func(error) bool
}{
	{exitUsage, "usage or configuration", func(err error) bool {
		var u *usageError
		var c *jobs.ConfigError
		var m *pipeline.MappingError
		var g *jobs.GenerateError
		var f *store.FormatError
		var b *jobs.BackfillError
		var s *jobs.SummaryError
		return errors.As(err, &f) || errors.As(err, &s) || errors.As(err, &b) || errors.As(err, &g) || errors.As(err, &u) || errors.As(err, &c) || errors.As(err, &m) || errors.Is(err, source.ErrOptions)
	}},
	{exitCheck, "a check or the reject budget failed, outputs untouched", func(err error) bool {
		var c *jobs.CheckError
		return errors.As(err, &c)
	}},
	{exitPart, "part of a backfill or replay failed, resumable", func(err error) bool {
		var p *jobs.PartError
		return errors.As(err, &p)
	}},
	{exitMissing, "inputs missing or not ready", func(err error) bool {
		var g *pipeline.GoneError
		var p *jobs.PastError
		var i *jobs.InputsChangedError
		return errors.As(err, &i) || errors.As(err, &g) || errors.As(err, &p) || errors.Is(err, source.ErrMissing) || errors.Is(err, source.ErrEmpty) || errors.Is(err, jobs.ErrNoDays)
	}},
	{exitMemory, "more memory is needed than --memory allows", func(err error) bool {
		var m *jobs.MemoryError
		return errors.As(err, &m)
	}},
	{exitLocked, "another run holds the lock", func(err error) bool {
		return errors.Is(err, pipeline.ErrLocked) || errors.Is(err, pipeline.ErrFenced)
	}},
	{exitUnknown, "it is not known whether the result was published, or not every copy was made: run the same again", func(err error) bool {
		return errors.Is(err, pipeline.ErrCommitUnknown) || errors.Is(err, pipeline.ErrCopies)
	}},
	{exitFailed, "failed, outputs untouched", func(error) bool { return true }},
}

// exitHelp lists the codes for the help text.
func exitHelp() string {
	var b strings.Builder
	b.WriteString("  0 done (also nothing to do, unless --skip-code says otherwise)\n")
	for _, code := range []int{1, 2, 3, 4, 5, 6, 7, 9} {
		for _, e := range exits {
			if e.code == code {
				fmt.Fprintf(&b, "  %d %s\n", e.code, e.meaning)
			}
		}
		if code == exitMemory {
			fmt.Fprintf(&b, "  %d diff or verify found differences\n", exitDifferent)
		}
	}
	b.WriteString("  70 a bug · 128+n ended by signal n")
	return b.String()
}

// codeOf is the exit code of an error.
func codeOf(err error) int {
	for _, e := range exits {
		if e.is(err) {
			return e.code
		}
	}
	return exitFailed
}

// failure is the document of a verb that has failed.
type failure struct {
	Status   string `json:"status"` // failed, or stopped by a signal
	ExitCode int    `json:"exit_code,omitempty"`
	Error    string `json:"error"`
}

// report tells the user what went wrong and returns the exit code.
func (p *program) report(err error) int {
	if err == nil {
		return exitDone
	}
	var skip *skipError
	if errors.As(err, &skip) {
		return skip.code
	}
	f := failure{"failed", codeOf(err), err.Error()}
	if errors.Is(err, context.Canceled) {
		f = failure{"stopped", 0, "stopped; nothing was published"}
		var stopped *jobs.StoppedError
		if errors.As(err, &stopped) {
			f.Error = stopped.Error()
		}
	}
	p.log(map[string]any{"level": "error", "message": f.Error, "exit_code": f.ExitCode}, "cohortline: "+f.Error)
	var u *usageError
	if errors.As(err, &u) && !p.logJSON {
		fmt.Fprintln(p.err, "see: cohortline help")
	}
	if err := p.deliver(f); err != nil {
		p.log(map[string]any{"level": "error", "message": err.Error()}, "cohortline: "+err.Error())
	}
	if f.Status == "stopped" {
		return exitFailed // main replaces it by 128 + the signal
	}
	return f.ExitCode
}

// reportBug is for what must not happen.
func (p *program) reportBug(r any) int {
	fmt.Fprintf(p.err, "cohortline: a bug: %v\nnothing was published; please report it with the text below\n%s", r, debug.Stack())
	return exitBug
}
