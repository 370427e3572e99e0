// Command floor decodes the columns of Parquet orders that the benchmark's job needs, once
// and on all processors, and does nothing with them: no program that reads them with this
// library can take less time.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"

	"github.com/parquet-go/parquet-go"
)

// columns are those of cohortline's job, which shows margins: one more than its peers'.
var columns = []string{"order_id", "customer_id", "ordered_at", "updated_at", "status", "currency", "gross_amount", "discount_amount", "refund_amount", "cost_amount", "channel", "country"}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: floor FOLDER")
		os.Exit(2)
	}
	values, err := decode(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "floor:", err)
		os.Exit(1)
	}
	fmt.Println(values, "values")
}

// decode reads every row group of every file in a folder.
func decode(folder string) (int64, error) {
	names, err := filepath.Glob(filepath.Join(folder, "*.parquet"))
	if err != nil {
		return 0, err
	}
	var groups []parquet.RowGroup
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			return 0, err
		}
		defer f.Close()
		info, err := f.Stat()
		if err != nil {
			return 0, err
		}
		p, err := parquet.OpenFile(f, info.Size(), parquet.SkipBloomFilters(true), parquet.SkipPageIndex(true), parquet.ReadBufferSize(1<<18))
		if err != nil {
			return 0, fmt.Errorf("%s: %w", name, err)
		}
		groups = append(groups, p.RowGroups()...)
	}
	var next, values atomic.Int64
	var wg sync.WaitGroup
	failures := make([]error, runtime.GOMAXPROCS(0))
	for i := range failures {
		wg.Go(func() {
			for {
				k := int(next.Add(1)) - 1
				if k >= len(groups) || failures[i] != nil {
					return
				}
				n, err := group(groups[k])
				values.Add(n)
				failures[i] = err
			}
		})
	}
	wg.Wait()
	return values.Load(), errors.Join(failures...)
}

// group decodes the pages of a row group.
func group(g parquet.RowGroup) (values int64, err error) {
	for _, name := range columns {
		leaf, ok := g.Schema().Lookup(name)
		if !ok {
			continue
		}
		pages := g.ColumnChunks()[leaf.ColumnIndex].Pages()
		for {
			p, err := pages.ReadPage()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return values, errors.Join(err, pages.Close())
			}
			values += p.NumValues()
			parquet.Release(p)
		}
		if err := pages.Close(); err != nil {
			return values, err
		}
	}
	return values, nil
}
