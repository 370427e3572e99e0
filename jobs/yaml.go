package jobs

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// ConfigError lists the mistakes of a configuration, each with its place.
type ConfigError struct {
	File     string
	Mistakes []string // "line 3, column 5: …"
}

func (e *ConfigError) Error() string {
	return e.File + ": " + strings.Join(e.Mistakes, "\n"+e.File+": ")
}

// walk reads a YAML document strictly: every key is known, every value has its type,
// and a mistake does not hide the next one.
type walk struct {
	dir      string // of the configuration, for ${file:…}
	env      func(string) (string, bool)
	mistakes []string
	hidden   []hidden
}

// hidden is a value that a reference has brought in; it may be a secret.
type hidden struct{ value, reference string }

// references is a hash of what the references of a document have brought in, by which it
// can be told later whether they still do.
func (w *walk) references(document []byte) string {
	if len(w.hidden) == 0 {
		return ""
	}
	h := hmac.New(sha256.New, document)
	for _, x := range w.hidden {
		fmt.Fprintf(h, "%d %s%d %s", len(x.reference), x.reference, len(x.value), x.value)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// wrong records a mistake. Values from outside are shown as their references.
func (w *walk) wrong(n *yaml.Node, format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	for _, h := range w.hidden {
		text = strings.ReplaceAll(text, h.value, h.reference)
	}
	w.mistakes = append(w.mistakes, fmt.Sprintf("line %d, column %d: ", n.Line, n.Column)+text)
}

// fields calls the reader of each key of a mapping; a key without one is a mistake.
func (w *walk) fields(n *yaml.Node, where string, readers map[string]func(*yaml.Node)) {
	for key, value := range w.pairs(n, where) {
		read, ok := readers[key.Value]
		if !ok {
			known := make([]string, 0, len(readers))
			for k := range readers {
				known = append(known, k)
			}
			slices.Sort(known)
			w.wrong(key, "%s has no key %q%s", where, key.Value, Suggest(key.Value, known))
			continue
		}
		read(value)
	}
}

// pairs yields the keys of a mapping with their values, each key once.
func (w *walk) pairs(n *yaml.Node, where string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			w.wrong(n, "%s must be a mapping of keys to values", where)
			return
		}
		seen := map[string]bool{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key := n.Content[i]
			if seen[key.Value] {
				w.wrong(key, "%s has the key %q twice", where, key.Value)
				continue
			}
			seen[key.Value] = true
			if !yield(key, n.Content[i+1]) {
				return
			}
		}
	}
}

// Suggest ends a message about a word that is not known: with the known one that is meant,
// or with all of them.
func Suggest(word string, known []string) string {
	best, distance := "", 3
	for _, k := range known {
		if d := editDistance(word, k); d < distance {
			best, distance = k, d
		}
	}
	if best != "" {
		return fmt.Sprintf("; did you mean %q?", best)
	}
	return "; it knows " + strings.Join(known, ", ")
}

func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		before := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			before, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, before+cost)
		}
	}
	return row[len(b)]
}

// secret is text for a value that must come whole from one reference and not be empty.
func (w *walk) secret(n *yaml.Node, where string) string {
	if n.Kind == yaml.ScalarNode && reference.FindString(n.Value) != n.Value {
		w.wrong(n, "%s is a secret and must not stand in the configuration: write ${env:NAME} or ${file:PATH}", where)
		return ""
	}
	before := len(w.mistakes)
	value := w.text(n, where)
	if value == "" && len(w.mistakes) == before {
		w.wrong(n, "%s is empty: fill what %s names, or leave the key out", where, n.Value)
	}
	return value
}

// text reads a string, with ${env:NAME} and ${file:PATH} put in.
func (w *walk) text(n *yaml.Node, where string) string {
	if n.Kind != yaml.ScalarNode || n.Tag == "!!null" {
		w.wrong(n, "%s must be a text", where)
		return ""
	}
	return reference.ReplaceAllStringFunc(n.Value, func(m string) (value string) {
		defer func() {
			if value != "" {
				w.hidden = append(w.hidden, hidden{value, m})
			}
		}()
		p := reference.FindStringSubmatch(m)
		switch p[1] {
		case "env":
			v, ok := w.env(p[2])
			if !ok {
				w.wrong(n, "%s needs the environment variable %s, which is not set", where, p[2])
			}
			return v
		default:
			path := p[2]
			if !filepath.IsAbs(path) {
				path = filepath.Join(w.dir, path)
			}
			data, err := os.ReadFile(path)
			if err != nil {
				w.wrong(n, "%s needs the file %s, which cannot be read", where, p[2])
			}
			return strings.TrimRight(string(data), "\r\n")
		}
	})
}

var reference = regexp.MustCompile(`\$\{(env|file):([^}]+)\}`)

// oneOf reads one of a few words.
func (w *walk) oneOf(n *yaml.Node, where string, words ...string) string {
	v := w.text(n, where)
	if n.Kind == yaml.ScalarNode && !slices.Contains(words, v) {
		w.wrong(n, "%s cannot be %q%s", where, v, Suggest(v, words))
		return ""
	}
	return v
}

// texts reads a list of texts, or a single one.
func (w *walk) texts(n *yaml.Node, where string) []string {
	if n.Kind == yaml.ScalarNode {
		return []string{w.text(n, where)}
	}
	if n.Kind != yaml.SequenceNode {
		w.wrong(n, "%s must be a list of texts", where)
		return nil
	}
	var list []string
	for _, c := range n.Content {
		list = append(list, w.text(c, where))
	}
	return list
}

// share reads a number from 0 to 1.
func (w *walk) share(n *yaml.Node, where string) float64 {
	v, err := strconv.ParseFloat(n.Value, 64)
	if n.Kind != yaml.ScalarNode || err != nil || !(v >= 0 && v <= 1) {
		w.wrong(n, "%s must be a share from 0 to 1, e.g. 0.01", where)
		return 0
	}
	return v
}
