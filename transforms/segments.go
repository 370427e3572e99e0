package transforms

import (
	"cmp"
	"slices"
	"strings"
)

// segmented holds counts by dimension and code of the segment, nil for a segment without
// a customer; the only dimension is everybody's where none is configured.
type segmented[T any] [][]*T

func newSegmented[T any](s Settings) segmented[T] { return make([][]*T, max(1, len(s.Dimensions))) }

// at is the counts of a segment.
func (t segmented[T]) at(d int, segment uint32) *T {
	for int(segment) >= len(t[d]) {
		t[d] = append(t[d], nil)
	}
	c := &t[d][segment]
	if *c == nil {
		*c = new(T)
	}
	return *c
}

// merge adds the counts that another worker has gathered.
func (t segmented[T]) merge(o segmented[T], add func(to, from *T)) {
	for d := range o {
		for segment, from := range o[d] {
			if from != nil {
				add(t.at(d, uint32(segment)), from)
			}
		}
	}
}

// namedSegment is a segment with its names.
type namedSegment[T any] struct {
	dimension, segment string
	counts             *T
}

// sortedSegments lists segments by (dimension, segment), bytewise, with the one that
// holds everybody. Each customer is in one segment of every dimension, so everybody's
// counts are the sums over the first dimension's.
func sortedSegments[T any](t segmented[T], s *Settings, segments [][]string, add func(to, from *T)) []namedSegment[T] {
	var list []namedSegment[T]
	everybody := new(T)
	for d := range t {
		for code, c := range t[d] {
			if c == nil {
				continue
			}
			if d == 0 {
				add(everybody, c)
			}
			if len(s.Dimensions) > 0 {
				list = append(list, namedSegment[T]{s.dimension(d + 1), segmentName(segments, d+1, uint32(code)), c})
			}
		}
	}
	if len(t[0]) > 0 {
		list = append(list, namedSegment[T]{all, all, everybody})
	}
	slices.SortFunc(list, func(a, b namedSegment[T]) int {
		return cmp.Or(strings.Compare(a.dimension, b.dimension), strings.Compare(a.segment, b.segment))
	})
	return list
}
