package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// cohortRow is what the pictures need of a row of cohort_retention or cohort_ltv.
type cohortRow struct {
	cohort    string
	age       int
	customers int64
	value     float64 // a share or an amount per customer
	defined   bool
	complete  bool
}

// palette is a ramp of 256-colour backgrounds from pale to deep, with a readable
// foreground for each.
var palette = []struct{ back, fore int }{
	{255, 16}, {195, 16}, {159, 16}, {123, 16}, {87, 16}, {81, 16}, {75, 16}, {69, 231}, {63, 231}, {57, 231}, {56, 231}, {55, 231},
}

// heatMap draws cohorts as rows and ages as columns. Age 0 is the reference and stays
// uncoloured; the other cells are coloured by their place between 0 and the highest.
// Cells of a period that has not ended are marked with a star.
func heatMap(w io.Writer, rows []cohortRow, width int, colour bool, format func(float64) string) error {
	type line struct {
		cohort    string
		customers int64
		cells     map[int]cohortRow
	}
	var lines []*line
	byCohort := map[string]*line{}
	top, last := 0.0, 0
	for _, r := range rows {
		l := byCohort[r.cohort]
		if l == nil {
			l = &line{cohort: r.cohort, customers: r.customers, cells: map[int]cohortRow{}}
			byCohort[r.cohort] = l
			lines = append(lines, l)
		}
		l.cells[r.age] = r
		last = max(last, r.age)
		if r.age > 0 && r.defined {
			top = max(top, r.value)
		}
	}
	slices.SortFunc(lines, func(a, b *line) int { return strings.Compare(a.cohort, b.cohort) })
	cell := 7
	shown := min(last, max(1, (width-23)/cell-1))
	var b strings.Builder
	fmt.Fprintf(&b, "%-10s %9s ", "cohort", "customers")
	for age := 0; age <= shown; age++ {
		fmt.Fprintf(&b, "%*d ", cell-1, age) // the last place is that of the star
	}
	b.WriteString("\n")
	partial := false
	for _, l := range lines {
		fmt.Fprintf(&b, "%-10s %9d ", l.cohort, l.customers)
		for age := 0; age <= shown; age++ {
			c, ok := l.cells[age]
			if !ok || !c.defined {
				b.WriteString(strings.Repeat(" ", cell))
				continue
			}
			mark := " "
			if !c.complete {
				mark, partial = "*", true
			}
			text := fmt.Sprintf("%*s%s", cell-1, format(c.value), mark)
			if colour && age > 0 && top > 0 {
				p := palette[min(len(palette)-1, int(c.value/top*float64(len(palette))))]
				text = fmt.Sprintf("\x1b[48;5;%dm\x1b[38;5;%dm%s\x1b[0m", p.back, p.fore, text)
			}
			b.WriteString(text)
		}
		b.WriteString("\n")
	}
	if shown < last {
		fmt.Fprintf(&b, "… ages %d to %d do not fit; widen the terminal or use --output csv\n", shown+1, last)
	}
	if partial {
		b.WriteString("* the period has not ended at the as-of instant\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}
