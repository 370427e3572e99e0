package jobs

import (
	"errors"
	"maps"
	"os"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/pipeline"
)

// TestReplay replays two dates of which another run holds one: the other is published, the
// failure is said, and replaying again does the rest.
func TestReplay(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s, o := open(t), newOutage(t)
			o.deliver(false)
			data, err := os.ReadFile(o.orders)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(o.orders, append(data, []byte("70,c1,2024-02-02T00:00:00Z,ten,web\n71,c1,2024-02-02T00:00:00Z,x,web\n")...), 0o644); err != nil {
				t.Fatal(err)
			}
			lax := func(x *Options) { x.AllowShrink = true }
			o.configure("checks: {max_reject_share: 1}\n")
			for month := range 2 {
				if _, err := o.runOn(s, 1, func(o *Options) { o.AsOf = o.AsOf.AddDate(0, month, 0); lax(o) }); err != nil {
					t.Fatal(err)
				}
			}
			was := published(t, s)
			o.configure("checks: {max_reject_share: 1}\n", "path: orders.csv", `path: orders.csv, values: {gross_amount: {ten: "10"}}`)
			c, err := LoadConfig(o.config, os.LookupEnv)
			if err != nil {
				t.Fatal(err)
			}
			x := Options{Threads: 1, Memory: 256 << 20, CodeVersion: "test", Store: s}
			held, err := pipeline.OpenPublication(t.Context(), s, pipeline.RunKey{ID: "another", Partition: "as_of=2024-07-01"})
			if err != nil {
				t.Fatal(err)
			}
			var part *PartError
			found, err := Replay(t.Context(), c, x, "")
			if !errors.As(err, &part) || !strings.Contains(err.Error(), "1 of 2 dates") || !strings.Contains(err.Error(), pipeline.ErrLocked.Error()) {
				t.Fatalf("%+v %v", found, err)
			}
			if a, b := found.Dates[0], found.Dates[1]; a.Date != "2024-07-01" || a.Status != Failed || a.Still != 2 || b.Status != pipeline.Succeeded || b.Replayed != 1 || b.Still != 1 || b.New != 0 {
				t.Errorf("%+v", found.Dates)
			}
			if !maps.Equal(published(t, s), was) {
				t.Error("the date that could not be replayed has changed")
			}
			if err := held.Close(); err != nil {
				t.Fatal(err)
			}
			if found, err = Replay(t.Context(), c, x, ""); err != nil || found.Dates[0].Replayed != 1 || found.Dates[1].Status != "unchanged" || found.Dates[1].Still != 1 {
				t.Errorf("%+v %v", found, err)
			}
			if now := published(t, s); maps.Equal(now, was) || now["rejects"] == was["rejects"] {
				t.Error("the row that was replayed is not published")
			}
		})
	}
}

// configure adds lines to the configuration and replaces texts in it, given in pairs.
func (o *outage) configure(lines string, pairs ...string) {
	o.t.Helper()
	text := outageConfig + lines
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(text, pairs[i]) {
			o.t.Fatalf("%q is not in the configuration", pairs[i])
		}
		text = strings.Replace(text, pairs[i], pairs[i+1], 1)
	}
	if err := os.WriteFile(o.config, []byte(text), 0o644); err != nil {
		o.t.Fatal(err)
	}
}
