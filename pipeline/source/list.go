package source

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
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

// List finds the objects of paths, globs and folders, sorted by canonical path, each
// once. A relative path is taken from base. A path or glob that matches nothing is a
// FileError with cause ErrMissing.
func List(ctx context.Context, base string, paths []string) ([]Object, error) {
	found := map[string]Object{}
	for _, p := range paths {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		files, err := match(base, strings.TrimPrefix(p, "file://"))
		if err != nil {
			return nil, &FileError{File: p, What: "cannot be listed", Err: err, Hint: "check the path in the configuration and its permissions"}
		}
		if len(files) == 0 {
			return nil, &FileError{File: p, What: "nothing is there", Err: ErrMissing, Hint: "check `path:` of the source; relative paths start at the folder of the configuration (" + base + ")"}
		}
		for _, f := range files {
			info, err := os.Stat(f)
			if err != nil {
				return nil, &FileError{File: f, What: "cannot be read", Err: err}
			}
			canonical := f
			if r, err := filepath.Rel(base, f); err == nil && !strings.HasPrefix(r, "..") {
				canonical = r
			}
			canonical = filepath.ToSlash(canonical)
			found[canonical] = Object{URL: f, Path: canonical, Size: info.Size(), ModTime: info.ModTime()}
		}
	}
	objects := make([]Object, 0, len(found))
	for _, o := range found {
		objects = append(objects, o)
	}
	slices.SortFunc(objects, func(a, b Object) int { return strings.Compare(a.Path, b.Path) })
	return objects, nil
}

// match expands one pattern to files.
func match(base, pattern string) ([]string, error) {
	if strings.Contains(pattern, "://") {
		return nil, fmt.Errorf("%s is no address this version can read: give local paths", pattern[:strings.Index(pattern, "://")+3])
	}
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
