package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/cohortline/cohortline/pipeline/source"
)

// bucket is a store below a prefix of a bucket.
type bucket struct {
	b       *blob.Bucket
	prefix  string // empty, or ends at a slash
	address string // without
	options string // what stood behind a question mark
	close   func() error
}

func openBucket(ctx context.Context, address string) (*bucket, error) {
	stores := &source.Stores{}
	b, prefix, err := stores.Bucket(ctx, address)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("output %s cannot be opened: %w", address, err), stores.Close())
	}
	return newBucket(b, prefix, address, stores.Close), nil
}

// NewBucket is a store below a prefix of an open bucket, which whoever opened it closes.
func NewBucket(b *blob.Bucket, prefix, address string) Store {
	return newBucket(b, prefix, address, func() error { return nil })
}

func newBucket(b *blob.Bucket, prefix, address string, close func() error) *bucket {
	if prefix = strings.Trim(prefix, "/"); prefix != "" {
		prefix += "/"
	}
	address, options, _ := strings.Cut(address, "?")
	if options != "" {
		options = "?" + options
	}
	return &bucket{b, prefix, strings.TrimSuffix(address, "/"), options, close}
}

func (s *bucket) Path(name string) string {
	if name == "" {
		return s.address + s.options
	}
	return s.address + "/" + name + s.options
}

func (s *bucket) Local() bool { return false }

func (s *bucket) Close() error { return s.close() }

func (s *bucket) Create(ctx context.Context, name string) (io.WriteCloser, error) {
	w, err := s.b.NewWriter(ctx, s.prefix+name, &blob.WriterOptions{ContentType: "application/octet-stream"})
	if err != nil {
		return nil, s.failed(name, "cannot be written", err)
	}
	return &bucketWriter{w, s, name}, nil
}

type bucketWriter struct {
	*blob.Writer
	s    *bucket
	name string
}

func (w *bucketWriter) Close() error {
	return w.s.failed(w.name, "cannot be written", w.Writer.Close())
}

func (s *bucket) Put(ctx context.Context, name string, data []byte) error {
	return s.failed(name, "cannot be written", s.b.WriteAll(ctx, s.prefix+name, data, &blob.WriterOptions{ContentType: "application/json"}))
}

func (s *bucket) PutNew(ctx context.Context, name string, data []byte) error {
	err := s.b.WriteAll(ctx, s.prefix+name, data, &blob.WriterOptions{ContentType: "application/json", IfNotExist: true})
	if gcerrors.Code(err) == gcerrors.FailedPrecondition {
		return ErrExists
	}
	return s.failed(name, "cannot be written", err)
}

func (s *bucket) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	r, err := s.b.NewReader(ctx, s.prefix+name, nil)
	if err != nil {
		return nil, s.failed(name, "cannot be read", err)
	}
	return r, nil
}

func (s *bucket) Input(ctx context.Context, name string) (source.Object, error) {
	o, err := source.InBucket(ctx, s.b, s.prefix+name, s.address+"/"+name)
	return o, s.failed(name, "cannot be read", err)
}

func (s *bucket) List(ctx context.Context, prefix string) ([]Object, error) {
	var list []Object
	for it := s.b.List(&blob.ListOptions{Prefix: s.prefix + prefix}); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, s.failed(prefix, "cannot be listed", err)
		}
		if !strings.HasSuffix(o.Key, "/") {
			list = append(list, Object{strings.TrimPrefix(o.Key, s.prefix), o.Size, o.ModTime})
		}
	}
	slices.SortFunc(list, func(a, b Object) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}

// Leftovers of a bucket are uploads that were not completed; the bucket's own life cycle
// rules remove them.
func (s *bucket) Leftovers(context.Context) ([]Object, error) { return nil, nil }

func (s *bucket) Copy(ctx context.Context, from, to string) error {
	return s.failed(from, "cannot be copied", s.b.Copy(ctx, s.prefix+to, s.prefix+from, nil))
}

func (s *bucket) Remove(ctx context.Context, name string) error {
	err := s.b.Delete(ctx, s.prefix+name)
	if gcerrors.Code(err) == gcerrors.NotFound {
		return nil
	}
	return s.failed(name, "cannot be removed", err)
}

// Hold marks nothing: no store knows when a process is gone. Leases end by their time.
func (s *bucket) Hold(context.Context, string) (func(), error) { return func() {}, nil }

func (s *bucket) Holder(context.Context, string) (Holder, error) { return Unknown, nil }

// failed adds what and where to an error of the store.
func (s *bucket) failed(name, what string, err error) error {
	switch {
	case err == nil:
		return nil
	case gcerrors.Code(err) == gcerrors.NotFound:
		return fmt.Errorf("%s: %w", s.Path(name), ErrNotExist)
	case gcerrors.Code(err) == gcerrors.PermissionDenied:
		return fmt.Errorf("%s %s: %w\nthe credentials in the environment may not do this here", s.Path(name), what, err)
	}
	return fmt.Errorf("%s %s: %w", s.Path(name), what, err)
}
