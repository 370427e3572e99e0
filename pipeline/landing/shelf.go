package landing

import (
	"context"
	"fmt"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline/store"
)

// shelf is a folder of objects that are never changed, by key. A key may have several
// objects of the same content, which gc makes necessary: it marks an object that nothing
// refers to, and removes it a day later. From the mark on no run relies on the object any
// more; one that needs its content writes it anew under the next name. So no run ever
// loses what it counts on, however long it or gc is stopped in between.
//
//	<key>.json or <key>     the first object of a key
//	<key>.2.json …          the next one, written because the first was marked
//	<name>.unused-<unix>    the mark of an object, with the time at which it was set
type shelf struct {
	s      store.Store
	dir    string // with the slash at its end
	suffix string
	keys   map[string][]string  // names of the objects of a key
	marks  map[string]time.Time // by name
	list   []store.Object       // without marks
}

const markedBy = ".unused-"

func listShelf(ctx context.Context, s store.Store, dir, suffix string) (*shelf, error) {
	objects, err := s.List(ctx, dir)
	if err != nil {
		return nil, err
	}
	h := &shelf{s: s, dir: dir, suffix: suffix, keys: map[string][]string{}, marks: map[string]time.Time{}}
	for _, o := range objects {
		if name, at, is := strings.Cut(o.Name, markedBy); is {
			if unix, err := strconv.ParseInt(at, 10, 64); err == nil {
				h.marks[name] = time.Unix(unix, 0)
			}
			continue
		}
		h.put(o.Name)
		h.list = append(h.list, o)
	}
	return h, nil
}

func (h *shelf) put(name string) {
	key := keyOf(name)
	h.keys[key] = append(h.keys[key], name)
}

// keyOf is the key of an object's name.
func keyOf(name string) string {
	key, _, _ := strings.Cut(path.Base(name), ".")
	return key
}

// usable is an object of a key that a run may rely on, empty when there is none.
func (h *shelf) usable(key string) string {
	for _, name := range h.keys[key] {
		if _, marked := h.marks[name]; !marked {
			return name
		}
	}
	return ""
}

// any is an object of a key for somebody who only reads, marked or not.
func (h *shelf) any(key string) string {
	if name := h.usable(key); name != "" || len(h.keys[key]) == 0 {
		return name
	}
	return h.keys[key][0]
}

// fresh is the name for another object of a key.
func (h *shelf) fresh(key string) string {
	for n := 1; ; n++ {
		name := h.dir + key + h.suffix
		if n > 1 {
			name = fmt.Sprintf("%s%s.%d%s", h.dir, key, n, h.suffix)
		}
		if _, marked := h.marks[name]; !marked {
			return name
		}
	}
}

func markName(name string, at time.Time) string {
	return name + markedBy + strconv.FormatInt(at.Unix(), 10)
}
