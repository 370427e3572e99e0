package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"

	"github.com/cohortline/cohortline/pipeline/store"
)

// ErrCopies says that a result is published and its copies below tables/ are not all made.
var ErrCopies = errors.New("published, but not every copy below tables/ is made")

// Copies makes the copies of the result published last for a date: its tables below
// tables/, for readers who know no manifests, and its manifest as runs/<run_id>.json.
//
// It needs no lock. Whoever makes copies looks afterwards whether something newer has been
// published meanwhile and then copies that too: so the last one to write is one who has
// seen the newest result, even if a process is stopped here for an hour in between.
func Copies(ctx context.Context, s store.Store, partition string) error {
	done := 0
	for {
		m, err := Current(ctx, s, partition)
		if err == nil && (m == nil || m.Number == done) {
			return nil
		}
		if err == nil {
			err = copyResult(ctx, s, m)
		}
		if err != nil {
			return fmt.Errorf("%s, %s: %w: %w\nrun the same again to make them; readers of manifests see the new result already", s.Path(""), partition, ErrCopies, err)
		}
		done = m.Number
	}
}

func copyResult(ctx context.Context, s store.Store, m *Manifest) error {
	for _, o := range m.Outputs {
		if err := copyTable(ctx, s, o); err != nil {
			return err
		}
	}
	for _, o := range m.Inherited { // copied when they were published; only a copy that is gone is made again
		if whole, err := intact(ctx, s, o.Path, o); err != nil {
			return err
		} else if whole {
			continue
		}
		if err := copyTable(ctx, s, o); err != nil && !errors.Is(err, store.ErrNotExist) {
			return err
		}
	}
	data, err := m.encode()
	if err != nil {
		return err
	}
	if err := s.Put(ctx, "runs/"+m.RunID+".json", data); err != nil {
		return err
	}
	return s.Put(ctx, doneName(m.Partition, m.Number), nil)
}

// copyTable replaces the partition of a table whole.
func copyTable(ctx context.Context, s store.Store, o OutputRecord) error {
	if err := s.Copy(ctx, o.Result, o.Path); err != nil {
		return err
	}
	there, err := s.List(ctx, path.Dir(o.Path)+"/")
	if err != nil {
		return err
	}
	for _, x := range there {
		if x.Name != o.Path {
			if err := s.Remove(ctx, x.Name); err != nil {
				return err
			}
		}
	}
	return nil
}

// Published returns the manifest of the result that a run has published, nil when it has
// not, or another run has replaced one of these tables, or an object is gone or altered.
// Copies that are missing are made.
func Published(ctx context.Context, s store.Store, run RunKey, tables []string) (*Manifest, error) {
	m, err := Current(ctx, s, run.Partition)
	if err != nil {
		return nil, err
	}
	return publishedBy(ctx, s, m, run, tables)
}

// publishedBy is Published, given what was published last for the date.
func publishedBy(ctx context.Context, s store.Store, m *Manifest, run RunKey, tables []string) (*Manifest, error) {
	if m == nil {
		return nil, nil
	}
	copied, all := true, m.tables()
	for _, t := range tables {
		i := slices.IndexFunc(all, func(o OutputRecord) bool { return o.Table == t && o.RunID == run.ID })
		if i < 0 {
			return nil, nil
		}
		o := all[i]
		if whole, err := intact(ctx, s, o.Path, o); err != nil {
			return nil, err
		} else if whole {
			continue
		}
		copied = false
		if whole, err := intact(ctx, s, o.Result, o); err != nil || !whole {
			return nil, err // altered: do it again
		}
	}
	r, err := s.Open(ctx, doneName(m.Partition, m.Number))
	if err == nil {
		r.Close()
	} else if !errors.Is(err, store.ErrNotExist) {
		return nil, err
	}
	if !copied || err != nil {
		if err := Copies(ctx, s, run.Partition); err != nil {
			return nil, err
		}
	}
	return m, nil
}

// intact says whether an object is what was written: in a folder by its SHA-256, in a
// bucket, which keeps what it has been given and charges for reading, by its size.
func intact(ctx context.Context, s store.Store, name string, o OutputRecord) (bool, error) {
	there, err := s.List(ctx, path.Dir(name)+"/")
	if err != nil {
		return false, err
	}
	i := slices.IndexFunc(there, func(x store.Object) bool { return x.Name == name })
	if i < 0 || there[i].Size != o.Bytes {
		return false, nil
	}
	if !s.Local() {
		return true, nil
	}
	sum, err := objectSHA256(ctx, s, name)
	return sum == o.SHA256, err
}

// Intact says whether a table is as its run has written it, by its SHA-256.
func Intact(ctx context.Context, s store.Store, o OutputRecord) (bool, error) {
	sum, err := objectSHA256(ctx, s, o.Result)
	if errors.Is(err, store.ErrNotExist) {
		return false, nil
	}
	return sum == o.SHA256, err
}

// objectSHA256 is the hexadecimal SHA-256 of an object's bytes.
func objectSHA256(ctx context.Context, s store.Store, name string) (string, error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return "", err
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{r}, make([]byte, 1<<20)); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", s.Path(name), err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
