package jobs

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/landing"
	"github.com/cohortline/cohortline/pipeline/store"
)

// landed makes the source of an outage one that copies.
func (o *outage) landed() {
	o.t.Helper()
	o.configure("", "path: orders.csv", "path: orders.csv, landing: copy")
}

// again computes a past run once more into a store of its own.
func again(t *testing.T, s store.Store, m *pipeline.Manifest, change func(*Options)) (map[string]string, error) {
	t.Helper()
	c, o, err := Past(t.Context(), s, m, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	o.Threads, o.Memory, o.CodeVersion, o.Store = 1, 256<<20, "test", stores["memory"](t)
	if change != nil {
		change(&o)
	}
	if _, err := Cohorts(t.Context(), c, o); err != nil {
		return nil, err
	}
	return published(t, o.Store), nil
}

func current(t *testing.T, s store.Store) *pipeline.Manifest {
	t.Helper()
	m, err := pipeline.Current(t.Context(), s, "as_of=2024-07-01")
	if err != nil || m == nil {
		t.Fatal(m, err)
	}
	return m
}

// TestPast computes past runs again: from copies whatever has become of the exports, by
// reference only while they have not changed.
func TestPast(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s, o := open(t), newOutage(t)
			o.deliver(false)
			o.good(s, 1)
			want, m := published(t, s), current(t, s)
			if m.Inputs[0].Copied {
				t.Error("copied without being asked to")
			}
			if got, err := again(t, s, m, nil); err != nil || !maps.Equal(got, want) {
				t.Errorf("by reference, unchanged: %v", err)
			}
			o.deliver(true)
			var gone *pipeline.GoneError
			if _, err := again(t, s, m, nil); !errors.As(err, &gone) || gone.Path != "orders.csv" || !strings.Contains(err.Error(), "landing: copy") {
				t.Errorf("by reference, changed: %v", err)
			}
			x := o.good(s, 2)
			if len(x.Warnings) == 0 || !strings.Contains(x.Warnings[0], "orders.csv has changed since") {
				t.Errorf("a run reads a changed file without a word: %q", x.Warnings)
			}
			o.landed()
			o.good(s, 3)
			want, m = published(t, s), current(t, s)
			if !m.Inputs[0].Copied {
				t.Error("not copied")
			}
			if err := os.Remove(o.orders); err != nil {
				t.Fatal(err)
			}
			if got, err := again(t, s, m, nil); err != nil || !maps.Equal(got, want) {
				t.Errorf("from the copy: %v", err)
			}
		})
	}
}

// TestDamagedCopy deletes, cuts and alters a copy: a run that reads it fails and says so. The
// twin does not look at checksums, and computes other tables.
func TestDamagedCopy(t *testing.T) {
	for kind, open := range stores {
		t.Run(kind, func(t *testing.T) {
			s, o := open(t), newOutage(t)
			o.landed()
			o.deliver(false)
			o.good(s, 1)
			want, m := published(t, s), current(t, s)
			name := "landing/objects/" + m.Inputs[0].SHA256
			whole, err := store.Read(t.Context(), s, name)
			if err != nil {
				t.Fatal(err)
			}
			altered := strings.Replace(string(whole), ",12,", ",13,", 1)
			for what, data := range map[string]string{"deleted": "", "cut off": string(whole[:len(whole)/2]), "altered": altered} {
				if data == "" {
					err = s.Remove(t.Context(), name)
				} else {
					err = s.Put(t.Context(), name, []byte(data))
				}
				if err != nil {
					t.Fatal(err)
				}
				var damage *landing.DamageError
				if _, err := again(t, s, m, nil); !errors.As(err, &damage) || !strings.Contains(err.Error(), m.Inputs[0].SHA256) {
					t.Errorf("%s: %v", what, err)
				}
				if data != "" {
					if _, err := o.runOn(s, 2, func(o *Options) { o.AsOf = o.AsOf.AddDate(0, 0, 1) }); !errors.As(err, &damage) {
						t.Errorf("%s: the run of another date: %v", what, err)
					}
				}
			}
			if err := s.Put(t.Context(), name, []byte(altered)); err != nil {
				t.Fatal(err)
			}
			if got, err := again(t, s, m, func(o *Options) { o.trustLanding = true }); err != nil || maps.Equal(got, want) {
				t.Errorf("the twin: without checksums altered orders change nothing (%v), so this test shows nothing", err)
			}
			if err := s.Remove(t.Context(), name); err != nil {
				t.Fatal(err)
			}
			if _, err := o.runOn(s, 2, func(o *Options) { o.AsOf = o.AsOf.AddDate(0, 0, 1) }); err != nil {
				t.Errorf("a run does not copy anew what is gone: %v", err)
			}
			if got, err := again(t, s, m, nil); err != nil || !maps.Equal(got, want) {
				t.Errorf("afterwards: %v", err)
			}
		})
	}
}

// TestPastConfig rebuilds a configuration with a secret: it is not stored, and another one
// is noticed.
func TestPastConfig(t *testing.T) {
	s, o := stores["memory"](t), newOutage(t)
	o.configure("privacy: {key: \"${env:PAST_KEY}\"}\n")
	t.Setenv("PAST_KEY", "very secret")
	o.deliver(false)
	o.good(s, 1)
	m := current(t, s)
	doc, err := store.Read(t.Context(), s, "landing/configs/"+m.ConfigSHA256+".json")
	if err != nil || strings.Contains(string(doc), "very secret") || !strings.Contains(string(doc), "${env:PAST_KEY}") {
		t.Fatalf("%s %v", doc, err)
	}
	c, x, err := Past(t.Context(), s, m, os.LookupEnv)
	if err != nil || c.Fingerprint() != m.ConfigSHA256 || string(c.PrivacyKey) != "very secret" || c.Dir != filepath.Dir(o.config) || !x.AsOf.Equal(time.Date(2024, 7, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v %+v %v", c, x, err)
	}
	t.Setenv("PAST_KEY", "another")
	var past *PastError
	if _, _, err := Past(t.Context(), s, m, os.LookupEnv); !errors.As(err, &past) {
		t.Errorf("another secret: %v", err)
	}
	if err := s.Remove(t.Context(), "landing/configs/"+m.ConfigSHA256+".json"); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Past(t.Context(), s, m, os.LookupEnv); !errors.As(err, &past) {
		t.Errorf("no record: %v", err)
	}
}
