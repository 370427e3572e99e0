package store

import (
	"errors"
	"io/fs"
	"os"
	"sync"
)

// unsynced are the folders in which names have been made that may not be on the disk yet.
// They are synced together, because the file system writes what has changed in all of them
// when it is asked for one, and the others then cost next to nothing.
type unsynced struct {
	mu   sync.Mutex
	dirs map[string]struct{}
}

// add notes that a name has been made in a folder.
func (u *unsynced) add(dir string) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.dirs == nil {
		u.dirs = make(map[string]struct{})
	}
	u.dirs[dir] = struct{}{}
}

// sync returns once every name made before the call is on the disk. Callers at the same
// time wait for each other: what one is syncing another may rely on.
func (u *unsynced) sync() error {
	u.mu.Lock()
	defer u.mu.Unlock()
	for dir := range u.dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
		delete(u.dirs, dir)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) { // another process has removed it, being empty
		return nil
	}
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
