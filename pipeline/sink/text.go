package sink

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
)

// Rows is a table as text: column names, and rows in which nil is null. Numbers and
// truth values are written without quotes in JSON.
type Rows struct {
	Columns []string
	Numeric []bool // per column: bare in JSON
	Rows    [][]*string
}

// CSV writes the rows as RFC 4180 with a header; null is an empty field.
func CSV(w io.Writer, t Rows) error {
	c := csv.NewWriter(w)
	if err := c.Write(t.Columns); err != nil {
		return err
	}
	line := make([]string, len(t.Columns))
	for _, r := range t.Rows {
		for i, v := range r {
			line[i] = ""
			if v != nil {
				line[i] = *v
			}
		}
		if err := c.Write(line); err != nil {
			return err
		}
	}
	c.Flush()
	return c.Error()
}

// JSON writes the rows as one array of objects.
func JSON(w io.Writer, t Rows) error {
	b := bufio.NewWriter(w)
	b.WriteString("[")
	for n, r := range t.Rows {
		if n > 0 {
			b.WriteString(",")
		}
		b.WriteString("\n  {")
		for i, v := range r {
			if i > 0 {
				b.WriteString(", ")
			}
			name, err := json.Marshal(t.Columns[i])
			if err != nil {
				return err
			}
			b.Write(name)
			b.WriteString(": ")
			switch {
			case v == nil:
				b.WriteString("null")
			case t.Numeric[i]:
				b.WriteString(*v)
			default:
				text, err := json.Marshal(*v)
				if err != nil {
					return err
				}
				b.Write(text)
			}
		}
		b.WriteString("}")
	}
	b.WriteString("\n]\n")
	return b.Flush()
}

// Markdown writes the rows as a table for a document.
func Markdown(w io.Writer, t Rows) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "| %s |\n|%s\n", strings.Join(t.Columns, " | "), strings.Repeat("---|", len(t.Columns)))
	for _, r := range t.Rows {
		for _, v := range r {
			text := ""
			if v != nil {
				text = strings.NewReplacer("|", "\\|", "\n", " ").Replace(*v)
			}
			b.WriteString("| " + text + " ")
		}
		b.WriteString("|\n")
	}
	return b.Flush()
}

// Terminal writes the rows as aligned columns, numbers to the right.
func Terminal(w io.Writer, t Rows) error {
	widths := make([]int, len(t.Columns))
	for i, c := range t.Columns {
		widths[i] = len(c)
	}
	for _, r := range t.Rows {
		for i, v := range r {
			if v != nil {
				widths[i] = max(widths[i], len([]rune(*v)))
			}
		}
	}
	b := bufio.NewWriter(w)
	line := func(cells func(i int) string) {
		for i := range t.Columns {
			pad := strings.Repeat(" ", max(0, widths[i]-len([]rune(cells(i)))))
			if t.Numeric[i] {
				b.WriteString(pad + cells(i))
			} else if b.WriteString(cells(i)); i < len(t.Columns)-1 {
				b.WriteString(pad)
			}
			if i < len(t.Columns)-1 {
				b.WriteString("  ")
			}
		}
		b.WriteString("\n")
	}
	line(func(i int) string { return t.Columns[i] })
	for _, r := range t.Rows {
		line(func(i int) string {
			if r[i] == nil {
				return ""
			}
			return *r[i]
		})
	}
	return b.Flush()
}
