package source

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"io"
	"slices"

	"github.com/cohortline/cohortline/pipeline/source/digest"
)

// Checksums are the hexadecimal SHA-256 of the bytes of objects, as they are stored,
// computed on at most the given number of threads.
func Checksums(ctx context.Context, objects []Object, threads int) ([]string, error) {
	order := make([]int, len(objects)) // the longest first, so that the threads end at about the same time
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(objects[b].Size, objects[a].Size) })
	sums, err := digest.Sums(len(objects), threads, func(i int) (io.ReadCloser, error) {
		o := objects[order[i]]
		r, err := o.open(ctx)
		return &wholeObject{ctx, o.Path, r}, err
	})
	if err != nil {
		return nil, err
	}
	texts := make([]string, len(objects))
	for i, k := range order {
		texts[k] = hex.EncodeToString(sums[i][:])
	}
	return texts, nil
}

// wholeObject reads an object until the end or until the context is done.
type wholeObject struct {
	ctx  context.Context
	path string
	io.ReadCloser
}

func (r *wholeObject) Read(b []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.ReadCloser.Read(b)
	var fe *FileError
	if err != nil && err != io.EOF && !errors.As(err, &fe) {
		err = &FileError{File: r.path, What: "cannot be read", Err: err}
	}
	return n, err
}
