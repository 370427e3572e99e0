package source

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cohortline/cohortline/internal/objectstore"
	"github.com/klauspost/compress/gzip"
	"github.com/parquet-go/parquet-go"
	"gocloud.dev/blob/memblob"
)

// exports writes the files that every store of the suite holds.
func exports(t *testing.T, root string) {
	t.Helper()
	var csv, packed, pq bytes.Buffer
	csv.WriteString("id,name\n")
	for i := range 200_000 {
		fmt.Fprintf(&csv, "%d,customer %d\n", i, i*7)
	}
	z := gzip.NewWriter(&packed)
	if _, err := z.Write(csv.Bytes()); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	type row struct {
		ID   int64  `parquet:"id"`
		Name string `parquet:"name,dict"`
	}
	rows := make([]row, 50_000)
	for i := range rows {
		rows[i] = row{int64(i), fmt.Sprint(i % 97)}
	}
	if err := parquet.Write(&pq, rows, parquet.MaxRowsPerRowGroup(20_000)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"orders/2024/a.csv": csv.Bytes(), "orders/2024/b.csv.gz": packed.Bytes(), "orders/2025/c.parquet": pq.Bytes(),
		"orders/2025/notes.md": []byte("no data"), "orders/_tmp/d.csv": []byte("id,name\n"), "orders/.hidden.csv": []byte("id,name\n"),
		"orders/2024/a.csv.bak": []byte("id,name\n"), "empty.csv": {},
	} {
		path := filepath.Join(root, "exports", filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// testStore is the suite that every kind of store passes: the same objects are found and
// the same rows read as from the local folder.
func testStore(t *testing.T, stores *Stores, root, address, options string) {
	ctx := context.Background()
	local := filepath.Join(root, "exports")
	for _, pattern := range []string{"orders/2024/a.csv", "orders/*/*.csv", "orders/202?/*", "orders/2024", "orders/", "orders", "orders/202[45]/[a-b].csv*"} {
		if strings.Contains(pattern, "?") { // where options start
			continue
		}
		t.Run(pattern, func(t *testing.T) {
			want, err := new(Stores).List(ctx, local, []string{pattern})
			if err != nil {
				t.Fatal(err)
			}
			got, err := stores.List(ctx, ".", []string{address + "/" + pattern + options})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(want) {
				t.Fatalf("%d objects, the folder has %d", len(got), len(want))
			}
			for i := range got {
				if got[i].Path != address+"/"+want[i].Path || got[i].Size != want[i].Size {
					t.Errorf("%s of %d bytes, want %s of %d", got[i].Path, got[i].Size, want[i].Path, want[i].Size)
				}
				if got[i].Version == "" {
					t.Errorf("%s has no version", got[i].Path)
				}
				if suffix(got[i].Path) == ".bak" {
					continue
				}
				x, y := rowsOf(t, got[i]), rowsOf(t, want[i])
				if len(x) != len(y) {
					t.Fatalf("%s: %d rows, want %d", got[i].Path, len(x), len(y))
				}
				for k := range x {
					if fmt.Sprint(x[k]) != fmt.Sprint(y[k]) {
						t.Fatalf("%s: row %d is %v, want %v", got[i].Path, k, x[k], y[k])
					}
				}
			}
		})
	}
	for what, c := range map[string]struct {
		address string
		is      error
		says    string
	}{
		"no such key":    {address + "/orders/2031" + options, ErrMissing, "nothing is there"},
		"no such match":  {address + "/orders/*.xml" + options, ErrMissing, "nothing is there"},
		"credential":     {address + "/orders/?secret_key=hunter2", nil, "credentials come from the environment"},
		"unknown scheme": {"ftp://exports/orders", nil, "s3://, gs:// or file://"},
		"broken pattern": {address + "/orders/[a" + options, nil, "no valid pattern"},
	} {
		_, err := stores.List(ctx, ".", []string{c.address})
		if err == nil || c.is != nil && !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", what, err)
		}
	}
	objects, err := stores.List(ctx, ".", []string{address + "/empty.csv" + options})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(ctx, objects[0], Options{}); !errors.Is(err, ErrEmpty) {
		t.Errorf("empty object: %v", err)
	}
	objects, err = stores.List(ctx, ".", []string{address + "/orders/2024/a.csv" + options})
	if err != nil {
		t.Fatal(err)
	}
	old := objects[0]
	old.Size--
	if f, err := Open(ctx, old, Options{}); err == nil {
		_, err = all(f)
		t.Errorf("an object that was replaced since it was listed: %v", err)
	} else if !strings.Contains(err.Error(), "was replaced while it was being read") {
		t.Error(err)
	}
}

func rowsOf(t *testing.T, o Object) [][]string {
	t.Helper()
	f, err := Open(context.Background(), o, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := all(f)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

func TestMemoryStore(t *testing.T) {
	root := t.TempDir()
	exports(t, root)
	b := memblob.OpenBucket(nil)
	err := filepath.WalkDir(filepath.Join(root, "exports"), func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		key, _ := filepath.Rel(filepath.Join(root, "exports"), p)
		return b.WriteAll(context.Background(), filepath.ToSlash(key), data, nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	var stores Stores
	defer stores.Close()
	stores.Add("mem://exports", b)
	testStore(t, &stores, root, "mem://exports", "")
}

func TestS3(t *testing.T) {
	root := t.TempDir()
	exports(t, root)
	server := objectstore.S3(t, root)
	var stores Stores
	defer stores.Close()
	testStore(t, &stores, root, server.Address, server.Options)

	_, err := new(Stores).List(context.Background(), ".", []string{"s3://nowhere/orders" + server.Options})
	if !errors.Is(err, ErrMissing) {
		t.Errorf("a bucket that is not there: %v", err)
	}
	t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
	_, err = new(Stores).List(context.Background(), ".", []string{server.Address + "/orders" + server.Options})
	if err == nil || strings.Contains(err.Error(), "wrong\n") || !strings.Contains(err.Error(), "credentials in the environment") {
		t.Errorf("wrong credentials: %v", err)
	}
}

func TestGCS(t *testing.T) {
	root := t.TempDir()
	exports(t, root)
	server := objectstore.GCS(t, root)
	var stores Stores
	defer stores.Close()
	testStore(t, &stores, root, server.Address, "")
}

// TestBrokenConnections reads through a proxy that cuts answers short.
func TestBrokenConnections(t *testing.T) {
	root := t.TempDir()
	exports(t, root)
	server := objectstore.S3(t, root)
	target, _ := url.Parse("http://" + server.HTTP)
	var cuts atomic.Int32 // how many answers are still to be cut
	proxy := &httputil.ReverseProxy{
		ErrorLog: log.New(io.Discard, "", 0), // a cut answer and a dead server are what is tested
		Rewrite:  func(r *httputil.ProxyRequest) { r.SetURL(target); r.Out.Host = r.In.Host },
		ModifyResponse: func(r *http.Response) error {
			if r.ContentLength > 100 && strings.HasPrefix(r.Request.URL.Path, "/exports/orders/") && cuts.Add(-1) >= 0 {
				r.Body = struct {
					io.Reader
					io.Closer
				}{io.LimitReader(r.Body, r.ContentLength/2), r.Body}
			}
			return nil
		},
	}
	front := httptest.NewServer(proxy)
	defer front.Close()
	var stores Stores
	defer stores.Close()
	options := objectstore.S3Options(strings.TrimPrefix(front.URL, "http://"))
	for _, key := range []string{"orders/2024/a.csv", "orders/2024/b.csv.gz", "orders/2025/c.parquet"} {
		objects, err := stores.List(context.Background(), ".", []string{"s3://exports/" + key + options})
		if err != nil {
			t.Fatal(err)
		}
		want := rowsOf(t, objects[0])
		cuts.Store(3)
		if got := rowsOf(t, objects[0]); len(got) != len(want) {
			t.Errorf("%s: %d rows, want %d", key, len(got), len(want))
		}
		if cuts.Load() > 0 {
			t.Errorf("%s: the proxy has cut nothing", key)
		}
	}
	// The failing twin: a connection that never holds ends with an error, not with fewer rows.
	var impatient Stores
	defer impatient.Close()
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	objects, err := impatient.List(context.Background(), ".", []string{"s3://exports/orders/2024/a.csv" + options})
	if err != nil {
		t.Fatal(err)
	}
	target.Host = "127.0.0.1:1"
	f, err := Open(context.Background(), objects[0], Options{})
	if err == nil {
		_, err = all(f)
	}
	if err == nil || !strings.Contains(err.Error(), "also when tried again") && !strings.Contains(err.Error(), "check the network") {
		t.Errorf("a dead server: %v", err)
	}
}
