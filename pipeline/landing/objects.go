package landing

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/pipeline/store"
)

const objectDir = "landing/objects/"

// Copies are the copied inputs of an output, by their SHA-256.
type Copies struct{ *shelf }

// ListCopies finds the copies that there are.
func ListCopies(ctx context.Context, s store.Store) (*Copies, error) {
	h, err := listShelf(ctx, s, objectDir, "")
	return &Copies{h}, err
}

// Keeps says whether there is a copy that a run may rely on.
func (c *Copies) Keeps(sum string) bool { return c.usable(sum) != "" }

// Has says whether there is a copy to read, even if gc is about to remove it.
func (c *Copies) Has(sum string) bool { return c.any(sum) != "" }

// Object is a copy as an input, under the path of what it is a copy of.
func (c *Copies) Object(ctx context.Context, sum, path string) (source.Object, error) {
	o, err := c.s.Input(ctx, c.any(sum))
	o.Path = path
	return o, err
}

// Where names a copy to people.
func (c *Copies) Where(sum string) string {
	return c.s.Path(cmp.Or(c.any(sum), objectDir+sum))
}

// ErrChanged says that an input was changed between being identified and being copied.
var ErrChanged = errors.New("it was changed while it was being copied")

// Add copies an object whose SHA-256 is known. It may be called by several goroutines, for
// different objects.
func (c *Copies) Add(ctx context.Context, o source.Object, sum string) error {
	r, err := o.Stored(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	return store.Write(ctx, c.s, c.fresh(sum), func(w io.Writer) error {
		h := sha256.New()
		if _, err := io.CopyBuffer(io.MultiWriter(w, h), struct{ io.Reader }{r}, make([]byte, 1<<20)); err != nil {
			return err
		}
		if hex.EncodeToString(h.Sum(nil)) != sum {
			return &source.FileError{File: o.Path, What: "cannot be copied", Err: ErrChanged, Hint: "run again when the export has ended; nothing was published"}
		}
		return nil
	})
}

// Added makes a copy known that Add has made.
func (c *Copies) Added(sum string) { c.put(c.fresh(sum)) }
