package jobs

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	for _, change := range [][2]string{{"timezone: UTC", "timezone: Europe/Berlin"}, {"currency: EUR}", "currency: EUR, week_start: sunday}"}, {"path: orders.csv", "path: orders.csv, decimal: \",\""}, {"output:", "privacy: {key: \"${env:K}\"}\noutput:"}} {
		if print(strings.Replace(minimal, change[0], change[1], 1)) == base {
			t.Errorf("%s does not change the fingerprint", change[1])
		}
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
