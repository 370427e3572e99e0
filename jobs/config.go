package jobs

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // the JSON Schema
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/cohortline/cohortline/pipeline"
	"github.com/cohortline/cohortline/pipeline/store"
	"github.com/cohortline/cohortline/schemas"
	"github.com/cohortline/cohortline/transforms"
	"go.yaml.in/yaml/v4"
)

// ConfigSchema is the JSON Schema of the configuration, for editors.
//
//go:embed config.schema.json
var ConfigSchema []byte

// Config is a checked configuration: every name is known and every default filled in.
type Config struct {
	Path              string // of the file
	Text              string // of the document, references not replaced
	References        string // SHA-256 of what the references stand for, keyed by the text; empty: there are none
	Dir               string // its folder; relative paths start there
	Job               string
	Timezone          string
	Zone              *time.Location
	Currency          string // reporting currency
	Grains            []transforms.Grain
	WeekStart         time.Weekday
	Sources           []pipeline.SourceSpec
	Dimensions        []string
	Output            string   // folder, absolute
	Tables            []string // published tables
	DropFullyRefunded bool
	MatchID           bool
	MatchEmail        bool
	MaxRejectShare    float64
	MaxShrink         float64 // share of customers or orders that a result may have fewer than the last one
	PrivacyKey        []byte
	LTV               *transforms.LTVRules // nil: no lifetime value is predicted

	ltvBy     []string
	ltvByNode *yaml.Node
}

// maxConfig bounds the configuration, so that aliases cannot blow it up.
const maxConfig = 1 << 20

// LoadConfig reads and checks a configuration file. Its mistakes come as one ConfigError.
func LoadConfig(path string, env func(string) (string, bool)) (*Config, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		hint := "check --config"
		if errors.Is(err, fs.ErrNotExist) {
			hint = "write one with `cohortline init FILES…`, or name another with --config"
		}
		return nil, &ConfigError{path, []string{fmt.Sprintf("cannot be read: %v; %s", errors.Unwrap(err), hint)}}
	}
	return ParseConfig(path, data, env)
}

// ParseConfig checks the text of a configuration; path is where it lies.
func ParseConfig(path string, data []byte, env func(string) (string, bool)) (*Config, error) {
	if len(data) > maxConfig {
		return nil, &ConfigError{path, []string{fmt.Sprintf("is larger than %d bytes", maxConfig)}}
	}
	dir, err := filepath.Abs(filepath.Dir(path))
	if err != nil {
		return nil, err
	}
	var root, more yaml.Node
	d := yaml.NewDecoder(bytes.NewReader(data))
	if err := d.Decode(&root); err != nil && !errors.Is(err, io.EOF) {
		return nil, &ConfigError{path, []string{strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\n", " "), "yaml: ")}}
	}
	if err := d.Decode(&more); !errors.Is(err, io.EOF) {
		return nil, &ConfigError{path, []string{"holds more than one document (---): keep one"}}
	}
	c := &Config{Path: path, Text: string(data), Dir: dir, Job: "cohorts", WeekStart: time.Monday, Grains: []transforms.Grain{transforms.Month},
		MatchID: true, MatchEmail: true, MaxRejectShare: 0.01, MaxShrink: 0.5}
	w := &walk{dir: dir, env: env}
	if len(root.Content) == 0 {
		return nil, &ConfigError{path, []string{"is empty; see `cohortline init`"}}
	}
	c.read(w, root.Content[0])
	if len(w.mistakes) == 0 {
		c.complete(w, root.Content[0])
	}
	if len(w.mistakes) > 0 {
		return nil, &ConfigError{path, w.mistakes}
	}
	c.References = w.references(data)
	return c, nil
}

func (c *Config) read(w *walk, n *yaml.Node) {
	w.fields(n, "the configuration", map[string]func(*yaml.Node){
		"version": func(n *yaml.Node) {
			if n.Value != "1" {
				w.wrong(n, "version must be 1")
			}
		},
		"job":       func(n *yaml.Node) { c.Job = w.text(n, "job") },
		"reporting": func(n *yaml.Node) { c.reporting(w, n) },
		"sources": func(n *yaml.Node) {
			if n.Kind != yaml.SequenceNode {
				w.wrong(n, "sources must be a list")
				return
			}
			for _, s := range n.Content {
				c.Sources = append(c.Sources, c.source(w, s))
			}
		},
		"dimensions": func(n *yaml.Node) {
			c.Dimensions = w.texts(n, "dimensions")
			for i, d := range c.Dimensions {
				if !slices.Contains(schemas.DimensionColumns, d) {
					w.wrong(n, "dimensions: %q is no column of orders to split by%s", d, Suggest(d, schemas.DimensionColumns))
				} else if slices.Contains(c.Dimensions[:i], d) {
					w.wrong(n, "dimensions: %q is named twice", d)
				}
			}
		},
		"output": func(n *yaml.Node) {
			w.fields(n, "output", map[string]func(*yaml.Node){
				"path": func(n *yaml.Node) {
					c.Output = w.text(n, "output.path")
					if err := store.Check(c.Output); err != nil {
						w.wrong(n, "output.path: %v", err)
					}
				},
				"tables": func(n *yaml.Node) {
					if c.Tables = w.texts(n, "output.tables"); len(c.Tables) == 0 {
						w.wrong(n, "output.tables is empty: name tables, or leave the key out for all of them")
					}
					for _, t := range c.Tables {
						if known := tableNames(); !slices.Contains(known, t) {
							w.wrong(n, "output.tables: there is no table %q%s", t, Suggest(t, known))
						}
					}
				},
			})
		},
		"purchases": func(n *yaml.Node) {
			w.fields(n, "purchases", map[string]func(*yaml.Node){
				"fully_refunded": func(n *yaml.Node) {
					c.DropFullyRefunded = w.oneOf(n, "purchases.fully_refunded", "keep", "drop") == "drop"
				},
			})
		},
		"identity": func(n *yaml.Node) {
			w.fields(n, "identity", map[string]func(*yaml.Node){
				"match": func(n *yaml.Node) {
					c.MatchID, c.MatchEmail = false, false
					for _, m := range w.texts(n, "identity.match") {
						switch m {
						case "id":
							c.MatchID = true
						case "email":
							c.MatchEmail = true
						default:
							w.wrong(n, "identity.match: %q is neither id nor email", m)
						}
					}
					if !c.MatchID && !c.MatchEmail {
						w.wrong(n, "identity.match is empty: name id, email or both")
					}
				},
			})
		},
		"checks": func(n *yaml.Node) {
			w.fields(n, "checks", map[string]func(*yaml.Node){
				"max_reject_share": func(n *yaml.Node) { c.MaxRejectShare = w.share(n, "checks.max_reject_share") },
				"max_shrink":       func(n *yaml.Node) { c.MaxShrink = w.share(n, "checks.max_shrink") },
			})
		},
		"ltv": func(n *yaml.Node) { c.ltv(w, n) },
		"privacy": func(n *yaml.Node) {
			w.fields(n, "privacy", map[string]func(*yaml.Node){
				"key": func(n *yaml.Node) { c.PrivacyKey = []byte(w.secret(n, "privacy.key")) },
			})
		},
	})
}

var weekdays = map[string]time.Weekday{"monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday, "thursday": time.Thursday,
	"friday": time.Friday, "saturday": time.Saturday, "sunday": time.Sunday}

func (c *Config) reporting(w *walk, n *yaml.Node) {
	w.fields(n, "reporting", map[string]func(*yaml.Node){
		"timezone": func(n *yaml.Node) {
			c.Timezone = w.text(n, "reporting.timezone")
			zone, err := location(c.Timezone)
			if err != nil {
				w.wrong(n, "reporting.timezone: %v", err)
			}
			c.Zone = zone
		},
		"currency": func(n *yaml.Node) {
			c.Currency = w.text(n, "reporting.currency")
			if len(c.Currency) != 3 || strings.ToUpper(c.Currency) != c.Currency || strings.Trim(c.Currency, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
				w.wrong(n, "reporting.currency: %q is no three-letter code such as EUR", c.Currency)
			}
		},
		"grains": func(n *yaml.Node) {
			c.Grains = nil
			for _, name := range w.texts(n, "reporting.grains") {
				g := slices.Index(transforms.Grains[:], name)
				if g < 0 {
					w.wrong(n, "reporting.grains: there is no grain %q%s", name, Suggest(name, transforms.Grains[:]))
				} else if !slices.Contains(c.Grains, transforms.Grain(g)) {
					c.Grains = append(c.Grains, transforms.Grain(g))
				}
			}
			slices.Sort(c.Grains)
		},
		"week_start": func(n *yaml.Node) {
			name := w.oneOf(n, "reporting.week_start", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
			c.WeekStart = weekdays[name]
		},
	})
}

// complete checks what needs the whole configuration and fills in the defaults.
func (c *Config) complete(w *walk, n *yaml.Node) {
	if c.Zone == nil {
		w.wrong(n, "reporting.timezone is missing: name the zone whose days and months the tables count, e.g. Europe/Berlin")
	}
	if c.Currency == "" {
		w.wrong(n, "reporting.currency is missing: name the currency of the tables, e.g. EUR")
	}
	if len(c.Grains) == 0 {
		w.wrong(n, "reporting.grains is empty")
	}
	if c.Output == "" {
		w.wrong(n, "output.path is missing: name the folder for the tables")
	}
	orders := false
	names := map[[2]string]bool{}
	for i := range c.Sources {
		s := &c.Sources[i]
		orders = orders || s.Table == "orders"
		if k := [2]string{s.Table, s.Name}; names[k] {
			w.wrong(n, "sources: two sources of table %s are named %q", s.Table, s.Name)
		} else {
			names[k] = true
		}
	}
	if !orders {
		w.wrong(n, "sources has no source of table orders")
	}
	c.Output = strings.TrimPrefix(c.Output, "file://")
	if !strings.Contains(c.Output, "://") && !filepath.IsAbs(c.Output) {
		c.Output = filepath.Join(c.Dir, c.Output)
	}
	c.completeLTV(w)
	c.completeTables(w, n)
}

func tableNames() []string {
	var names []string
	for _, t := range schemas.Outputs(nil) {
		names = append(names, t.Name)
	}
	return names
}

// Fingerprint is the SHA-256 of everything in the configuration that shapes a result.
// Secrets enter as their own hash; where the output lies does not matter.
func (c *Config) Fingerprint() string {
	shape := struct {
		Job, Timezone, Currency, WeekStart string
		Grains                             []string
		Sources                            []pipeline.SourceSpec
		Dimensions, Tables                 []string
		Drop, MatchID, MatchEmail          bool
		MaxRejectShare                     float64
		Privacy                            string
		LTV                                string `json:",omitempty"`
	}{Job: c.Job, Timezone: c.Timezone, Currency: c.Currency, WeekStart: c.WeekStart.String(), Sources: c.Sources, Dimensions: c.Dimensions, Tables: c.Tables,
		Drop: c.DropFullyRefunded, MatchID: c.MatchID, MatchEmail: c.MatchEmail, MaxRejectShare: c.MaxRejectShare, LTV: c.shapeLTV()}
	for _, g := range c.Grains {
		shape.Grains = append(shape.Grains, transforms.Grains[g])
	}
	if len(c.PrivacyKey) > 0 {
		sum := sha256.Sum256(c.PrivacyKey)
		shape.Privacy = hex.EncodeToString(sum[:])
	}
	data, err := json.Marshal(shape)
	if err != nil {
		panic(err) // strings, numbers and lists of them always marshal
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
