package pipeline

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cohortline/cohortline/pipeline/store"
)

// The publications of one as-of date are numbered. Number n is described by objects in
// runs/as_of=YYYY-MM-DD/:
//
//	n.lease  who works on it, and until when
//	n.held   held by its process, where the store can tell that a process has died
//	n.json   the manifest: created once, never changed. It is the commit of a result, or
//	         says that the number was abandoned
//	n.done   the copies in tables/ and runs/ have been made
//
// A run takes the number after the last one. If that has no manifest and its lease has
// ended, the run first creates one that abandons it: from then on whoever held it can no
// longer create its own, so a process that wakes up late cannot publish.
// docs/formats/commit.md has the whole protocol.

func commitName(partition string, n int) string {
	return fmt.Sprintf("runs/%s/%06d.json", partition, n)
}
func leaseName(partition string, n int) string {
	return fmt.Sprintf("runs/%s/%06d.lease", partition, n)
}
func heldName(partition string, n int) string  { return fmt.Sprintf("runs/%s/%06d.held", partition, n) }
func doneName(partition string, n int) string  { return fmt.Sprintf("runs/%s/%06d.done", partition, n) }
func resultDir(partition string, n int) string { return fmt.Sprintf("results/%s/%06d/", partition, n) }

// newer is the error of an object with an unknown version.
func newer(s store.Store, name string, version int) error {
	return store.CheckVersion(s, name, version, 1)
}

// numbers lists the publications of a date: every number of which there is an object, and
// whether it has a manifest.
func numbers(ctx context.Context, s store.Store, partition string) (committed map[int]bool, last int, err error) {
	objects, err := s.List(ctx, "runs/"+partition+"/")
	if err != nil {
		return nil, 0, err
	}
	committed = map[int]bool{}
	for _, o := range objects {
		if n, ours := numberOf(o.Name); ours {
			committed[n] = committed[n] || path.Ext(o.Name) == ".json"
			last = max(last, n)
		}
	}
	return committed, last, nil
}

// numberOf is the number of the publication that an object of runs/as_of=…/ or
// results/as_of=…/ belongs to, false where it is none of ours.
func numberOf(name string) (int, bool) {
	parts := strings.SplitN(name, "/", 4)
	if len(parts) < 3 {
		return 0, false
	}
	n, err := strconv.Atoi(strings.TrimSuffix(parts[2], path.Ext(parts[2])))
	return n, err == nil && n > 0
}

// readManifest reads the manifest of a publication.
func readManifest(ctx context.Context, s store.Store, name string) (*Manifest, error) {
	data, err := store.Read(ctx, s, name)
	if err != nil {
		return nil, err
	}
	var m Manifest
	if err := json.Unmarshal(data, &m); err != nil {
		return nil, fmt.Errorf("manifest %s is damaged: %w", s.Path(name), err)
	}
	return &m, newer(s, name, m.Version)
}

// Current is the manifest of the last result published for a date, nil when there is none.
func Current(ctx context.Context, s store.Store, partition string) (*Manifest, error) {
	committed, _, err := numbers(ctx, s, partition)
	if err != nil {
		return nil, err
	}
	return lastResult(ctx, s, partition, committed)
}

// lastResult reads manifests from the last one back to the last that is a result.
func lastResult(ctx context.Context, s store.Store, partition string, committed map[int]bool) (*Manifest, error) {
	var ns []int
	for n, is := range committed {
		if is {
			ns = append(ns, n)
		}
	}
	slices.SortFunc(ns, func(a, b int) int { return cmp.Compare(b, a) })
	for _, n := range ns {
		m, err := readManifest(ctx, s, commitName(partition, n))
		if err != nil || m.Status != Abandoned {
			return m, err
		}
	}
	return nil, nil
}

// LastBefore is the manifest of the last result published for the nearest date before that
// of a partition, nil when there is none.
func LastBefore(ctx context.Context, s store.Store, partition string) (*Manifest, error) {
	partitions, err := PublishedPartitions(ctx, s)
	if err != nil {
		return nil, err
	}
	return LastAmong(ctx, s, partitions, partition)
}

// LastAmong is LastBefore for who knows which partitions there are, ascending.
func LastAmong(ctx context.Context, s store.Store, partitions []string, partition string) (*Manifest, error) {
	for _, p := range slices.Backward(partitions) {
		if p >= partition {
			continue
		}
		if m, err := Current(ctx, s, p); err != nil || m != nil {
			return m, err
		}
	}
	return nil, nil
}

// PublishedPartitions lists the dates that have publications, ascending, as partitions.
func PublishedPartitions(ctx context.Context, s store.Store) ([]string, error) {
	objects, err := s.List(ctx, "runs/")
	if err != nil {
		return nil, err
	}
	var list []string
	for _, o := range objects {
		if p := path.Base(path.Dir(o.Name)); strings.HasPrefix(p, "as_of=") {
			list = append(list, p)
		}
	}
	slices.Sort(list)
	return slices.Compact(list), nil
}

// Manifests lists all published runs of an output, the latest ended first.
func Manifests(ctx context.Context, s store.Store) ([]Manifest, error) {
	objects, err := s.List(ctx, "runs/")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, o := range objects {
		if strings.HasPrefix(o.Name, "runs/as_of=") && strings.HasSuffix(o.Name, ".json") {
			names = append(names, o.Name)
		}
	}
	read := make([]*Manifest, len(names))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(16)
	for i, name := range names {
		g.Go(func() (err error) {
			if read[i], err = readManifest(ctx, s, name); errors.Is(err, store.ErrNotExist) { // removed by gc since
				err = nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var list []Manifest
	for _, m := range read {
		if m != nil && m.Status != Abandoned {
			list = append(list, *m)
		}
	}
	slices.SortFunc(list, func(a, b Manifest) int {
		return cmp.Or(b.EndedAt.Compare(a.EndedAt), strings.Compare(a.Partition, b.Partition), cmp.Compare(b.Number, a.Number))
	})
	return list, nil
}

// takeNumber takes the next number of a date for a run, and says what was published last.
func takeNumber(ctx context.Context, s store.Store, partition, runID string, length time.Duration, clock func() time.Time) (*lease, *Manifest, error) {
	committed, last, err := numbers(ctx, s, partition)
	if err != nil {
		return nil, nil, err
	}
	if last > 0 && !committed[last] {
		if err := abandon(ctx, s, partition, last, clock); err != nil {
			return nil, nil, err
		}
		committed[last] = true
	}
	l, err := takeLease(ctx, s, partition, last+1, runID, length, clock)
	if err != nil {
		return nil, nil, err
	}
	before, err := lastResult(ctx, s, partition, committed)
	if err != nil {
		l.release(false)
		return nil, nil, err
	}
	return l, before, nil
}

// abandon closes a number whose run has ended without a result, so that it can have none.
func abandon(ctx context.Context, s store.Store, partition string, n int, clock func() time.Time) error {
	l, err := readLease(ctx, s, leaseName(partition, n))
	if errors.Is(err, store.ErrNotExist) { // held, but not leased yet
		if held, err := s.Holder(ctx, heldName(partition, n)); err != nil || held == store.Somebody {
			return errors.Join(err, fmt.Errorf("%s, %s: %w\nwait until it has ended", s.Path(""), partition, ErrLocked))
		}
	} else if err != nil {
		return err
	} else if live, err := l.live(ctx, s, partition, clock()); err != nil || live {
		return errors.Join(err, lockedBy(s, partition, l))
	}
	m := Manifest{Version: 1, Number: n, RunID: l.RunID, Partition: partition, StartedAt: l.AcquiredAt, EndedAt: clock().UTC(), Status: Abandoned}
	data, err := m.encode()
	if err != nil {
		return err
	}
	if err := s.PutNew(ctx, commitName(partition, n), data); err != nil && !errors.Is(err, store.ErrExists) {
		return err
	}
	return s.Remove(ctx, heldName(partition, n))
}
