package landing

import (
	"context"
	"slices"
	"time"

	"github.com/cohortline/cohortline/pipeline/store"
)

// References are what manifests refer to: checksums of copies, fingerprints of configurations.
type References struct{ Copies, Configs map[string]bool }

// Unused is what nothing refers to.
type Unused struct {
	Mark   []string       // names of marks to be set
	Named  []string       // objects that are marked, or are to be
	Remove []store.Object // marked for long enough, with the marks themselves; and the index where a later object of it holds the same
}

// FindUnused looks for copies and configurations that nothing refers to. What has lain
// there for a time is to be marked; what has been marked for that time, and is still not
// referred to, is to be removed. A copy that a run has found unmarked and referred to
// afterwards stays.
func FindUnused(ctx context.Context, s store.Store, refs References, now time.Time, after time.Duration) (*Unused, error) {
	u := &Unused{}
	for _, x := range []struct {
		dir, suffix string
		referred    map[string]bool
	}{{objectDir, "", refs.Copies}, {configDir, ".json", refs.Configs}} {
		h, err := listShelf(ctx, s, x.dir, x.suffix)
		if err != nil {
			return nil, err
		}
		for _, o := range h.list {
			key := keyOf(o.Name)
			at, marked := h.marks[o.Name]
			switch {
			case !marked && !x.referred[key] && now.Sub(o.Modified) > after:
				u.Mark = append(u.Mark, markName(o.Name, now))
				u.Named = append(u.Named, o.Name)
			case marked && now.Sub(at) > after && (!x.referred[key] || h.usable(key) != ""):
				u.Remove = append(u.Remove, o, store.Object{Name: markName(o.Name, at)})
			case marked && !x.referred[key]:
				u.Named = append(u.Named, o.Name)
			}
		}
		for name, at := range h.marks { // of an object that is gone: gc was stopped in between
			if now.Sub(at) > after && !slices.Contains(h.keys[keyOf(name)], name) {
				u.Remove = append(u.Remove, store.Object{Name: markName(name, at)})
			}
		}
	}
	old, err := oldIndex(ctx, s, now, after)
	u.Remove = append(u.Remove, old...)
	return u, err
}

// oldIndex lists the objects of the index before the last one that holds all of them, if
// that was written long enough ago for everybody to have seen it.
func oldIndex(ctx context.Context, s store.Store, now time.Time, after time.Duration) ([]store.Object, error) {
	objects, err := s.List(ctx, indexDir)
	if err != nil {
		return nil, err
	}
	last := 0
	for _, o := range objects {
		last = max(last, indexNumber(o.Name))
	}
	whole := last - last%every
	i := slices.IndexFunc(objects, func(o store.Object) bool { return indexNumber(o.Name) == whole })
	if i < 0 || now.Sub(objects[i].Modified) <= after {
		return nil, nil
	}
	return slices.DeleteFunc(objects, func(o store.Object) bool { n := indexNumber(o.Name); return n == 0 || n >= whole }), nil
}
