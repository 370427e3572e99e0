package jobs

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
)

// BackfillPlan is what a backfill has set out to do: it is written once, before anything
// else, and never changed, so that a backfill that is taken up again computes the same.
// docs/formats/plan.md describes the object.
type BackfillPlan struct {
	Version      int                    `json:"version"` // of this format: 1
	ID           string                 `json:"plan_id"`
	Job          string                 `json:"job"`
	ConfigSHA256 string                 `json:"config_sha256"`
	CodeVersion  string                 `json:"code_version"`
	From         string                 `json:"from"`
	To           string                 `json:"to"` // as asked for; empty: the day on which the plan was made
	Every        string                 `json:"every"`
	Dates        []time.Time            `json:"as_of"` // ascending
	Inputs       []pipeline.InputRecord `json:"inputs"`
	CreatedAt    time.Time              `json:"created_at"`
}

// planEnd is the object that says that a plan is not to be taken up again.
type planEnd struct {
	Version int       `json:"version"` // of this format: 1
	Status  string    `json:"status"`  // succeeded, or replaced by a plan that was made with --restart
	EndedAt time.Time `json:"ended_at"`
}

const planFolder = "runs/backfills/"

// InputsChangedError says that a plan cannot be gone on with, because what it reads is not
// what it was.
type InputsChangedError struct{ Message string }

func (e *InputsChangedError) Error() string { return e.Message }

// newPlan makes the plan of a backfill.
func newPlan(r *run, o *BackfillOptions, to string, dates []time.Time) *BackfillPlan {
	p := &BackfillPlan{Version: 1, Job: r.c.Job, ConfigSHA256: r.c.Fingerprint(), CodeVersion: r.o.CodeVersion, From: o.From, To: o.To, Every: o.Every,
		Dates: dates, Inputs: slices.Clone(r.records), CreatedAt: r.start.UTC().Truncate(time.Microsecond)}
	h := sha256.New()
	fmt.Fprintf(h, "%s\n%s\n%s\n%s\n", o.From, o.To, to, o.Every)
	for _, t := range dates {
		fmt.Fprintln(h, pipeline.RunID(p.Job, p.CodeVersion, p.ConfigSHA256, t, nil, o.KnownAt, p.Inputs))
	}
	p.ID = p.CreatedAt.Format("20060102T150405Z") + "-" + hex.EncodeToString(h.Sum(nil))[:16]
	return p
}

// store writes the plan.
func (p *BackfillPlan) store(ctx context.Context, s store.Store) error {
	data, err := json.MarshalIndent(p, "", "  ")
	if err != nil {
		return err
	}
	return put(ctx, s, planFolder+p.ID+".json", append(data, '\n'))
}

// end says that the plan is not to be taken up again.
func (p *BackfillPlan) end(ctx context.Context, s store.Store, status string, now time.Time) error {
	data, err := json.Marshal(planEnd{1, status, now.UTC().Truncate(time.Microsecond)})
	if err != nil {
		return err
	}
	if err := put(ctx, s, planFolder+p.ID+".done", data); !errors.Is(err, store.ErrExists) {
		return err
	}
	return nil
}

// put creates an object of a plan, whose name nobody else would take.
func put(ctx context.Context, s store.Store, name string, data []byte) error {
	if err := store.PutOnce(ctx, s, name, data); err != nil {
		return fmt.Errorf("%s cannot be written: %w", s.Path(name), err)
	}
	return nil
}

// openPlans lists the plans of a job that have not ended, the latest first.
func openPlans(ctx context.Context, s store.Store, job string) ([]*BackfillPlan, error) {
	objects, err := s.List(ctx, planFolder)
	if err != nil {
		return nil, err
	}
	ended := map[string]bool{}
	for _, o := range objects {
		if id, ok := strings.CutSuffix(o.Name, ".done"); ok {
			ended[id] = true
		}
	}
	var list []*BackfillPlan
	for _, o := range objects {
		if id, ok := strings.CutSuffix(o.Name, ".json"); !ok || ended[id] {
			continue
		}
		p, err := readPlan(ctx, s, o.Name)
		if err != nil {
			return nil, err
		}
		if p.Job == job {
			list = append(list, p)
		}
	}
	slices.SortFunc(list, func(a, b *BackfillPlan) int {
		return cmp.Or(b.CreatedAt.Compare(a.CreatedAt), strings.Compare(a.ID, b.ID))
	})
	return list, nil
}

func readPlan(ctx context.Context, s store.Store, name string) (*BackfillPlan, error) {
	data, err := store.Read(ctx, s, name)
	if err != nil {
		return nil, err
	}
	var p BackfillPlan
	if err := json.Unmarshal(data, &p); err != nil {
		return nil, fmt.Errorf("the backfill plan %s is damaged: %w\nmake a new one with --restart, after removing it", s.Path(name), err)
	}
	return &p, store.CheckVersion(s, name, p.Version, 1)
}

// asks says whether a plan was made for the same request.
func (p *BackfillPlan) asks(o *BackfillOptions) bool {
	return p.From == o.From && p.To == o.To && p.Every == o.Every
}

// fits says what keeps a plan from being gone on with: another program or configuration, or
// an input that has changed.
func (p *BackfillPlan) fits(r *run) error {
	const out = "--restart makes a new plan; what has been published stays until its date is published again"
	if p.CodeVersion != r.o.CodeVersion {
		return &BackfillError{fmt.Sprintf("backfill %s was begun by version %s of the program, this is %s\ngo on with that version, or: %s", p.ID, p.CodeVersion, r.o.CodeVersion, out)}
	}
	if p.ConfigSHA256 != r.c.Fingerprint() {
		return &BackfillError{fmt.Sprintf("backfill %s was begun with another configuration than %s is now\nundo the change, or: %s", p.ID, r.c.Path, out)}
	}
	if what := changedInput(p.Inputs, r.records); what != "" {
		return &InputsChangedError{fmt.Sprintf("backfill %s cannot go on: %s\nbring the files back as they were, or: %s", p.ID, what, out)}
	}
	return nil
}

// changedInput says of an input that is not what it was what has become of it.
func changedInput(then, now []pipeline.InputRecord) string {
	became := map[string]string{InputGone: "is gone", InputChanged: "has changed", InputNew: "has come"}
	for _, x := range compareInputs(then, now) {
		if what, ok := became[x.State]; ok {
			return x.Path + " " + what + " since it was begun"
		}
	}
	return ""
}
