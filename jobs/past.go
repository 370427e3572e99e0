package jobs

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/landing"
	"github.com/cohortline/cohortline/pipeline/store"
)

// PastError says that the configuration of a past run cannot be had again.
type PastError struct{ RunID, What, Hint string }

func (e *PastError) Error() string {
	return fmt.Sprintf("run %s: %s\n%s", e.RunID, e.What, e.Hint)
}

// Past rebuilds the configuration of a published run, and the options with which a job
// reads exactly what that run has read: prepare finds the copies below landing/, or what
// lies where it was and has not changed. What cannot be had again is a PastError (the
// configuration) or, from prepare, a pipeline.GoneError (an input, by name); what is
// damaged a landing.DamageError. Secrets come from env, as ever.
//
// The caller adds to the options what does not determine the result: threads, memory, where
// to publish, the code version, and in Bases where relative paths may begin by now.
func Past(ctx context.Context, s store.Store, m *pipeline.Manifest, env func(string) (string, bool)) (*Config, Options, error) {
	o := Options{AsOf: m.AsOf, IntervalStart: m.IntervalStart, KnownAt: m.KnownAt, Inputs: m.Inputs, Landing: s}
	if o.Inputs == nil {
		o.Inputs = []pipeline.InputRecord{}
	}
	doc, err := landing.ReadConfig(ctx, s, m.ConfigSHA256)
	if errors.Is(err, store.ErrNotExist) {
		return nil, o, &PastError{m.RunID, "its configuration was not recorded", "it was published by a version before landing, or gc has removed the record; only later runs can be computed again"}
	}
	if err != nil {
		return nil, o, err
	}
	c, err := ParseConfig(filepath.Join(doc.Dir, filepath.Base(doc.Path)), []byte(doc.Text), env)
	if err != nil {
		return nil, o, fmt.Errorf("the configuration of run %s, as it was recorded: %w", m.RunID, err)
	}
	// The fingerprint may differ for another version of the program, the references for what
	// does not shape a result. Both differ when other values stand behind the references.
	if c.References != doc.References && c.Fingerprint() != m.ConfigSHA256 {
		return nil, o, &PastError{m.RunID, "the environment variables or files that its configuration refers to hold other values now", "set them as they were for that run"}
	}
	return c, o, nil
}
