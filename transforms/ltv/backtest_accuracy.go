package ltv

import (
	"cmp"
	"math"
	"slices"
)

// Accuracy compares what was predicted of each customer with what came.
type Accuracy struct {
	Predicted, Actual float64 // totals
	MAE, RMSE         float64 // mean absolute and root mean squared error of a customer
	Bias              float64 // mean of predicted less actual
	// Gini says how well the customers are ranked: the Gini coefficient of what came, with
	// customers in the order of the prediction, over the one with customers in the order of
	// what came. 1: perfect; 0: no better than chance, also when all did the same.
	Gini float64
	// Coverage is the share of customers within their interval, bounds included. Counts are
	// whole, so that intervals hold somewhat more than their probability.
	Coverage float64
	// Deciles are ten groups of equally many customers, from the lowest prediction to the
	// highest; of fewer than ten customers as many groups.
	Deciles []Decile
}

// Decile is a group of customers with similar predictions. Totals are shared evenly among
// customers of equal prediction, so that they do not depend on the order of customers.
type Decile struct{ Customers, Predicted, Actual float64 }

// comparison collects predictions and what came.
type comparison struct {
	pairs   []pair
	covered int
}

type pair struct{ predicted, actual float64 }

func newComparison(n int) *comparison { return &comparison{pairs: make([]pair, 0, n)} }

func (c *comparison) add(predicted, actual, low, high float64) {
	c.pairs = append(c.pairs, pair{predicted, actual})
	if low <= actual && actual <= high {
		c.covered++
	}
}

// accuracy sorts what was collected, so that sums do not depend on the order of customers.
func (c *comparison) accuracy() *Accuracy {
	a := new(Accuracy)
	n := float64(len(c.pairs))
	if n == 0 {
		return a
	}
	byActual := func(p, q pair) int { return cmp.Compare(p.actual, q.actual) }
	slices.SortFunc(c.pairs, byActual)
	perfect := c.gini(func(p pair) float64 { return p.actual })
	slices.SortFunc(c.pairs, func(p, q pair) int { return cmp.Or(cmp.Compare(p.predicted, q.predicted), byActual(p, q)) })
	var squares float64
	for _, p := range c.pairs {
		d := p.predicted - p.actual
		a.Predicted += p.predicted
		a.Actual += p.actual
		a.MAE += math.Abs(d)
		squares += d * d
	}
	a.MAE /= n
	a.RMSE = math.Sqrt(squares / n)
	a.Bias = (a.Predicted - a.Actual) / n
	a.Coverage = float64(c.covered) / n
	if perfect > 0 {
		a.Gini = c.gini(func(p pair) float64 { return p.predicted }) / perfect
	}
	a.Deciles = c.deciles()
	return a
}

// gini is the area between the diagonal and the curve of what came over customers sorted
// by a key, times n and the total; customers of equal key share what came evenly.
func (c *comparison) gini(key func(pair) float64) float64 {
	n := float64(len(c.pairs))
	var total, before, area float64
	for _, p := range c.pairs {
		total += p.actual
	}
	c.ties(key, func(from, to int, _, actual float64) {
		count := float64(to - from)
		middle := float64(from) + count/2
		area += count * (total*middle/n - before - actual/2)
		before += actual
	})
	return area
}

// ties calls for each range of pairs of equal key, with its sums.
func (c *comparison) ties(key func(pair) float64, do func(from, to int, predicted, actual float64)) {
	for from := 0; from < len(c.pairs); {
		to := from
		var predicted, actual float64
		for ; to < len(c.pairs) && key(c.pairs[to]) == key(c.pairs[from]); to++ {
			predicted += c.pairs[to].predicted
			actual += c.pairs[to].actual
		}
		do(from, to, predicted, actual)
		from = to
	}
}

// deciles cuts the pairs, sorted by prediction, in ten.
func (c *comparison) deciles() []Decile {
	n := len(c.pairs)
	groups := min(10, n)
	list := make([]Decile, groups)
	bound := func(g int) int { return g * n / groups }
	g := 0
	c.ties(func(p pair) float64 { return p.predicted }, func(from, to int, predicted, actual float64) {
		for at := from; at < to; {
			for at >= bound(g+1) {
				g++
			}
			end := min(to, bound(g+1))
			share := float64(end-at) / float64(to-from)
			list[g].Customers += float64(end - at)
			list[g].Predicted += share * predicted
			list[g].Actual += share * actual
			at = end
		}
	})
	return list
}
