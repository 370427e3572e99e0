package main

import (
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/cohortline/cohortline/transforms/ltv"
)

// Size of the plot in SVG units, and colours that are told apart in print and by the colour-blind.
const (
	svgWidth, svgHeight = 900.0, 620.0
	svgLeft, svgRight   = 64.0, 20.0
	svgPanel            = 220.0
	svgCame             = "#1b7f79"
	svgExpected         = "#d1495b"
	svgText             = "#24292f"
	svgFaint            = "#57606a"
)

// svg draws the repeat purchases by week: in each week above, summed up below.
func (m *comparison) svg(w io.Writer) error {
	best, ok := m.origins[0].choice.Chosen()
	if !ok || len(m.tracking.Actual) < 2 {
		return fmt.Errorf("%d weeks of history, too few to draw", len(m.tracking.Actual))
	}
	var b strings.Builder
	title := fmt.Sprintf("Repeat purchases by week of %s customers, and what %s expects", thousands(int64(m.origins[0].backtests[0].Customers)), best.Candidate.Title)
	fmt.Fprintf(&b, "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" font-family=\"system-ui,Segoe UI,Helvetica,Arial,sans-serif\" font-size=\"12\" role=\"img\">\n<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" rx=\"6\" fill=\"#ffffff\"/>\n",
		svgWidth, svgHeight, svgWidth, svgHeight, html.EscapeString(title))
	fmt.Fprintf(&b, "<text x=\"%.0f\" y=\"30\" font-size=\"16\" font-weight=\"600\" fill=\"%s\">%s</text>\n", svgLeft, svgText, html.EscapeString(title))
	fmt.Fprintf(&b, "<circle cx=\"%.0f\" cy=\"50\" r=\"3\" fill=\"%s\"/><text x=\"%.0f\" y=\"54\" fill=\"%s\">came</text>\n", svgLeft+5, svgCame, svgLeft+14, svgText)
	fmt.Fprintf(&b, "<path d=\"M%.0f 50h22\" stroke=\"%s\" stroke-width=\"2.5\"/><text x=\"%.0f\" y=\"54\" fill=\"%s\">expected from the first purchases alone, by %s fitted until %s</text>\n",
		svgLeft+60, svgExpected, svgLeft+88, svgText, html.EscapeString(best.Candidate.Title), date(m.origins[0].day))
	m.svgPanel(&b, 78, "in the week", m.tracking.Actual, m.tracking.Expected, false)
	m.svgPanel(&b, 78+svgPanel+52, "summed up", ltv.Cumulative(m.tracking.Actual), ltv.Cumulative(m.tracking.Expected), true)
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// svgPanel draws one of the two, from y down.
func (m *comparison) svgPanel(b *strings.Builder, y float64, name string, actual, expected []float64, joined bool) {
	n := len(actual)
	step := max(1, niceStep(max(slices.Max(actual), slices.Max(expected), 1)/4))
	top := step * math.Ceil(max(slices.Max(actual), slices.Max(expected), 1)/step)
	wide := svgWidth - svgLeft - svgRight
	at := func(week float64) float64 { return svgLeft + wide*(week-1)/float64(n-1) }
	high := func(v float64) float64 { return y + svgPanel*(1-v/top) }
	if known := m.knownWeeks(); known > 0 && known < n {
		x := at(float64(known) + .5)
		fmt.Fprintf(b, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"#f0f3f6\"/>\n<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">held out</text>\n",
			x, y, svgLeft+wide-x, svgPanel, x+8, y+16, svgFaint)
	}
	for v := 0.0; v <= top+step/2; v += step {
		fmt.Fprintf(b, "<path d=\"M%.1f %.1fH%.1f\" stroke=\"#d0d7de\" stroke-width=\"1\"/><text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\" fill=\"%s\">%s</text>\n",
			svgLeft, high(v), svgLeft+wide, svgLeft-8, high(v)+4, svgFaint, thousands(int64(v)))
	}
	every := max(1, niceStep(float64(n)/12))
	for week := every; week <= float64(n); week += every {
		fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\" fill=\"%s\">%.0f</text>\n", at(week), y+svgPanel+17, svgFaint, week)
	}
	fmt.Fprintf(b, "<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\">week</text>\n<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" font-weight=\"600\">%s</text>\n",
		svgLeft-40, y+svgPanel+17, svgFaint, svgLeft+8, y+16, svgText, name)
	fmt.Fprintf(b, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>\n", svgPath(expected, at, high), svgExpected)
	if joined {
		fmt.Fprintf(b, "<path d=\"%s\" fill=\"none\" stroke=\"%s\" stroke-width=\"1\" stroke-opacity=\"0.6\"/>\n", svgPath(actual, at, high), svgCame)
	}
	for i, v := range actual {
		fmt.Fprintf(b, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"2.6\" fill=\"%s\"/>\n", at(float64(i+1)), high(v), svgCame)
	}
}

func svgPath(values []float64, at, high func(float64) float64) string {
	var b strings.Builder
	for i, v := range values {
		fmt.Fprintf(&b, "%c%.1f %.1f", "ML"[min(i, 1)], at(float64(i+1)), high(v))
	}
	return b.String()
}

// niceStep is the least of 1, 2 and 5 times a power of ten that is not below v.
func niceStep(v float64) float64 {
	power := math.Pow(10, math.Floor(math.Log10(v)))
	for _, f := range []float64{1, 2, 5} {
		if f*power >= v {
			return f * power
		}
	}
	return 10 * power
}
