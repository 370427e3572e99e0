package main

import (
	"bufio"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// backfillArgs publish twelve months.
var backfillArgs = []string{"--from", "2023-08-01", "--to", "2024-07-01", "--every", "month"}

func backfilled() []string {
	var dates []string
	for month := range 12 {
		dates = append(dates, time.Date(2023, time.Month(8+month), 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly))
	}
	return dates
}

// TestBackfillKilled kills a backfill at random instants: every date is published whole or
// not at all, and --resume, or where nothing was planned yet the same command, ends with the
// bytes of an undisturbed one.
func TestBackfillKilled(t *testing.T) {
	s := night(t, 30_000)
	kills := times(t, "COHORTLINE_KILLS", 3)
	started := time.Now()
	if code, said := s.run("backfill", append(backfillArgs, "--quiet")...); code != 0 {
		t.Fatal(said)
	}
	takes := time.Since(started)
	want := map[string]map[string]string{}
	for _, date := range backfilled() {
		want[date] = s.whole(date)
	}
	there, between := 0, 0
	for i := range kills {
		if err := os.RemoveAll(filepath.Join(s.dir, "night")); err != nil {
			t.Fatal(err)
		}
		cmd := s.process(append([]string{"backfill", "--quiet"}, backfillArgs...)...)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Duration(rand.Int64N(int64(takes) * 5 / 4)))
		_ = cmd.Process.Kill() // it may have ended
		_ = cmd.Wait()         // killed: its error is the signal
		n := 0
		for date, tables := range want {
			switch seen := s.whole(date); {
			case maps.Equal(seen, tables):
				n++
			case seen != nil:
				t.Fatalf("kill %d: another result of %s is published", i, date)
			}
		}
		if there += n; n > 0 && n < len(want) {
			between++
		}
		if code, said := s.run("backfill", append(backfillArgs, "--quiet", "--resume")...); code != 0 {
			if !strings.Contains(said, "no unfinished backfill") {
				t.Fatalf("kill %d: resumed, exit code %d\n%s", i, code, said)
			}
			if code, said := s.run("backfill", append(backfillArgs, "--quiet")...); code != 0 {
				t.Fatalf("kill %d: begun again, exit code %d\n%s", i, code, said)
			}
		}
		for date, tables := range want {
			if !maps.Equal(s.whole(date), tables) {
				t.Fatalf("kill %d: resumed, %s is another result", i, date)
			}
		}
	}
	t.Logf("%d kills, %d of them between two dates; %d of %d dates were there; 0 lost, 0 torn", kills, between, there, kills*len(want))
}

// TestBackfillStopped stops a backfill by a signal once a date is published: it ends with
// 143 within five seconds, says how far it came, and goes on where it was.
func TestBackfillStopped(t *testing.T) {
	s := night(t, 100_000)
	cmd := s.process(append([]string{"backfill", "--log-format", "json", "--output", "json", "--jobs", "1"}, backfillArgs...)...)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	var document strings.Builder
	cmd.Stdout = &document
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var signalled time.Time
	last := ""
	for lines := bufio.NewScanner(said); lines.Scan(); {
		if last = lines.Text(); signalled.IsZero() && strings.Contains(last, "published: 1 of 12") {
			signalled = time.Now()
			if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
				t.Fatal(err)
			}
		}
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != 143 || time.Since(signalled) > 5*time.Second {
		t.Fatalf("%v, exit code %d after %s\n%s", err, code, time.Since(signalled), last)
	}
	if !strings.Contains(last, "dates are published; the same command goes on") || !strings.Contains(document.String(), `"status": "stopped"`) {
		t.Errorf("last words %s\n%s", last, &document)
	}
	if s.whole("2023-08-01") == nil || s.whole("2024-07-01") != nil {
		t.Fatal("it was stopped too early or too late")
	}
	code, text := s.run("backfill", "--resume")
	if code != 0 || strings.Contains(text, " 0 unchanged") || s.whole("2024-07-01") == nil {
		t.Errorf("resumed: exit code %d\n%s", code, text)
	}
}
