package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestGenerateTellsTheTruth runs generated orders: the tables show what they were drawn from.
func TestGenerateTellsTheTruth(t *testing.T) {
	s := &scene{t, t.TempDir()}
	generate := func(args ...string) (int, string) {
		var said strings.Builder
		code := run(context.Background(), append([]string{"cohortline", "generate"}, args...), strings.NewReader(""), &said, &said)
		return code, said.String()
	}
	read := func(name string) string {
		data, err := os.ReadFile(filepath.Join(s.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	for _, c := range []struct {
		dir, orders, seed, files string
	}{{"one", "1", "7", "1"}, {"a", "3000", "1", "3"}, {"same", "3000", "1", "3"}, {"other", "3000", "2", "3"}} {
		if code, said := generate("--dir", filepath.Join(s.dir, c.dir), "--orders", c.orders, "--seed", c.seed, "--files", c.files); code != 0 {
			t.Fatalf("exit code %d\n%s", code, said)
		}
		var truth struct {
			Orders, Customers int64
			Net               string `json:"net_revenue"`
		}
		if err := json.Unmarshal([]byte(read(c.dir+"/truth.json")), &truth); err != nil {
			t.Fatal(err)
		}
		s.configure(", path: '"+c.dir+"/orders-*.csv'", "dimensions: [channel, country]")
		result := filepath.Join(s.dir, "result.json")
		if code, said := s.run("run", "--as-of", "2025-01-01", "--quiet", "--result-file", result); code != 0 {
			t.Fatalf("exit code %d\n%s", code, said)
		}
		var got struct {
			Orders, Purchases, Customers int64
			Net                          string `json:"net_revenue"`
		}
		if err := json.Unmarshal([]byte(read("result.json")), &got); err != nil {
			t.Fatal(err)
		}
		if got.Orders != truth.Orders || got.Purchases != truth.Orders || got.Customers != truth.Customers || got.Net != truth.Net+"00" {
			t.Errorf("%s: %+v, truth %+v", c.dir, got, truth)
		}
		want := map[string]string{}
		for _, line := range strings.Split(strings.TrimSpace(read(c.dir+"/truth.csv")), "\n")[1:] {
			f := strings.Split(line, ",")
			want[f[0]] = f[4] + "," + f[5] + "00"
		}
		for _, line := range strings.Split(strings.TrimSpace(s.columns("customers", "customer_id", "orders", "net_revenue")), "\n")[1:] {
			if id, rest, _ := strings.Cut(line, ","); want[id] != rest {
				t.Errorf("%s: %s has %s, truth %s", c.dir, id, rest, want[id])
			}
		}
	}
	for _, f := range []string{"orders-000.csv", "orders-002.csv", "truth.csv"} {
		if read("a/"+f) != read("same/"+f) || read("a/"+f) == read("other/"+f) {
			t.Errorf("%s does not follow from the seed", f)
		}
	}

	// Mistakes, and files that somebody else has made.
	if code, said := generate("--dir", s.dir, "--orders", "0"); code != exitUsage || !strings.Contains(said, "at least 1") {
		t.Errorf("%d: %s", code, said)
	}
	s.write("mine/orders-000.csv", row())
	if code, said := generate("--dir", filepath.Join(s.dir, "mine"), "--orders", "5"); code != exitUsage || !strings.Contains(said, "orders-000.csv is there and was not generated") || read("mine/orders-000.csv") != row() {
		t.Errorf("%d: %s", code, said)
	}
	if code, said := generate("--dir", filepath.Join(s.dir, "a"), "--orders", "5"); code != 0 {
		t.Errorf("generated files cannot be made anew: %d %s", code, said)
	}
}

// TestSecretsStayOut runs with a key: neither it nor an e-mail is in what is said or written.
func TestSecretsStayOut(t *testing.T) {
	const key, mail = "hunter2-hunter2", "ada@example.com"
	s := &scene{t, t.TempDir()}
	s.write("orders.csv", "order_id,email,ordered_at,gross_amount\n1,"+mail+",2024-01-01T00:00:00Z,5\n2,"+mail+",2024-01-02T00:00:00Z,x\n")
	s.write("key.txt", key+"\n")
	ids := map[string]string{}
	for _, privacy := range []string{"", `privacy: {key: "${env:COHORTLINE_TEST_KEY}"}`, `privacy: {key: "${file:key.txt}"}`} {
		t.Setenv("COHORTLINE_TEST_KEY", key)
		s.configure("", privacy+"\nchecks: {max_reject_share: 1}")
		all := ""
		for _, verb := range [][]string{{"plan", "--as-of", "2025-01-01", "--output", "json"}, {"validate", "--output", "json"}, {"run", "--as-of", "2025-01-01", "--output", "json", "--log-format", "json"}, {"runs", "--output", "json"}} {
			code, said := s.run(verb[0], verb[1:]...)
			if code != 0 {
				t.Fatalf("%v: exit code %d\n%s", verb, code, said)
			}
			all += said
		}
		for _, table := range tableNames() {
			_, text := s.run("inspect", table, "--output", "json", "--limit", "0")
			all += text
		}
		manifests, err := filepath.Glob(filepath.Join(s.dir, "out", "runs", "*.json"))
		if err != nil || len(manifests) == 0 {
			t.Fatal(manifests, err)
		}
		for _, m := range manifests {
			data, err := os.ReadFile(m)
			if err != nil {
				t.Fatal(err)
			}
			all += string(data)
		}
		for _, secret := range []string{key, mail, "ada@", "example.com"} {
			if strings.Contains(all, secret) {
				t.Errorf("%s: %q is told", privacy, secret)
			}
		}
		ids[privacy] = s.columns("customers", "customer_id")
		if err := os.RemoveAll(filepath.Join(s.dir, "out")); err != nil {
			t.Fatal(err)
		}
	}
	if ids[""] == ids[`privacy: {key: "${file:key.txt}"}`] || ids[`privacy: {key: "${file:key.txt}"}`] != ids[`privacy: {key: "${env:COHORTLINE_TEST_KEY}"}`] {
		t.Errorf("customers by key: %v", ids)
	}
}
