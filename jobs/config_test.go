package jobs

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/schemas"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// TestExamplesFitTheSchema loads every example and validates it with the JSON Schema
// that editors use.
func TestExamplesFitTheSchema(t *testing.T) {
	schema := compileSchema(t)
	files, err := filepath.Glob("examples/*.yaml")
	if err != nil || len(files) < 3 {
		t.Fatalf("%d examples, %v", len(files), err)
	}
	for _, f := range append(files, "examples/demo/cohortline.yaml") {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseConfig(f, data, os.LookupEnv); err != nil {
			t.Errorf("%s: %v", f, err)
		}
		if err := schema.Validate(asJSON(t, data)); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}

const minimal = `version: 1
reporting: {timezone: UTC, currency: EUR}
sources: [{table: orders, path: orders.csv}]
output: {path: out}
`

// TestSchemaAndReaderRefuseTheSame makes one mistake at a time: both must see it.
func TestSchemaAndReaderRefuseTheSame(t *testing.T) {
	schema := compileSchema(t)
	if err := schema.Validate(asJSON(t, []byte(minimal))); err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"unknown key":       {"output:", "outputs:"},
		"unknown table":     {"table: orders", "table: order"},
		"lower case":        {"currency: EUR", "currency: eur"},
		"unknown grain":     {"currency: EUR}", "currency: EUR, grains: [fortnight]}"},
		"unknown dimension": {"output:", "dimensions: [colour]\noutput:"},
		"clear secret":      {"output:", "privacy: {key: hunter2}\noutput:"},
		"share above 1":     {"output:", "checks: {max_reject_share: 2}\noutput:"},
		"source key":        {"path: orders.csv", "path: orders.csv, separation: x"},
		"table to publish":  {"path: out", "path: out, tables: [cohort]"},
		"no table":          {"path: out", "path: out, tables: []"},
		"canonical column":  {"path: orders.csv", "path: orders.csv, columns: {order_no: id}"},
		"column of fx":      {"path: orders.csv", "path: orders.csv, columns: {rate: id}"},
		"empty column":      {"path: orders.csv", "path: orders.csv, columns: {order_id: \"\"}"},
		"no constant":       {"path: orders.csv", "path: orders.csv, columns: {country: {}}"},
		"status":            {"path: orders.csv", "path: orders.csv, values: {status: {done: bought}}"},
		"value of nothing":  {"path: orders.csv", "path: orders.csv, values: {state: {done: paid}}"},
		"format":            {"path: orders.csv", "path: orders.csv, timestamp: {format: DD.MM.YYYY}"},
		"time of nothing":   {"path: orders.csv", "path: orders.csv, timestamp: {paid: {format: iso}}"},
		"delimiter":         {"path: orders.csv", "path: orders.csv, delimiter: \";;\""},
		"encoding":          {"path: orders.csv", "path: orders.csv, encoding: utf-7"},
		"decimal":           {"path: orders.csv", "path: orders.csv, decimal: \"'\""},
		"grain of a source": {"path: orders.csv", "path: orders.csv, grain: item"},
		"half a secret":     {"output:", "privacy: {key: \"x${env:HOME}\"}\noutput:"},
		"no identity":       {"output:", "identity: {match: []}\noutput:"},
		"refunds":           {"output:", "purchases: {fully_refunded: hide}\noutput:"},
		"week":              {"currency: EUR}", "currency: EUR, week_start: Monday}"},
		"version":           {"version: 1", "version: 2"},
		"no path":           {", path: orders.csv", ""},
		"model":             {"output:", "ltv: {model: bgnbd}\noutput:"},
		"horizon in what":   {"output:", "ltv: {horizon: 12}\noutput:"},
		"discount per what": {"output:", "ltv: {discount: 0.1}\noutput:"},
		"hold-out in what":  {"output:", "ltv: {holdout: 26}\noutput:"},
		"certain interval":  {"output:", "ltv: {interval: 1}\noutput:"},
		"contract":          {"output:", "ltv: {contract: monthly}\noutput:"},
		"unknown in ltv":    {"output:", "ltv: {horison: 12 months}\noutput:"},
	} {
		text := []byte(strings.Replace(minimal, change[0], change[1], 1))
		if _, err := ParseConfig("c.yaml", text, os.LookupEnv); err == nil {
			t.Errorf("%s: the reader accepts it", name)
		}
		if err := schema.Validate(asJSON(t, text)); err == nil {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

func TestFingerprintFollowsWhatShapesTheResult(t *testing.T) {
	print := func(text string) string {
		c, err := ParseConfig("c.yaml", []byte(text), func(string) (string, bool) { return "k1", true })
		if err != nil {
			t.Fatal(err)
		}
		return c.Fingerprint()
	}
	base := print(minimal)
	if print(strings.Replace(minimal, "path: out", "path: elsewhere", 1)) != base {
		t.Error("the place of the output changes the fingerprint")
	}
	for _, change := range [][2]string{{"timezone: UTC", "timezone: Europe/Berlin"}, {"currency: EUR}", "currency: EUR, week_start: sunday}"}, {"path: orders.csv", "path: orders.csv, decimal: \",\""}, {"output:", "privacy: {key: \"${env:K}\"}\noutput:"},
		{"output:", "ltv: {}\noutput:"}} {
		if print(strings.Replace(minimal, change[0], change[1], 1)) == base {
			t.Errorf("%s does not change the fingerprint", change[1])
		}
	}
}

// TestMistakesTheSchemaCannotSee are refused with their place.
func TestMistakesTheSchemaCannotSee(t *testing.T) {
	env := func(name string) (string, bool) {
		v, ok := map[string]string{"EMPTY": "", "PASSWORD": "hunter2"}[name]
		return v, ok
	}
	for name, c := range map[string]struct{ from, to, says string }{
		"time zone":        {"timezone: UTC", "timezone: Mars/Olympus", `line 2, column 23: reporting.timezone: "Mars/Olympus" is no IANA time zone`},
		"machine's zone":   {"timezone: UTC", "timezone: Local", "is no IANA time zone"},
		"zone of a source": {"path: orders.csv", "path: orders.csv, timestamp: {timezone: CET/1}", `timestamp.timezone: "CET/1" is no IANA`},
		"directive":        {"path: orders.csv", "path: orders.csv, timestamp: {format: \"%Y-%m-%d %Q\"}", "directive that is not known"},
		"format of no day": {"path: orders.csv", "path: orders.csv, timestamp: {format: \"%H:%M\"}", "names no day"},
		"half a clock":     {"path: orders.csv", "path: orders.csv, timestamp: {format: \"%Y-%m-%d %I:%M\"}", "needs %I and %p together"},
		"key twice":        {"version: 1", "version: 1\nversion: 1", `line 2, column 1: the configuration has the key "version" twice`},
		"column twice":     {"path: orders.csv", "path: orders.csv, columns: {order_id: a, order_id: b}", `columns has the key "order_id" twice`},
		"value twice":      {"path: orders.csv", "path: orders.csv, values: {status: {x: paid, x: test}}", `values.status has the key "x" twice`},
		"header twice":     {"path: orders.csv", "path: orders.csv, header: [a, b, a]", `header names "a" twice`},
		"no number":        {"output:", "checks: {max_reject_share: .nan}\noutput:", "checks.max_reject_share must be a share"},
		"NaN":              {"output:", "checks: {max_reject_share: NaN}\noutput:", "checks.max_reject_share must be a share"},
		"two documents":    {"output: {path: out}", "output: {path: out}\n---\nversion: 1", "more than one document"},
		"no YAML":          {"version: 1", "version: [1", "line "},
		"empty secret":     {"output:", "privacy: {key: \"${env:EMPTY}\"}\noutput:", "privacy.key is empty: fill what ${env:EMPTY} names"},
		"unset secret":     {"output:", "privacy: {key: \"${env:NO}\"}\noutput:", "needs the environment variable NO, which is not set"},
		"no secret file":   {"output:", "privacy: {key: \"${file:no.txt}\"}\noutput:", "needs the file no.txt, which cannot be read"},
		"secret elsewhere": {"currency: EUR", "currency: \"${env:PASSWORD}\"", `"${env:PASSWORD}" is no three-letter code`},
		"two sources":      {"path: orders.csv}", "path: orders.csv}, {table: orders, path: more.csv}", `two sources of table orders are named "orders"`},
	} {
		text := strings.Replace(minimal, c.from, c.to, 1)
		_, err := ParseConfig("c.yaml", []byte(text), env)
		var mistakes *ConfigError
		if !errors.As(err, &mistakes) || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
	}
}

// TestSchemaNamesEverything holds the words of the schema against those of the program.
func TestSchemaNamesEverything(t *testing.T) {
	var s struct {
		Properties struct {
			Dimensions struct {
				Items struct{ Enum []string } `json:"items"`
			} `json:"dimensions"`
			Output struct {
				Properties struct {
					Tables struct {
						Items struct{ Enum []string } `json:"items"`
					} `json:"tables"`
				} `json:"properties"`
			} `json:"output"`
		} `json:"properties"`
		Defs struct {
			Source struct {
				AllOf []struct {
					Then struct {
						Properties struct {
							Columns struct {
								Properties map[string]struct{ Description string } `json:"properties"`
							} `json:"columns"`
						} `json:"properties"`
					} `json:"then"`
				} `json:"allOf"`
			} `json:"source"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal(ConfigSchema, &s); err != nil {
		t.Fatal(err)
	}
	if got := s.Properties.Dimensions.Items.Enum; !slices.Equal(got, schemas.DimensionColumns) {
		t.Errorf("dimensions %v", got)
	}
	if got := s.Properties.Output.Properties.Tables.Items.Enum; !slices.Equal(got, tableNames()) {
		t.Errorf("tables %v", got)
	}
	for i, table := range schemas.Inputs() {
		got := s.Defs.Source.AllOf[i].Then.Properties.Columns.Properties
		if len(got) != len(table.Columns) {
			t.Errorf("%s: %d columns, want %d", table.Name, len(got), len(table.Columns))
		}
		for _, c := range table.Columns {
			if got[c.Name].Description != c.Description {
				t.Errorf("%s.%s: %q, want %q", table.Name, c.Name, got[c.Name].Description, c.Description)
			}
		}
	}
}

// TestSchemaDescribesEveryKey walks the schema: an editor has something to say at each key.
func TestSchemaDescribesEveryKey(t *testing.T) {
	var root map[string]any
	if err := json.Unmarshal(ConfigSchema, &root); err != nil {
		t.Fatal(err)
	}
	keys := 0
	var walk func(where string, node any)
	walk = func(where string, node any) {
		m, ok := node.(map[string]any)
		if !ok {
			return
		}
		properties, _ := m["properties"].(map[string]any)
		if m["type"] == "object" && properties != nil && m["additionalProperties"] != false {
			t.Errorf("%s takes unknown keys", where)
		}
		for name, p := range properties {
			keys++
			p := p.(map[string]any)
			described := p["description"] != nil || p["$ref"] != nil || where == "source" && (name == "columns" || name == "values" || name == "timestamp") // described by table
			if !described && p["const"] == nil {
				t.Errorf("%s.%s has no description", where, name)
			}
			walk(where+"."+name, p)
		}
		for _, alternatives := range []string{"anyOf", "allOf"} {
			list, _ := m[alternatives].([]any)
			for _, a := range list {
				a := a.(map[string]any)
				walk(where, a)
				then, _ := a["then"].(map[string]any)
				walk(where+" of a table", then)
			}
		}
	}
	walk("configuration", root)
	for name, d := range root["$defs"].(map[string]any) {
		walk(name, d)
	}
	if keys < 60 {
		t.Errorf("%d keys seen", keys)
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(ConfigSchema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("config.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("config.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func asJSON(t *testing.T, text []byte) any {
	t.Helper()
	var v any
	if err := yaml.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	return document
}
