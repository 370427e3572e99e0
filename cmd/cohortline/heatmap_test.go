package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"html"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the pictures in docs anew")

// TestPictureOfReadme draws docs/heat-map.svg from what the demo prints on a terminal, and
// holds the text of the README against it.
func TestPictureOfReadme(t *testing.T) {
	root := filepath.Join("..", "..")
	picture := filepath.Join(root, "docs", "heat-map.svg")
	colours, _ := demoPicture(t, map[string]string{"COLUMNS": "150", "CLICOLOR_FORCE": "1", "NO_COLOR": ""})
	got := svg(colours)
	if *update {
		if err := os.WriteFile(picture, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(picture)
	if err != nil || string(want) != got {
		t.Errorf("docs/heat-map.svg is not what the demo shows (%v): go test ./cmd/cohortline -run Picture -update", err)
	}
	if !strings.Contains(got, `fill="#5f00af"`) || strings.Contains(got, "\x1b") {
		t.Error("the picture has no colours")
	}
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	plain, forecast := demoPicture(t, map[string]string{"COLUMNS": "110", "CLICOLOR_FORCE": "", "NO_COLOR": "1"})
	if strings.Contains(plain, "\x1b") {
		t.Error("NO_COLOR has colours")
	}
	if text := plain + "\n\n" + forecast; !strings.Contains(string(readme), text) {
		t.Errorf("README.md does not show\n%s", text)
	}
	if n := strings.Count(forecast, "\n1997-0"); n != 3 {
		t.Errorf("the lifetime value of %d cohorts, want three\n%s", n, forecast)
	}
}

// demoPicture is the heat map at the end of the demo, without blanks at line ends, and the
// lifetime value of cohorts below it.
func demoPicture(t *testing.T, env map[string]string) (picture, forecast string) {
	t.Helper()
	for k, v := range env {
		t.Setenv(k, v)
	}
	var out, said bytes.Buffer
	if code := run(context.Background(), []string{"cohortline", "demo", "--quiet", "--dir", t.TempDir()}, strings.NewReader(""), &out, &said); code != 0 {
		t.Fatalf("exit code %d\n%s", code, &said)
	}
	text, _, ok := strings.Cut(out.String(), "\nParquet:")
	if !ok {
		t.Fatalf("no place of the tables in\n%s", &out)
	}
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	picture, forecast, ok = strings.Cut(strings.Join(lines, "\n"), "\n\n")
	if !ok {
		t.Fatalf("no lifetime value below the picture\n%s", &out)
	}
	return picture, forecast
}

// Size of a character of the picture.
const (
	charWidth  = 7.8
	lineHeight = 19
)

var colours = regexp.MustCompile("\x1b\\[48;5;(\\d+)m\x1b\\[38;5;(\\d+)m([^\x1b]*)\x1b\\[0m")

// svg draws coloured terminal text.
func svg(text string) string {
	lines := strings.Split(text, "\n")
	var b strings.Builder
	columns := 0
	for row, line := range lines {
		y := 22 + row*lineHeight
		at := 0
		write := func(s, fore, back string) {
			n := len([]rune(s))
			if back != "" {
				fmt.Fprintf(&b, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"%s\"/>\n", 12+charWidth*float64(at), y-14, charWidth*float64(n), lineHeight, back)
			}
			if strings.TrimSpace(s) != "" {
				fmt.Fprintf(&b, "<text x=\"%.1f\" y=\"%d\" fill=\"%s\" textLength=\"%.1f\">%s</text>\n", 12+charWidth*float64(at), y, fore, charWidth*float64(n), html.EscapeString(s))
			}
			at += n
		}
		for len(line) > 0 {
			m := colours.FindStringSubmatchIndex(line)
			if m == nil {
				write(line, "#e6edf3", "")
				break
			}
			write(line[:m[0]], "#e6edf3", "")
			write(line[m[6]:m[7]], rgb(line[m[4]:m[5]]), rgb(line[m[2]:m[3]]))
			line = line[m[1]:]
		}
		columns = max(columns, at)
	}
	width, height := int(24+charWidth*float64(columns)), 20+lineHeight*len(lines)
	return fmt.Sprintf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\" font-family=\"ui-monospace,Menlo,Consolas,monospace\" font-size=\"13\" xml:space=\"preserve\" role=\"img\">\n"+
		"<title>Retention by cohort and month of the CDNOW sample, as a heat map in a terminal</title>\n<rect width=\"100%%\" height=\"100%%\" rx=\"6\" fill=\"#0d1117\"/>\n%s</svg>\n", width, height, width, height, b.String())
}

// rgb is a colour of the 256-colour palette.
func rgb(code string) string {
	n, err := strconv.Atoi(code)
	switch {
	case err != nil || n < 16:
		return "#000000"
	case n >= 232:
		v := 8 + 10*(n-232)
		return fmt.Sprintf("#%02x%02x%02x", v, v, v)
	}
	level := [6]int{0, 95, 135, 175, 215, 255}
	n -= 16
	return fmt.Sprintf("#%02x%02x%02x", level[n/36], level[n/6%6], level[n%6])
}
