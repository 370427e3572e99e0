package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// point is one point of a curve.
type point struct {
	x int
	y float64
}

// Size of a curve in characters; each has two columns of four dots.
const (
	curveHeight = 12
	curveMargin = 9 // of the labels on the left
)

// canvas is a picture made of Braille characters.
type canvas struct {
	width, height int // characters
	dots          []rune
}

func newCanvas(width, height int) *canvas {
	return &canvas{width, height, make([]rune, width*height)}
}

// brailleDots are the bits of the dots of a character, by row and column.
var brailleDots = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// set makes the dot at column x and row y from below.
func (c *canvas) set(x, y int) {
	row := 4*c.height - 1 - y
	if x < 0 || x >= 2*c.width || row < 0 || row >= 4*c.height {
		return
	}
	c.dots[row/4*c.width+x/2] |= brailleDots[row%4][x%2]
}

// line joins two dots.
func (c *canvas) line(x0, y0, x1, y1 int) {
	steps := max(abs(x1-x0), abs(y1-y0), 1)
	for i := range steps + 1 {
		t := float64(i) / float64(steps)
		c.set(x0+int(math.Round(t*float64(x1-x0))), y0+int(math.Round(t*float64(y1-y0))))
	}
}

func abs(n int) int { return max(n, -n) }

// row is one line of characters, from above.
func (c *canvas) row(i int) string {
	var b strings.Builder
	for _, d := range c.dots[i*c.width : (i+1)*c.width] {
		if d == 0 {
			b.WriteByte(' ')
		} else {
			b.WriteRune(0x2800 + d)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

// curve draws y over x as a line, with the scale of both. The vertical axis begins at 0.
func curve(w io.Writer, points []point, axis string, width int, format func(float64) string) error {
	if len(points) == 0 {
		_, err := fmt.Fprintf(w, "no %s to draw\n", axis)
		return err
	}
	columns := max(10, min(width-curveMargin-3, 100))
	top := 0.0
	for _, p := range points {
		top = max(top, p.y)
	}
	if top == 0 {
		top = 1
	}
	first, last := points[0].x, points[len(points)-1].x
	c := newCanvas(columns, curveHeight)
	place := func(p point) (int, int) {
		return (p.x - first) * (2*columns - 1) / max(1, last-first), int(math.Round(p.y / top * (4*curveHeight - 1)))
	}
	x0, y0 := place(points[0])
	for _, p := range points {
		x1, y1 := place(p)
		c.line(x0, y0, x1, y1)
		x0, y0 = x1, y1
	}
	var b strings.Builder
	for row := range curveHeight {
		label := ""
		if row == 0 || row == curveHeight-1 || row == curveHeight/2 {
			label = format(top * float64(curveHeight-1-row) / float64(curveHeight-1))
		}
		fmt.Fprintf(&b, "%*s ┤%s\n", curveMargin, label, c.row(row))
	}
	fmt.Fprintf(&b, "%*s └%s\n", curveMargin, "", strings.Repeat("─", columns))
	from, to := fmt.Sprint(first), fmt.Sprint(last)
	gap := max(1, columns-len(from)-len(to)-len(axis))
	fmt.Fprintf(&b, "%*s  %s%s%s%s%s\n", curveMargin, "", from, strings.Repeat(" ", gap/2), axis, strings.Repeat(" ", gap-gap/2), to)
	_, err := io.WriteString(w, b.String())
	return err
}
