// Package store is where outputs lie: a local folder, or a bucket of an object store.
// It knows bytes and names, nothing of tables. A name is a path below the output, with
// slashes. What has been written under a name is whole or not there: no reader ever sees
// half an object. Every store passes the suite in storetest.
package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline/source"
)

// Store holds objects by name. Its methods may be called by several goroutines at once.
type Store interface {
	// Create returns the writer of an object, which is there once Close has returned nil.
	// Cancel ctx before Close to give it up. That the object survives a power cut is sure
	// once Put or PutNew of a later object has returned, and before that one can be seen.
	Create(ctx context.Context, name string) (io.WriteCloser, error)
	// Put writes a small object, replacing the one of that name.
	Put(ctx context.Context, name string, data []byte) error
	// PutNew writes a small object unless the name is taken: then the error is ErrExists,
	// and of any number of writers at the same time only one succeeds. After another error
	// the object may be there or not.
	PutNew(ctx context.Context, name string, data []byte) error
	// Open reads an object; ErrNotExist says that there is none.
	Open(ctx context.Context, name string) (io.ReadCloser, error)
	// List lists the objects below a prefix that ends at a slash, by name.
	List(ctx context.Context, prefix string) ([]Object, error)
	// Leftovers lists what writers that have died, or are still at work, have begun to write.
	// They are no objects; Remove removes them.
	Leftovers(ctx context.Context) ([]Object, error)
	// Copy makes an object the content of another name as well, replacing what is there.
	Copy(ctx context.Context, from, to string) error
	// Remove deletes an object; to remove what is not there is no error.
	Remove(ctx context.Context, name string) error
	// Hold marks a name as held by this process until release is called or the process has
	// ended, however it ended.
	Hold(ctx context.Context, name string) (release func(), err error)
	// Holder says whether a process holds a name. A store that cannot know says Unknown.
	Holder(ctx context.Context, name string) (Holder, error)
	// Input is an object as readers of inputs take it.
	Input(ctx context.Context, name string) (source.Object, error)
	// Local says that objects are files of this machine, which reading costs little.
	Local() bool
	// Path is how people, and readers of inputs, name an object; an empty name is the store.
	Path(name string) string
	// Close gives back what the store has opened.
	Close() error
}

// Object is what a list says of an object.
type Object struct {
	Name     string
	Size     int64
	Modified time.Time
}

// Holder says whether somebody holds a name.
type Holder int

const (
	Unknown Holder = iota // this store cannot tell
	Nobody                // whoever held it has let go or is dead
	Somebody
)

var (
	// ErrExists is the error of PutNew for a name that is taken.
	ErrExists = errors.New("it is there already")
	// ErrNotExist is the error of Open for a name that nobody has written.
	ErrNotExist = errors.New("it is not there")
)

// FormatError says that an object was written by a newer version of the program.
type FormatError struct {
	Object  string
	Version int
}

func (e *FormatError) Error() string {
	return fmt.Sprintf("%s has format version %d, which this program does not know\nuse the version of cohortline that wrote it, or a newer one", e.Object, e.Version)
}

// CheckVersion is the error of an object whose format has another version than the known one.
func CheckVersion(s Store, name string, version, known int) error {
	if version != known {
		return &FormatError{s.Path(name), version}
	}
	return nil
}

// Read reads a small object whole.
func Read(ctx context.Context, s Store, name string) ([]byte, error) {
	r, err := s.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	return io.ReadAll(r)
}

// PutOnce is PutNew that knows a write whose answer was lost: the object is there with just
// these bytes.
func PutOnce(ctx context.Context, s Store, name string, data []byte) error {
	err := s.PutNew(ctx, name, data)
	if err == nil {
		return nil
	}
	if there, seen := Read(ctx, s, name); seen == nil && bytes.Equal(there, data) {
		return nil
	}
	return err
}

// Write makes an object of what fill writes. When fill fails, nothing is there.
func Write(ctx context.Context, s Store, name string, fill func(w io.Writer) error) error {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	w, err := s.Create(ctx, name)
	if err != nil {
		return err
	}
	if err := fill(w); err != nil {
		giveUp()
		_ = w.Close() // given up: its error says no more than that
		return err
	}
	return w.Close()
}

// Open opens the store at an address: a folder, which is made when something is written, or
// s3://bucket/prefix, gs://bucket/prefix. Credentials come from the environment of the
// process, as the cloud's own tools find them.
func Open(ctx context.Context, address string) (Store, error) {
	if strings.Contains(address, "://") {
		return opened(openBucket(ctx, address))
	}
	return opened(openFolder(address))
}

// opened is a store that has been opened; of one that has not it makes nil, so that callers
// see that there is nothing to close.
func opened[S Store](s S, err error) (Store, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Check says what is wrong with the address of a store, if anything is.
func Check(address string) error {
	if !strings.Contains(address, "://") || strings.HasPrefix(address, "file://") {
		return nil
	}
	return source.CheckAddress(address)
}
