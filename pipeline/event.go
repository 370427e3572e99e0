package pipeline

import "time"

// Event is one thing a run has to say while it works.
type Event struct {
	Kind    EventKind
	Stage   string        // extract, validate, transform, check, publish …
	Message string        // for people: what happens, or the warning; complete without the other fields
	Rows    int64         // rows done so far in this stage
	Bytes   int64         // bytes of input done so far
	Total   int64         // bytes of input in all; 0: unknown
	Elapsed time.Duration // since the stage began
}

// EventKind tells events apart.
type EventKind uint8

const (
	StageStarted EventKind = iota
	StageProgress
	StageDone
	Warning
)

// Observer is told what happens. It may be called by several goroutines at once and
// must return quickly; nil is an observer that does not care.
type Observer func(Event)

// Tell passes an event to the observer, if there is one.
func (o Observer) Tell(e Event) {
	if o != nil {
		o(e)
	}
}

// Stage announces a stage and returns the function that announces its end.
func (o Observer) Stage(name, message string) (done func(rows int64, message string)) {
	start := time.Now()
	o.Tell(Event{Kind: StageStarted, Stage: name, Message: message})
	return func(rows int64, message string) {
		o.Tell(Event{Kind: StageDone, Stage: name, Message: message, Rows: rows, Elapsed: time.Since(start)})
	}
}
