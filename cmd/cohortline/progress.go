package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/cohortline/cohortline/pipeline"
)

// observer shows progress on standard error: a line that is rewritten on a terminal,
// one line per stage otherwise, JSON lines when asked for.
func (p *program) observer(quiet bool) pipeline.Observer {
	var mu sync.Mutex
	var last time.Time
	live := isTerminal(p.err)
	return func(e pipeline.Event) {
		mu.Lock()
		defer mu.Unlock()
		if quiet && e.Kind != pipeline.Warning {
			return
		}
		if p.logJSON {
			if e.Kind == pipeline.StageProgress {
				return
			}
			line := map[string]any{"level": levelOf(e.Kind), "message": e.Message}
			switch e.Kind {
			case pipeline.StageStarted:
				line["stage"], line["event"] = e.Stage, "started"
			case pipeline.StageDone:
				line["stage"], line["event"], line["rows"], line["seconds"] = e.Stage, "done", e.Rows, e.Elapsed.Seconds()
			}
			p.log(line, "")
			return
		}
		switch e.Kind {
		case pipeline.StageProgress:
			if live && time.Since(last) > 100*time.Millisecond {
				last = time.Now()
				fmt.Fprintf(p.err, "\r\x1b[K%s", progressLine(e))
			}
		case pipeline.StageDone:
			clear := ""
			if live {
				clear = "\r\x1b[K"
			}
			fmt.Fprintf(p.err, "%s%-10s %11s %s, %.2f s\n", clear, e.Stage, thousands(e.Rows), e.Message, e.Elapsed.Seconds())
		case pipeline.Warning:
			fmt.Fprintf(p.err, "warning: %s\n", e.Message)
		}
	}
}

func progressLine(e pipeline.Event) string {
	s := fmt.Sprintf("%-10s %11s rows", e.Stage, thousands(e.Rows))
	if seconds := e.Elapsed.Seconds(); seconds > 0.2 {
		s += fmt.Sprintf(", %s rows/s", thousands(int64(float64(e.Rows)/seconds)))
		if e.Bytes > 0 && e.Total > e.Bytes {
			s += fmt.Sprintf(", %d %%, %.0f s left", 100*e.Bytes/e.Total, seconds*float64(e.Total-e.Bytes)/float64(e.Bytes))
		}
	}
	return s
}

// log writes one message to standard error: a JSON line when asked for, else the text.
func (p *program) log(line map[string]any, text string) {
	if !p.logJSON {
		fmt.Fprintln(p.err, text)
		return
	}
	line["time"] = time.Now().UTC().Format(time.RFC3339Nano)
	data, err := json.Marshal(line)
	if err != nil { // a rate that is no number
		data = fmt.Appendf(nil, `{"level":"error","message":%q}`, err.Error())
	}
	fmt.Fprintf(p.err, "%s\n", data)
}

func levelOf(k pipeline.EventKind) string {
	if k == pipeline.Warning {
		return "warning"
	}
	return "info"
}

// isTerminal says whether something written to w is seen by a person.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// colour says whether output may be coloured.
func (p *program) colour() bool {
	if v, ok := p.env("NO_COLOR"); ok && v != "" {
		return false
	}
	if v, ok := p.env("CLICOLOR_FORCE"); ok && v != "" && v != "0" {
		return true
	}
	return isTerminal(p.out)
}
