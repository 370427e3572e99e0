package pipeline

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/cohortline/cohortline/pipeline/sink"
	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
)

// ErrLocked says that another run works on the same output.
var ErrLocked = errors.New("another run holds the lock of this output")

// Publication writes the tables of one run below an output folder:
//
//	staging/<run_id>/<table>.parquet   while the run works
//	runs/<run_id>.json                 the manifest: the commit point
//	tables/<table>/as_of=…/            the files, moved there from staging
//
// A run that is killed before the manifest leaves only staging, which the next run
// clears. One that is killed after it is completed by the next run.
type Publication struct {
	output, runID, partition string
	lock                     *os.File
	mu                       sync.Mutex
	outputs                  []OutputRecord
	committed                bool // what is staged belongs to the result and stays until it is moved
}

// OpenPublication takes the lock of the output, completes what an earlier run has
// committed and not moved, and clears what one has left uncommitted.
func OpenPublication(output, runID, partition string) (*Publication, error) {
	if err := os.MkdirAll(filepath.Join(output, "runs"), 0o755); err != nil {
		return nil, fmt.Errorf("output %s cannot be made: %w", output, err)
	}
	lock, err := os.OpenFile(filepath.Join(output, "runs", ".lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("output %s cannot be locked: %w", output, err)
	}
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, unix.EWOULDBLOCK) {
			return nil, fmt.Errorf("%s: %w\nwait until it has ended, or give this run another output", output, ErrLocked)
		}
		return nil, fmt.Errorf("output %s cannot be locked: %w", output, err)
	}
	p := &Publication{output: output, runID: runID, partition: partition, lock: lock}
	if err := p.recover(); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

// recover rolls committed runs forward and clears the staging of uncommitted ones.
func (p *Publication) recover() error {
	staging := filepath.Join(p.output, "staging")
	entries, err := os.ReadDir(staging)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("%s cannot be listed: %w", staging, err)
	}
	for _, e := range entries {
		m, err := readManifest(filepath.Join(p.output, "runs", e.Name()+".json"))
		if err == nil {
			err = p.move(m)
		} else if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		if err != nil {
			return err
		}
		if err := os.RemoveAll(filepath.Join(staging, e.Name())); err != nil {
			return fmt.Errorf("staging of run %s cannot be cleared: %w", e.Name(), err)
		}
	}
	return nil
}

// Published returns the manifest of this run when its result is already in place, byte
// for byte.
func (p *Publication) Published() (*Manifest, error) {
	m, err := readManifest(p.manifestPath())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, o := range m.Outputs {
		sum, err := fileSHA256(filepath.Join(p.output, o.Path))
		if errors.Is(err, fs.ErrNotExist) || err == nil && sum != o.SHA256 {
			return nil, nil // replaced by another run since: do it again
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (p *Publication) manifestPath() string {
	return filepath.Join(p.output, "runs", p.runID+".json")
}

// Write writes a table to staging. Several tables may be written at the same time.
func (p *Publication) Write(d schemas.Data) (rows int64, err error) {
	dir := filepath.Join(p.output, "staging", p.runID)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, fmt.Errorf("staging cannot be made: %w", err)
	}
	path := filepath.Join(dir, d.Table.Name+".parquet")
	f, err := os.Create(path)
	if err != nil {
		return 0, fmt.Errorf("table %s cannot be written: %w", d.Table.Name, err)
	}
	defer f.Close()
	h := sha256.New()
	b := bufio.NewWriterSize(io.MultiWriter(f, h), 1<<20)
	if rows, err = sink.Parquet(b, d); err != nil {
		return 0, err
	}
	if err := b.Flush(); err != nil {
		return 0, fmt.Errorf("table %s cannot be written: %w", d.Table.Name, err)
	}
	if err := f.Sync(); err != nil {
		return 0, fmt.Errorf("table %s cannot be written: %w", d.Table.Name, err)
	}
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("table %s cannot be written: %w", d.Table.Name, err)
	}
	o := OutputRecord{Table: d.Table.Name, Path: strings.Join([]string{"tables", d.Table.Name, p.partition, "part-00000.parquet"}, "/"),
		Rows: rows, Bytes: info.Size(), SHA256: hex.EncodeToString(h.Sum(nil))}
	p.mu.Lock()
	p.outputs = append(p.outputs, o)
	p.mu.Unlock()
	return rows, nil
}

// Outputs lists the tables written so far, by name.
func (p *Publication) Outputs() []OutputRecord {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(p.outputs)
	slices.SortFunc(list, func(a, b OutputRecord) int { return strings.Compare(a.Table, b.Table) })
	return list
}

// Commit writes the manifest and moves the tables into place.
func (p *Publication) Commit(m *Manifest) error {
	data, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	path := p.manifestPath()
	if err := writeSynced(path+".tmp", append(data, '\n')); err != nil {
		return fmt.Errorf("manifest %s cannot be written: %w", path, err)
	}
	if err := os.Rename(path+".tmp", path); err != nil {
		return fmt.Errorf("manifest %s cannot be written: %w", path, err)
	}
	if err := syncDir(filepath.Dir(path)); err != nil {
		return fmt.Errorf("manifest %s cannot be written: %w", path, err)
	}
	p.committed = true
	if err := p.move(m); err != nil {
		return err
	}
	return os.RemoveAll(filepath.Join(p.output, "staging", p.runID))
}

// move brings the staged files of a committed run into place; those that are no longer
// staged have been moved before.
func (p *Publication) move(m *Manifest) error {
	for _, o := range m.Outputs {
		from := filepath.Join(p.output, "staging", m.RunID, o.Table+".parquet")
		if _, err := os.Stat(from); errors.Is(err, fs.ErrNotExist) {
			continue
		}
		to := filepath.Join(p.output, filepath.FromSlash(o.Path))
		dir := filepath.Dir(to)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("table %s cannot be published: %w", o.Table, err)
		}
		if err := os.Rename(from, to); err != nil {
			return fmt.Errorf("table %s cannot be published: %w", o.Table, err)
		}
		entries, err := os.ReadDir(dir)
		if err != nil {
			return fmt.Errorf("table %s cannot be published: %w", o.Table, err)
		}
		for _, e := range entries { // the partition is replaced whole
			if e.Name() != filepath.Base(to) {
				if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
					return fmt.Errorf("table %s cannot be published: %w", o.Table, err)
				}
			}
		}
		if err := syncDir(dir); err != nil {
			return fmt.Errorf("table %s cannot be published: %w", o.Table, err)
		}
	}
	return nil
}

// Close gives the lock back and clears what was not committed.
func (p *Publication) Close() error {
	var err error
	if !p.committed {
		err = os.RemoveAll(filepath.Join(p.output, "staging", p.runID))
	}
	os.Remove(filepath.Join(p.output, "staging")) // only when it is empty
	return errors.Join(err, p.lock.Close())
}

func writeSynced(path string, data []byte) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if _, err := f.Write(data); err != nil {
		f.Close()
		return err
	}
	if err := f.Sync(); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// fileSHA256 is the hexadecimal SHA-256 of a file's bytes.
func fileSHA256(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(h, f, make([]byte, 1<<20)); err != nil {
		return "", fmt.Errorf("%s cannot be read: %w", path, err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

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
