package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// trackingPlot draws what came as points and what was expected as a line, week by week; what
// lies behind the known weeks is marked.
func trackingPlot(g *page, actual, expected []float64, known, width int) {
	if len(actual) < 2 {
		fmt.Fprintln(g, "less than two weeks: nothing to draw")
		return
	}
	columns := max(10, min(width-curveMargin-3, 100))
	top := max(slices.Max(actual), slices.Max(expected), 1)
	last := len(actual) - 1
	line := newCanvas(columns, curveHeight)
	dot := func(i int, y float64) (int, int) {
		return i * (2*columns - 1) / last, int(math.Round(y / top * (4*curveHeight - 1)))
	}
	x0, y0 := dot(0, expected[0])
	for i, v := range expected {
		x1, y1 := dot(i, v)
		line.line(x0, y0, x1, y1)
		x0, y0 = x1, y1
	}
	rows := make([][]rune, curveHeight)
	split := (known*(2*columns-1)/last + 1) / 2
	for i := range rows {
		rows[i] = []rune(line.row(i))
		for len(rows[i]) < columns {
			rows[i] = append(rows[i], ' ')
		}
		if known > 0 && known < len(actual) && rows[i][split] == ' ' {
			rows[i][split] = '┊'
		}
	}
	for i, v := range actual {
		x, y := dot(i, v)
		rows[curveHeight-1-y/4][x/2] = '•'
	}
	var b strings.Builder
	for i, row := range rows {
		label := ""
		if i == 0 || i == curveHeight/2 || i == curveHeight-1 {
			label = short(math.Round(top * float64(curveHeight-1-i) / (curveHeight - 1)))
		}
		fmt.Fprintf(&b, "%*s ┤%s\n", curveMargin, label, strings.TrimRight(string(row), " "))
	}
	fmt.Fprintf(&b, "%*s └%s\n", curveMargin, "", strings.Repeat("─", columns))
	to := fmt.Sprint(len(actual))
	gap := max(1, columns-1-len(to)-len("week"))
	fmt.Fprintf(&b, "%*s  1%sweek%s%s\n", curveMargin, "", strings.Repeat(" ", gap/2), strings.Repeat(" ", gap-gap/2), to)
	g.WriteString(b.String())
}
