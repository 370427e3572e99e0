package source

import (
	"context"

	"gocloud.dev/blob"
)

// Bucket opens the bucket of an address such as s3://bucket/prefix?options, and says which
// prefix the address names. It stays open until Close.
func (s *Stores) Bucket(ctx context.Context, address string) (b *blob.Bucket, prefix string, err error) {
	a, err := parseAddress(address)
	if err != nil {
		return nil, "", err
	}
	b, err = s.bucket(ctx, a.bucket)
	return b, a.key, err
}

// InBucket is the object at a key of an open bucket, by the name that people see.
func InBucket(ctx context.Context, b *blob.Bucket, key, shown string) (Object, error) {
	a, err := b.Attributes(ctx, key)
	if err != nil {
		return Object{}, err
	}
	return Object{URL: shown, Path: shown, Size: a.Size, ModTime: a.ModTime, bucket: b, key: key}, nil
}

// CheckAddress says what is wrong with the address of an object store, if anything is.
func CheckAddress(address string) error {
	_, err := parseAddress(address)
	return err
}
