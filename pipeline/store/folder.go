package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cohortline/cohortline/pipeline/source"
)

// folder is a store in a local folder. The content of every file is synced before it gets
// its name, and the folders that name files before the next small object is written: what
// such an object speaks of survives a power cut as well as a kill.
type folder struct {
	root  string
	names unsynced
}

// temporary begins the names of files that are not objects yet; a process that was killed
// may leave one behind, which List does not show and gc removes.
const temporary = ".writing-"

func openFolder(root string) (*folder, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	for d := root; ; d = filepath.Dir(d) { // the first part of the path that is there
		info, err := os.Stat(d)
		switch {
		case err == nil && info.IsDir():
			return &folder{root: root}, nil
		case err == nil:
			return nil, fmt.Errorf("output %s cannot be made: %s is no folder", root, d)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
			return nil, fmt.Errorf("output %s cannot be reached: %w", root, err)
		}
	}
}

func (f *folder) Path(name string) string { return filepath.Join(f.root, filepath.FromSlash(name)) }

func (f *folder) Local() bool { return true }

func (f *folder) Close() error { return f.names.sync() }

// file is the path of a name. Names come from this program; one that would leave the
// folder is a mistake of it.
func (f *folder) file(name string) (string, error) {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return "", fmt.Errorf("%q is no name below the output", name)
	}
	return filepath.Join(f.root, filepath.FromSlash(name)), nil
}

// fresh makes a temporary file in the folder of a name.
func (f *folder) fresh(name string) (file *os.File, to string, err error) {
	if to, err = f.file(name); err != nil {
		return nil, "", err
	}
	if err := f.makeDir(filepath.Dir(to)); err != nil {
		return nil, "", err
	}
	file, err = os.CreateTemp(filepath.Dir(to), temporary+"*")
	if errors.Is(err, fs.ErrNotExist) { // another process has just removed the empty folder
		if err = f.makeDir(filepath.Dir(to)); err == nil {
			file, err = os.CreateTemp(filepath.Dir(to), temporary+"*")
		}
	}
	if err == nil {
		err = file.Chmod(0o644)
	}
	return file, to, err
}

// makeDir makes a folder.
func (f *folder) makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if up := filepath.Dir(dir); up != dir {
		if err := f.makeDir(up); err != nil {
			return err
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("output cannot be made: %w", err)
	}
	f.names.add(filepath.Dir(dir))
	return nil
}

// folderWriter writes a temporary file and gives it its name at the end.
type folderWriter struct {
	f    *folder
	ctx  context.Context
	file *os.File
	to   string
}

func (f *folder) Create(ctx context.Context, name string) (io.WriteCloser, error) {
	file, to, err := f.fresh(name)
	if err != nil {
		return nil, err
	}
	return &folderWriter{f, ctx, file, to}, nil
}

func (w *folderWriter) Write(b []byte) (int, error) { return w.file.Write(b) }

func (w *folderWriter) Close() error {
	err := w.ctx.Err()
	if err == nil {
		err = w.file.Sync()
	}
	if err = errors.Join(err, w.file.Close()); err == nil {
		err = os.Rename(w.file.Name(), w.to)
	}
	if err != nil {
		os.Remove(w.file.Name())
		return err
	}
	w.f.names.add(filepath.Dir(w.to))
	return nil
}

func (f *folder) Put(ctx context.Context, name string, data []byte) error {
	if err := f.names.sync(); err != nil {
		return err
	}
	if err := Write(ctx, f, name, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}); err != nil {
		return err
	}
	return f.names.sync()
}

func (f *folder) PutNew(ctx context.Context, name string, data []byte) error {
	file, to, err := f.fresh(name)
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	if _, err = file.Write(data); err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close(), ctx.Err()); err != nil {
		return err
	}
	if err := f.names.sync(); err != nil {
		return err
	}
	if err := os.Link(file.Name(), to); errors.Is(err, fs.ErrExist) {
		return ErrExists
	} else if err != nil {
		return err
	}
	f.names.add(filepath.Dir(to))
	return f.names.sync()
}

func (f *folder) Open(_ context.Context, name string) (io.ReadCloser, error) {
	p, err := f.file(name)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(p)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%s: %w", p, ErrNotExist)
	}
	return file, err
}

func (f *folder) Input(_ context.Context, name string) (source.Object, error) {
	p, err := f.file(name)
	if err != nil {
		return source.Object{}, err
	}
	info, err := os.Stat(p)
	if errors.Is(err, fs.ErrNotExist) {
		return source.Object{}, fmt.Errorf("%s: %w", p, ErrNotExist)
	}
	if err != nil {
		return source.Object{}, err
	}
	return source.Object{URL: p, Path: name, Size: info.Size(), ModTime: info.ModTime()}, nil
}

func (f *folder) List(ctx context.Context, prefix string) ([]Object, error) {
	return f.walk(ctx, prefix, false)
}

func (f *folder) Leftovers(ctx context.Context) ([]Object, error) { return f.walk(ctx, "", true) }

// walk lists the files below a prefix, or the temporary ones.
func (f *folder) walk(ctx context.Context, prefix string, begun bool) ([]Object, error) {
	root, err := f.file(strings.TrimSuffix(prefix, "/"))
	if prefix == "" {
		root, err = f.root, nil
	}
	if err != nil {
		return nil, err
	}
	var list []Object
	err = filepath.WalkDir(root, func(p string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // removed since its folder was listed
			return nil
		}
		if err != nil || e.IsDir() || strings.HasPrefix(e.Name(), temporary) != begun {
			return err
		}
		info, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil {
			return err
		}
		name, err := filepath.Rel(f.root, p)
		list = append(list, Object{filepath.ToSlash(name), info.Size(), info.ModTime()})
		return err
	})
	slices.SortFunc(list, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return list, errors.Join(err, ctx.Err())
}

// Copy makes a hard link where the file system has them: the content is shared, not
// written again, and nothing here ever changes a file in place.
func (f *folder) Copy(ctx context.Context, from, to string) error {
	source, err := f.file(from)
	if err != nil {
		return err
	}
	target, err := f.file(to)
	if err != nil {
		return err
	}
	dir := filepath.Dir(target)
	if err := errors.Join(f.makeDir(dir), ctx.Err()); err != nil {
		return err
	}
	link := filepath.Join(dir, temporary+rand.Text())
	switch err := os.Link(source, link); {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: %w", source, ErrNotExist)
	case err != nil:
		return f.rewrite(ctx, source, to)
	}
	defer os.Remove(link) // rename leaves it where the target is a link to the same file already
	if err := os.Rename(link, target); err != nil {
		return err
	}
	f.names.add(dir)
	return nil
}

// rewrite is Copy on a file system without links.
func (f *folder) rewrite(ctx context.Context, source, to string) error {
	in, err := os.Open(source)
	if err != nil {
		return err
	}
	defer in.Close()
	return Write(ctx, f, to, func(w io.Writer) error {
		_, err := io.Copy(w, in)
		return err
	})
}

// Remove deletes a file, and the folders that have become empty by it.
func (f *folder) Remove(_ context.Context, name string) error {
	p, err := f.file(name)
	if err != nil {
		return err
	}
	if err := os.Remove(p); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if os.Remove(filepath.Join(f.root, filepath.FromSlash(d))) != nil {
			break // not empty
		}
	}
	return nil
}

// Hold locks a file, which the system unlocks when the process is gone.
func (f *folder) Hold(ctx context.Context, name string) (func(), error) {
	p, err := f.file(name)
	if err != nil {
		return nil, err
	}
	if err := f.makeDir(filepath.Dir(p)); err != nil {
		return nil, err
	}
	file, err := os.OpenFile(p, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("%s cannot be locked: %w", p, err)
	}
	return func() {
		os.Remove(p)
		file.Close()
	}, ctx.Err()
}

func (f *folder) Holder(_ context.Context, name string) (Holder, error) {
	p, err := f.file(name)
	if err != nil {
		return Unknown, err
	}
	file, err := os.OpenFile(p, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return Nobody, nil
	}
	if err != nil {
		return Unknown, err
	}
	defer file.Close()
	switch err := unix.Flock(int(file.Fd()), unix.LOCK_SH|unix.LOCK_NB); {
	case err == nil:
		return Nobody, nil
	case errors.Is(err, unix.EWOULDBLOCK):
		return Somebody, nil
	default: // a file system without locks
		return Unknown, nil
	}
}
