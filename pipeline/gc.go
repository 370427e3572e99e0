package pipeline

import (
	"cmp"
	"context"
	"errors"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline/landing"
	"github.com/cohortline/cohortline/pipeline/store"
)

// Retention says which superseded results gc leaves. The latest of every date stays always.
type Retention struct {
	Keep     time.Duration // results that were published within this time stay
	KeepRuns int           // so many results of every date stay, the latest among them
	Now      time.Time
	DryRun   bool // only say what would go
}

// minAbandoned is how long the record of an abandoned number stays at least: it keeps its
// run, should that wake up, from publishing.
const minAbandoned = 24 * time.Hour

// minLeftover is the least age of a temporary file that may belong to a writer at work.
const minLeftover = time.Hour

// Collection is what gc has removed, or would.
type Collection struct {
	Objects []string `json:"objects"`
	Bytes   int64    `json:"bytes"`  // of tables; in a folder those that tables/ shares take no room of their own
	Locked  []string `json:"locked"` // dates on which a run is at work: left alone
	Unused  []string `json:"unused"` // copies and configurations that nothing refers to: marked, and removed by a gc a day later
}

// CollectGarbage removes results that have been superseded, what killed runs have left, and
// nothing that a manifest or a live lease refers to. It is safe beside runs.
func CollectGarbage(ctx context.Context, s store.Store, r Retention) (*Collection, error) {
	c := &sweep{s: s, r: r, found: &Collection{Objects: []string{}, Locked: []string{}, Unused: []string{}}, runs: map[string]bool{},
		landed: landing.References{Copies: map[string]bool{}, Configs: map[string]bool{}}}
	all, err := s.List(ctx, "")
	if err != nil {
		return nil, err
	}
	byPartition := map[string][]store.Object{}
	for _, o := range all {
		if root, rest, _ := strings.Cut(o.Name, "/"); root == "runs" || root == "results" {
			if p, _, ok := strings.Cut(rest, "/"); ok && strings.HasPrefix(p, "as_of=") {
				byPartition[p] = append(byPartition[p], o)
			}
		}
	}
	for p, objects := range byPartition {
		if err := c.partition(ctx, p, objects); err != nil {
			return nil, err
		}
	}
	for _, o := range all { // copies of manifests that are gone
		if id, ok := strings.CutSuffix(o.Name, ".json"); ok && path.Dir(o.Name) == "runs" {
			if stays, known := c.runs[path.Base(id)]; known && !stays {
				c.remove = append(c.remove, o)
			}
		}
	}
	if err := c.leftovers(ctx); err != nil {
		return nil, err
	}
	if err := c.unused(ctx); err != nil {
		return nil, err
	}
	slices.Sort(c.found.Locked)
	return c.found, c.finish(ctx)
}

// sweep gathers what is to be removed.
type sweep struct {
	s      store.Store
	r      Retention
	found  *Collection
	remove []store.Object
	runs   map[string]bool // by run id: whether a manifest of it stays
	live   []string        // folders below results/ that a run may be writing to
	landed landing.References
}

// publication is a number with its objects.
type publication struct {
	number   int
	objects  []store.Object
	manifest *Manifest
}

func (c *sweep) partition(ctx context.Context, p string, objects []store.Object) error {
	list, err := c.publications(ctx, p, objects)
	if err != nil {
		return err
	}
	last := list[0] // the highest number, which must stay known
	if last.manifest == nil {
		err := c.close(ctx, p, last)
		if errors.Is(err, ErrLocked) {
			c.found.Locked = append(c.found.Locked, strings.TrimPrefix(p, "as_of="))
			c.live = append(c.live, resultDir(p, last.number))
			last.objects = nil // all of them stay
		} else if err != nil {
			return err
		}
	}
	referred := map[string]bool{}
	results := 0
	for _, x := range list {
		m := x.manifest
		if m == nil || m.Status == Abandoned {
			continue
		}
		results++
		stays := results == 1 || results <= c.r.KeepRuns || c.r.Now.Sub(m.EndedAt) < c.r.Keep
		c.runs[m.RunID] = c.runs[m.RunID] || stays
		if stays {
			c.refer(m)
			for _, o := range m.tables() {
				referred[o.Result] = true
			}
			for _, o := range x.objects {
				referred[o.Name] = referred[o.Name] || strings.HasPrefix(o.Name, "runs/")
			}
		}
	}
	for _, x := range list {
		fresh := x.manifest != nil && x.manifest.Status == Abandoned && c.r.Now.Sub(x.manifest.EndedAt) < max(minAbandoned, c.r.Keep)
		for _, o := range x.objects {
			needed := strings.HasPrefix(o.Name, "runs/") && (fresh || x == last)
			if !referred[o.Name] && !needed {
				c.remove = append(c.remove, o)
			}
		}
	}
	return nil
}

// publications groups the objects of a date by number, the highest first.
func (c *sweep) publications(ctx context.Context, p string, objects []store.Object) ([]*publication, error) {
	byNumber := map[int]*publication{}
	for _, o := range objects {
		n, ours := numberOf(o.Name)
		if !ours {
			continue
		}
		if byNumber[n] == nil {
			byNumber[n] = &publication{number: n}
		}
		byNumber[n].objects = append(byNumber[n].objects, o)
		if o.Name == commitName(p, n) {
			m, err := readManifest(ctx, c.s, o.Name)
			if err != nil {
				return nil, err
			}
			byNumber[n].manifest = m
		}
	}
	var list []*publication
	for _, x := range byNumber {
		list = append(list, x)
	}
	slices.SortFunc(list, func(a, b *publication) int { return cmp.Compare(b.number, a.number) })
	return list, nil
}

// close abandons the last number of a date if its run is dead, so that nothing can refer to
// its tables any more.
func (c *sweep) close(ctx context.Context, p string, x *publication) error {
	if c.r.DryRun {
		l, err := readLease(ctx, c.s, leaseName(p, x.number))
		if err == nil {
			if live, err := l.live(ctx, c.s, p, c.r.Now); err != nil || live {
				return errors.Join(err, ErrLocked)
			}
		}
		return nil
	}
	if err := abandon(ctx, c.s, p, x.number, func() time.Time { return c.r.Now }); err != nil {
		return err
	}
	m, err := readManifest(ctx, c.s, commitName(p, x.number)) // it may have committed just now
	x.manifest = m
	return err
}

// leftovers adds the temporary files of writers that are gone.
func (c *sweep) leftovers(ctx context.Context) error {
	begun, err := c.s.Leftovers(ctx)
	if err != nil {
		return err
	}
	for _, o := range begun {
		atWork := slices.ContainsFunc(c.live, func(dir string) bool { return strings.HasPrefix(o.Name, dir) })
		if !atWork && (strings.HasPrefix(o.Name, "results/") && len(c.found.Locked) == 0 || c.r.Now.Sub(o.Modified) > minLeftover) {
			c.remove = append(c.remove, o)
		}
	}
	return nil
}

// refer notes what of landing a manifest that stays refers to.
func (c *sweep) refer(m *Manifest) {
	c.landed.Configs[m.ConfigSHA256] = true
	for _, in := range m.Inputs {
		if in.Copied {
			c.landed.Copies[in.SHA256] = true
		}
	}
}

// unused marks, and a day later removes, what nothing below landing/ is needed for. While a
// run is at work nobody knows what it is going to refer to.
func (c *sweep) unused(ctx context.Context) error {
	if len(c.found.Locked) > 0 {
		return nil
	}
	u, err := landing.FindUnused(ctx, c.s, c.landed, c.r.Now, minAbandoned)
	if err != nil {
		return err
	}
	for _, mark := range u.Mark {
		if !c.r.DryRun {
			if err := c.s.Put(ctx, mark, nil); err != nil {
				return err
			}
		}
	}
	c.found.Unused = append(c.found.Unused, u.Named...)
	c.remove = append(c.remove, u.Remove...)
	return nil
}

// finish removes what was gathered: manifests before the tables that they name, so that no
// manifest is ever seen without its tables.
func (c *sweep) finish(ctx context.Context) error {
	order := func(o store.Object) int {
		if strings.HasPrefix(o.Name, "runs/") {
			return 0
		}
		return 1
	}
	slices.SortFunc(c.remove, func(a, b store.Object) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), strings.Compare(a.Name, b.Name))
	})
	for _, o := range c.remove {
		if !c.r.DryRun {
			if err := c.s.Remove(ctx, o.Name); err != nil {
				return err
			}
		}
		c.found.Objects = append(c.found.Objects, o.Name)
		c.found.Bytes += o.Size
	}
	return nil
}
