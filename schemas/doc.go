// Package schemas says what the data is: the canonical tables that come in, the
// tables that go out, and the value types they are made of (exact money, status,
// columns of strings). It imports nothing else of this module; every other
// package builds on the words defined here.
package schemas
