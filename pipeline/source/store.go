package source

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"sync"
	"time"

	"cloud.google.com/go/storage"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob"
	_ "gocloud.dev/blob/gcsblob" // gs://
	_ "gocloud.dev/blob/memblob" // mem://
	_ "gocloud.dev/blob/s3blob"  // s3://
	"gocloud.dev/gcerrors"
)

// Stores are the places that inputs come from: the local file system and the buckets
// opened so far. Objects of a bucket can be read until Close. Credentials come from the
// environment of the process, as the cloud's own tools find them; never from a URL.
type Stores struct {
	mu      sync.Mutex
	buckets map[string]*blob.Bucket // by scheme://bucket?options
}

// Close gives the buckets back.
func (s *Stores) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	for _, b := range s.buckets {
		err = errors.Join(err, b.Close())
	}
	s.buckets = nil
	return err
}

// Add makes a bucket known under an address such as mem://name. Stores closes it.
func (s *Stores) Add(address string, b *blob.Bucket) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.buckets == nil {
		s.buckets = map[string]*blob.Bucket{}
	}
	s.buckets[address] = b
}

// bucket opens the bucket of an address, once.
func (s *Stores) bucket(ctx context.Context, address string) (*blob.Bucket, error) {
	s.mu.Lock()
	b := s.buckets[address]
	s.mu.Unlock()
	if b != nil {
		return b, nil
	}
	open := address
	if strings.HasPrefix(address, "s3://") && !strings.Contains(address, "response_checksum_validation") {
		// A part of an object has no checksum; by default the SDK warns of it at each read.
		open += map[bool]string{true: "&", false: "?"}[strings.Contains(address, "?")] + "response_checksum_validation=when_required"
	}
	b, err := blob.OpenBucket(ctx, open)
	if err != nil {
		return nil, err
	}
	var gcs *storage.Client
	if b.As(&gcs) { // by itself it would try a dead connection for ever
		gcs.SetRetry(storage.WithMaxAttempts(maxAttempts))
	}
	s.Add(address, b)
	return b, nil
}

// maxAttempts is how often a request to a store is tried before the run gives up.
const maxAttempts = 5

// address is a URL of an object store, taken apart.
type address struct {
	bucket string // scheme://bucket?options, as blob.OpenBucket wants it
	shown  string // scheme://bucket
	key    string // key, prefix or pattern
}

// parseAddress splits scheme://bucket/key?options. The key is taken as it is written.
func parseAddress(url string) (address, error) {
	scheme, rest, _ := strings.Cut(url, "://")
	rest, options, _ := strings.Cut(rest, "?")
	bucket, key, _ := strings.Cut(rest, "/")
	switch scheme {
	case "s3", "gs", "mem":
	default:
		return address{}, fmt.Errorf("%s:// is no place this version can read: give a local path, s3://, gs:// or file://", scheme)
	}
	if bucket == "" {
		return address{}, fmt.Errorf("the bucket is missing: write %s://BUCKET/KEY", scheme)
	}
	for o := range strings.SplitSeq(options, "&") {
		name, _, _ := strings.Cut(o, "=")
		if n := strings.ToLower(name); strings.Contains(n, "secret") || strings.Contains(n, "token") || strings.Contains(n, "password") || strings.Contains(n, "key_id") || n == "accesskey" {
			return address{}, fmt.Errorf("option %s looks like a credential; credentials come from the environment, as the cloud's own tools read them", name)
		}
	}
	a := address{bucket: scheme + "://" + bucket, shown: scheme + "://" + bucket, key: key}
	if options != "" {
		a.bucket += "?" + options
	}
	return a, nil
}

// versionOf is what the store says of an object's content: its generation or entity tag.
func versionOf(o *blob.ListObject) string {
	var aws types.Object
	var gcs storage.ObjectAttrs
	switch {
	case o.As(&gcs):
		return fmt.Sprintf("generation:%d", gcs.Generation)
	case o.As(&aws) && aws.ETag != nil:
		return "etag:" + strings.Trim(*aws.ETag, `"`)
	case len(o.MD5) > 0:
		return "md5:" + hex.EncodeToString(o.MD5)
	}
	return ""
}

// Stored returns the object's bytes from the start, as they are stored.
func (o Object) Stored(ctx context.Context) (io.ReadCloser, error) { return o.open(ctx) }

// open returns the object's bytes from the start, as they are stored.
func (o Object) open(ctx context.Context) (io.ReadCloser, error) {
	if o.bucket != nil {
		return &objectReader{ctx: ctx, o: o}, nil
	}
	f, err := os.Open(o.URL)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = ErrMissing
		}
		return nil, &FileError{File: o.Path, What: "cannot be opened", Err: err}
	}
	return f, nil
}

// readerAt returns the object's bytes for reading at any place, and their number.
func (o Object) readerAt(ctx context.Context) (io.ReaderAt, io.Closer, int64, error) {
	if o.bucket != nil {
		return objectAt{ctx, o}, io.NopCloser(nil), o.Size, nil
	}
	f, err := os.Open(o.URL)
	if err != nil {
		return nil, nil, 0, &FileError{File: o.Path, What: "cannot be opened", Err: err}
	}
	info, err := f.Stat()
	if err != nil {
		f.Close()
		return nil, nil, 0, &FileError{File: o.Path, What: "cannot be read", Err: err}
	}
	return f, f, info.Size(), nil
}

// Unchanged fails where a local file is no longer what it was when it was listed, by its size
// and the time of its last change. Of an object of a bucket every read makes sure of it.
func (o Object) Unchanged() error {
	if o.bucket != nil || o.ModTime.IsZero() {
		return nil
	}
	info, err := os.Stat(o.URL)
	if err == nil && info.Size() == o.Size && info.ModTime().Equal(o.ModTime) {
		return nil
	}
	return o.replaced()
}

func (o Object) replaced() error {
	return &FileError{File: o.Path, What: "was replaced while it was being read", Hint: "run again when the export has ended; nothing was changed"}
}

// at opens length bytes of the object from an offset on, and makes sure that it is still
// the object that was listed.
func (o Object) at(ctx context.Context, offset, length int64) (*blob.Reader, error) {
	r, err := o.bucket.NewRangeReader(ctx, o.key, offset, length, nil)
	if err != nil {
		return nil, storeError(o.Path, "cannot be read", err)
	}
	if r.Size() != o.Size || !r.ModTime().Truncate(time.Second).Equal(o.ModTime.Truncate(time.Second)) {
		r.Close()
		return nil, o.replaced()
	}
	return r, nil
}

// objectReader reads an object of a bucket once through. A connection that breaks is
// taken up again where it broke.
type objectReader struct {
	ctx    context.Context
	o      Object
	at     int64
	failed int // attempts since bytes last came
	r      *blob.Reader
}

func (r *objectReader) Read(p []byte) (int, error) {
	for {
		if r.at >= r.o.Size {
			return 0, io.EOF
		}
		var n int
		var err error
		if r.r == nil {
			r.r, err = r.o.at(r.ctx, r.at, -1)
		}
		if err == nil {
			n, err = r.r.Read(p)
			r.at += int64(n)
		}
		if n > 0 {
			r.failed = 0
		}
		if err == nil || n > 0 && r.at < r.o.Size {
			if err != nil {
				r.drop()
			}
			return n, nil
		}
		if errors.Is(err, io.EOF) && r.at >= r.o.Size {
			return n, io.EOF
		}
		r.drop()
		if r.failed++; r.failed >= maxAttempts || !transient(err) {
			return n, brokenOff(r.o, err)
		}
		if err := pause(r.ctx, r.failed); err != nil {
			return n, err
		}
	}
}

func (r *objectReader) drop() {
	if r.r != nil {
		r.r.Close()
		r.r = nil
	}
}

func (r *objectReader) Close() error {
	r.drop()
	return nil
}

// objectAt reads parts of an object of a bucket.
type objectAt struct {
	ctx context.Context
	o   Object
}

func (a objectAt) ReadAt(p []byte, off int64) (int, error) {
	if off >= a.o.Size {
		return 0, io.EOF
	}
	want := min(int64(len(p)), a.o.Size-off)
	var n int64
	for failed := 0; ; {
		r, err := a.o.at(a.ctx, off+n, want-n)
		if err == nil {
			var k int
			k, err = io.ReadFull(r, p[n:want])
			r.Close()
			if n += int64(k); k > 0 {
				failed = 0
			}
		}
		if n == want {
			break
		}
		if failed++; failed >= maxAttempts || !transient(err) {
			return int(n), brokenOff(a.o, err)
		}
		if err := pause(a.ctx, failed); err != nil {
			return int(n), err
		}
	}
	if want < int64(len(p)) {
		return int(n), io.EOF
	}
	return int(n), nil
}

// transient says whether another attempt may help: what the store answered with a clear
// refusal will not change.
func transient(err error) bool {
	var fe *FileError
	if errors.As(err, &fe) && fe.Err == nil { // replaced
		return false
	}
	switch gcerrors.Code(errors.Unwrap(err)) {
	case gcerrors.NotFound, gcerrors.PermissionDenied, gcerrors.InvalidArgument, gcerrors.FailedPrecondition, gcerrors.Unimplemented:
		return false
	}
	return !errors.Is(err, context.Canceled)
}

// pause waits before the next attempt: 0.2 s, 0.4 s, 0.8 s …
func pause(ctx context.Context, failed int) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond << failed):
		return nil
	}
}

func brokenOff(o Object, err error) error {
	var fe *FileError
	if errors.As(err, &fe) {
		return err
	}
	return &FileError{File: o.Path, What: "the connection broke off, also when tried again", Err: err, Hint: "run again; nothing was changed"}
}

// storeError is the error of a request that a store has refused.
func storeError(name, what string, err error) error {
	fe := &FileError{File: name, What: what, Err: err}
	switch gcerrors.Code(err) {
	case gcerrors.NotFound:
		fe.What, fe.Err, fe.Hint = "nothing is there", ErrMissing, "check the bucket and the key in `path:` of the source"
	case gcerrors.PermissionDenied:
		fe.Hint = "the credentials in the environment may not list or read here"
	default:
		fe.Hint = "check the network, the endpoint and region in the address, and the credentials in the environment"
	}
	return fe
}
