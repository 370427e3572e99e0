package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"gocloud.dev/blob"
)

// ErrMissing is the cause of the FileError of an input that is not there.
var ErrMissing = errors.New("no such file")

// ErrEmpty is the cause of the FileError of an input without any content.
var ErrEmpty = errors.New("the file is empty")

// ErrOptions is the cause of the FileError of an input that is written in another form
// than its source declares.
var ErrOptions = errors.New("the options of the source do not fit")

// suffixes of the files that a folder is searched for, without the compression's.
var suffixes = []string{".csv", ".tsv", ".txt", ".jsonl", ".ndjson", ".json", ".parquet"}

// List finds the objects of paths, globs, folders and addresses of object stores, sorted
// by canonical path, each once. A relative path is taken from base. A path or glob that
// matches nothing is a FileError with cause ErrMissing.
func (s *Stores) List(ctx context.Context, base string, paths []string) ([]Object, error) {
	found := map[string]Object{}
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		var objects []Object
		var err error
		if strings.Contains(p, "://") && !strings.HasPrefix(p, "file://") {
			objects, err = s.listBucket(ctx, p)
		} else {
			objects, err = listLocal(base, p)
		}
		if err != nil {
			var fe *FileError
			if errors.As(err, &fe) {
				return nil, err
			}
			return nil, &FileError{File: p, What: "cannot be listed", Err: err, Hint: "check the path in the configuration and its permissions"}
		}
		if len(objects) == 0 {
			return nil, &FileError{File: p, What: "nothing is there", Err: ErrMissing, Hint: "check `path:` of the source; relative paths start at the folder of the configuration (" + base + ")"}
		}
		for _, o := range objects {
			found[o.Path] = o
		}
	}
	return slices.SortedFunc(maps.Values(found), func(a, b Object) int { return strings.Compare(a.Path, b.Path) }), nil
}

// listLocal expands one local path, glob or folder.
func listLocal(base, pattern string) ([]Object, error) {
	if rest, ok := strings.CutPrefix(pattern, "file://"); ok {
		path, err := url.PathUnescape(rest)
		if err != nil || !filepath.IsAbs(path) {
			return nil, errors.New("a file:// address names an absolute path, with % written as %25: file:///data/orders.csv")
		}
		pattern = path
	}
	files, err := match(base, pattern)
	if err != nil {
		return nil, err
	}
	objects := make([]Object, len(files))
	for i, f := range files {
		info, err := os.Stat(f)
		if err != nil {
			return nil, &FileError{File: f, What: "cannot be read", Err: err}
		}
		canonical := f
		if r, err := filepath.Rel(base, f); err == nil && !strings.HasPrefix(r, "..") {
			canonical = r
		}
		objects[i] = Object{URL: f, Path: filepath.ToSlash(canonical), Size: info.Size(), ModTime: info.ModTime()}
	}
	return objects, nil
}

// listBucket expands scheme://bucket/key, where key is an object, a prefix that ends at a
// slash, or a pattern in which * and ? stop at slashes.
func (s *Stores) listBucket(ctx context.Context, pattern string) ([]Object, error) {
	a, err := parseAddress(pattern)
	if err != nil {
		return nil, err
	}
	if _, err := path.Match(a.key, ""); err != nil {
		return nil, fmt.Errorf("%q is no valid pattern: %w", a.key, err)
	}
	b, err := s.bucket(ctx, a.bucket)
	if err != nil {
		return nil, storeError(a.shown, "cannot be opened", err)
	}
	prefix := a.key
	if i := strings.IndexAny(prefix, `*?[\`); i >= 0 {
		prefix = prefix[:i]
	}
	var exact, matched, inside []Object
	within := strings.TrimSuffix(a.key, "/") + "/"
	if a.key == "" {
		within = ""
	}
	for it := b.List(&blob.ListOptions{Prefix: prefix}); ; {
		l, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, storeError(a.shown+"/"+a.key, "cannot be listed", err)
		}
		shown := a.shown + "/" + l.Key
		o := Object{URL: shown, Path: shown, Size: l.Size, ModTime: l.ModTime, Version: versionOf(l), bucket: b, key: l.Key}
		ok, err := path.Match(a.key, l.Key)
		switch {
		case l.Key == a.key && !strings.HasSuffix(l.Key, "/"):
			exact = append(exact, o)
		case err == nil && ok && !strings.HasSuffix(l.Key, "/"):
			matched = append(matched, o)
		case strings.HasPrefix(l.Key, within) && dataKey(l.Key[len(within):]):
			inside = append(inside, o)
		}
	}
	for _, found := range [][]Object{exact, matched} {
		if len(found) > 0 {
			return found, nil
		}
	}
	return inside, nil
}

// dataKey says whether a key below a prefix is a data file; parts that begin with . or _
// are left out, as in folders.
func dataKey(key string) bool {
	for part := range strings.SplitSeq(key, "/") {
		if part == "" || part[0] == '.' || part[0] == '_' {
			return false
		}
	}
	return slices.Contains(suffixes, suffix(key))
}

// match expands one local pattern to files.
func match(base, pattern string) ([]string, error) {
	if !filepath.IsAbs(pattern) {
		pattern = filepath.Join(base, pattern)
	}
	if info, err := os.Stat(pattern); err == nil {
		if info.IsDir() {
			return folder(pattern)
		}
		return []string{pattern}, nil
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	matches, err := filepath.Glob(pattern)
	if err != nil {
		return nil, fmt.Errorf("%q is no valid pattern: %w", pattern, err)
	}
	var files []string
	for _, m := range matches {
		info, err := os.Stat(m)
		if err != nil {
			return nil, err
		}
		if info.IsDir() {
			inside, err := folder(m)
			if err != nil {
				return nil, err
			}
			files = append(files, inside...)
		} else {
			files = append(files, m)
		}
	}
	return files, nil
}

// folder lists the data files below a folder; names that begin with . or _ are left out.
func folder(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name := d.Name(); p != dir && (strings.HasPrefix(name, ".") || strings.HasPrefix(name, "_")) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		if !d.IsDir() && slices.Contains(suffixes, suffix(p)) {
			files = append(files, p)
		}
		return nil
	})
	return files, err
}

// suffix is the lower-case extension of a name behind which a compression may stand.
func suffix(name string) string {
	name = strings.ToLower(name)
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	return filepath.Ext(name)
}
