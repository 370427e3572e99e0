package jobs

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/cohortline/cohortline/pipeline/store"
)

// temporaryStore makes a store for results that nobody publishes, in a folder of its own in
// dir. remove closes it and leaves nothing of it.
func temporaryStore(ctx context.Context, dir string) (s store.Store, remove func() error, err error) {
	folder, err := os.MkdirTemp(dir, "cohortline-*")
	if err != nil {
		return nil, nil, fmt.Errorf("no temporary folder can be made: %w\ngive one with --temp-dir", err)
	}
	if s, err = store.Open(ctx, folder); err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(folder))
	}
	return s, func() error { return errors.Join(s.Close(), os.RemoveAll(folder)) }, nil
}
