package pipeline

import (
	"context"
	"runtime"

	"github.com/cohortline/cohortline/pipeline/source"
)

// RecordInputs makes the records of what a run reads. Objects of a store are recorded by
// the version that the store gives; everything else by its SHA-256.
func RecordInputs(ctx context.Context, inputs []Input) ([]InputRecord, error) {
	records := make([]InputRecord, len(inputs))
	var without []int // a version
	var objects []source.Object
	for i, in := range inputs {
		records[i] = InputRecord{Table: in.Spec.Table, Source: in.Spec.Name, Path: in.Object.Path, Size: in.Object.Size, Version: in.Object.Version, ReceivedAt: in.Object.ModTime.UTC()}
		if in.Object.Version == "" {
			without, objects = append(without, i), append(objects, in.Object)
		}
	}
	sums, err := source.Checksums(ctx, objects, runtime.GOMAXPROCS(0))
	if err != nil {
		return nil, err
	}
	for k, i := range without {
		records[i].SHA256 = sums[k]
	}
	return records, nil
}
