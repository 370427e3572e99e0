package pipeline

import (
	"context"
	"runtime"

	"golang.org/x/sync/errgroup"
)

// RecordInputs makes the records of what a run reads. Objects of a store are recorded by
// the version that the store gives; everything else by its SHA-256.
func RecordInputs(ctx context.Context, inputs []Input) ([]InputRecord, error) {
	records := make([]InputRecord, len(inputs))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(runtime.GOMAXPROCS(0))
	for i, in := range inputs {
		records[i] = InputRecord{Table: in.Spec.Table, Source: in.Spec.Name, Path: in.Object.Path, Size: in.Object.Size, Version: in.Object.Version, ReceivedAt: in.Object.ModTime.UTC()}
		if in.Object.Version != "" {
			continue
		}
		g.Go(func() (err error) {
			records[i].SHA256, err = in.Object.SHA256(ctx)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	return records, nil
}
