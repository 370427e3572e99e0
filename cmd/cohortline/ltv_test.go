package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestPictureOfTracking draws docs/tracking.svg from the demo, and holds what `ltv compare`
// and `ltv explain` print against docs/lifetime-value.md.
func TestPictureOfTracking(t *testing.T) {
	root, dir := filepath.Join("..", ".."), t.TempDir()
	t.Setenv("COLUMNS", "110")
	t.Setenv("NO_COLOR", "1")
	say := func(args ...string) string {
		t.Helper()
		var out, said bytes.Buffer
		if code := run(context.Background(), append([]string{"cohortline"}, args...), strings.NewReader(""), &out, &said); code != 0 {
			t.Fatalf("%v: exit code %d\n%s", args, code, &said)
		}
		lines := strings.Split(out.String(), "\n")
		for i := range lines {
			lines[i] = strings.TrimRight(lines[i], " ")
		}
		return strings.Trim(strings.Join(lines, "\n"), "\n")
	}
	say("demo", "--quiet", "--dir", dir)
	config, drawn := filepath.Join(dir, "cohortline.yaml"), filepath.Join(dir, "plot.svg")
	compared := say("ltv", "compare", "--quiet", "--config", config, "--holdout", "39 weeks", "--svg", drawn)
	got, err := os.ReadFile(drawn)
	if err != nil {
		t.Fatal(err)
	}
	picture := filepath.Join(root, "docs", "tracking.svg")
	if *update {
		if err := os.WriteFile(picture, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if want, err := os.ReadFile(picture); err != nil || !bytes.Equal(want, got) {
		t.Errorf("docs/tracking.svg is not what the demo shows (%v): go test ./cmd/cohortline -run Picture -update", err)
	}
	circles := 0
	for d := xml.NewDecoder(bytes.NewReader(got)); ; {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the picture is no XML: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "circle" {
			circles++
		}
	}
	if circles != 2*78+1 { // two panels of 78 weeks, and the legend
		t.Errorf("%d points, want 157", circles)
	}
	page, err := os.ReadFile(filepath.Join(root, "docs", "lifetime-value.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{compared, say("ltv", "explain", "00004", "--quiet", "--config", config), say("ltv", "fit", "--quiet", "--config", config)} {
		if !strings.Contains(string(page), text) {
			t.Errorf("docs/lifetime-value.md does not show\n%s", text)
		}
	}
}

// A point for every week, the line of the model between them, and the end of what was known.
func TestTrackingPlot(t *testing.T) {
	var out strings.Builder
	actual, expected := make([]float64, 40), make([]float64, 40)
	for i := range actual {
		actual[i], expected[i] = float64(40-i), 20
	}
	p := &program{out: &out}
	draw := func(actual, expected []float64, known int) string {
		out.Reset()
		g := &page{Writer: bufio.NewWriter(p.out)}
		trackingPlot(g, actual, expected, known, 60)
		if err := g.Flush(); err != nil {
			t.Fatal(err)
		}
		return out.String()
	}
	text := draw(actual, expected, 30)
	if n := strings.Count(text, "•"); n != 40 {
		t.Errorf("%d points of 40 weeks\n%s", n, text)
	}
	if n := strings.Count(text, "┊"); n < 8 || strings.Count(draw(actual, expected, 40), "┊") != 0 {
		t.Errorf("%d marks of what was known\n%s", n, text)
	}
	if first := strings.SplitN(text, "\n", 2)[0]; !strings.HasPrefix(first, "       40 ┤•") {
		t.Errorf("the greatest is not at the top left: %q", first)
	}
	if text := draw(actual[:1], expected[:1], 1); !strings.Contains(text, "nothing to draw") {
		t.Errorf("one week: %q", text)
	}
	if text := draw(make([]float64, 5), make([]float64, 5), 2); strings.Count(text, "•") != 5 {
		t.Errorf("no purchases:\n%s", text)
	}
}

func TestNiceStep(t *testing.T) {
	for v, want := range map[float64]float64{1: 1, 1.1: 2, 3: 5, 7: 10, .3: .5, 1200: 2000, 5000.5: 10000} {
		if got := niceStep(v); got != want {
			t.Errorf("%v: %v, want %v", v, got, want)
		}
	}
}
