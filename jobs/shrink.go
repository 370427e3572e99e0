package jobs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/pipeline"
)

// checkShrink fails when far fewer customers or orders are left than in what was published
// last for this date, or for the nearest date before it, which cannot hold more than this
// one does. An export that was cut off, or a filter that is wrong, ends here.
func (r *run) checkShrink(ctx context.Context, p *pipeline.Publication) error {
	if r.o.AllowShrink {
		return nil
	}
	earlier, err := r.lastBefore(ctx)
	if err != nil {
		return err
	}
	counts := r.counts()
	for _, before := range []*pipeline.Manifest{p.Before(), earlier} {
		if before == nil || before.Job != r.c.Job {
			continue
		}
		var less []string
		for _, x := range []struct {
			what      string
			now, then int64
		}{{"customers", counts.Customers, before.Customers}, {"orders", counts.Orders, before.Orders}} {
			if float64(x.then-x.now) > r.c.MaxShrink*float64(x.then) {
				less = append(less, fmt.Sprintf("%d %s, there were %d", x.now, x.what, x.then))
			}
		}
		if len(less) > 0 {
			return &CheckError{fmt.Sprintf("far less than run %s has published for %s: %s (at most %g %% fewer may be)\nlook whether the exports are whole; if so, run again with --allow-shrink, or raise checks.max_shrink; nothing was published",
				before.RunID, strings.TrimPrefix(before.Partition, "as_of="), strings.Join(slices.Compact(less), "; "), 100*r.c.MaxShrink)}
		}
	}
	return nil
}

// lastBefore is the manifest of the last result of the nearest date before that of the run.
func (r *run) lastBefore(ctx context.Context) (*pipeline.Manifest, error) {
	if r.known != nil {
		return pipeline.LastAmong(ctx, r.output, r.known(), r.partition())
	}
	return pipeline.LastBefore(ctx, r.output, r.partition())
}
