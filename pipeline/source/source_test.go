package source

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cohortline/cohortline/internal/realdata"
	"github.com/cohortline/cohortline/schemas"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// all reads every readable column of a file as text; a null is "∅", a bad row its reason.
func all(f File) (rows [][]string, err error) {
	var want []int
	for i, x := range f.Fields() {
		if x.Kind != Other {
			want = append(want, i)
		}
	}
	for unit := range f.Units() {
		for b, err := range f.Read(context.Background(), unit, want) {
			if err != nil {
				return rows, err
			}
			for i := range b.N {
				if k := slices.IndexFunc(b.Bad, func(x BadRow) bool { return x.Index == i }); k >= 0 {
					rows = append(rows, []string{b.Bad[k].Reason})
					continue
				}
				var row []string
				for k := range b.Cols {
					row = append(row, show(&b.Cols[k], i))
				}
				rows = append(rows, row)
			}
		}
	}
	return rows, nil
}

func show(c *Column, i int) string {
	switch {
	case c.Null != nil && c.Null[i]:
		return "∅"
	case c.Codes != nil:
		return show(c.Dict, int(c.Codes[i]))
	case c.Kind == Text:
		return string(c.Data[c.Start[i]:c.End[i]])
	case c.Kind == Float:
		return fmt.Sprint(c.Floats[i])
	}
	return fmt.Sprint(c.Ints[i])
}

func open(t testing.TB, name string, data []byte, opts Options) (File, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return Open(context.Background(), Object{URL: path, Path: name, Size: int64(len(data))}, opts)
}

// TestCSVSpectrum reads the csv-spectrum suite, whole.
func TestCSVSpectrum(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(realdata.Path(t, "csv-spectrum", "csvs"), "*.csv"))
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, path := range files {
		name := filepath.Base(path)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		expected, err := os.ReadFile(realdata.Path(t, "csv-spectrum", "json", strings.TrimSuffix(name, ".csv")+".json"))
		if err != nil {
			t.Fatal(err)
		}
		if name == "location_coordinates.csv" {
			continue // its expected file describes another row, see below
		}
		var want []map[string]string
		if err := json.Unmarshal(expected, &want); err != nil {
			t.Fatal(err)
		}
		f, err := open(t, name, data, Options{})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		rows, err := all(f)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var got []map[string]string
		for _, r := range rows {
			m := map[string]string{}
			for i, v := range r {
				m[f.Fields()[i].Name] = v
			}
			got = append(got, m)
		}
		if !slices.EqualFunc(got, want, func(a, b map[string]string) bool { return maps.Equal(a, b) }) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}

// TestCSVSpectrumCoordinates reads the one file of the suite whose expected values are
// those of another row.
func TestCSVSpectrumCoordinates(t *testing.T) {
	data, err := os.ReadFile(realdata.Path(t, "csv-spectrum", "csvs", "location_coordinates.csv"))
	if err != nil {
		t.Fatal(err)
	}
	f, err := open(t, "a.csv", data, Options{})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := all(f)
	want := "2095257564|37�36'37.8\"N 121�2'17.9\"W|Modesto|Stanislaus"
	if err != nil || len(rows) != 1 || strings.Join(rows[0], "|") != want {
		t.Errorf("%q, %v", rows, err)
	}
}

// TestText reads the forms in which text files come.
func TestText(t *testing.T) {
	encode := func(e interface{ String(string) (string, error) }, s string) []byte {
		out, err := e.String(s)
		if err != nil {
			t.Fatal(err)
		}
		return []byte(out)
	}
	gz := func(s string) []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		if _, err := w.Write([]byte(s)); err != nil {
			t.Fatal(err)
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	zst := func(s string) []byte {
		e, err := zstd.NewWriter(nil)
		if err != nil {
			t.Fatal(err)
		}
		return e.EncodeAll([]byte(s), nil)
	}
	plain := "id,name\n1,Größe\n2,\"a \"\"b\"\"\nc\"\n"
	want := "1|Größe,2|a \"b\"\nc"
	for _, c := range []struct {
		name, file string
		data       []byte
		opts       Options
		want       string
	}{
		{"plain", "a.csv", []byte(plain), Options{}, want},
		{"byte order mark, CRLF", "a.csv", []byte("\ufeff" + strings.ReplaceAll(plain, "\n1", "\r\n1")), Options{}, want},
		{"no last line end", "a.csv", []byte("id,name\n1,Größe\n2,"), Options{}, "1|Größe,2|"},
		{"tab", "a.tsv", []byte("id\tname\n1\tx,y\n"), Options{}, "1|x,y"},
		{"semicolon", "a.csv", []byte("id;name\n1;\"x;y\"\n"), Options{Delimiter: ";"}, "1|x;y"},
		{"blanks", "a.txt", []byte(" id  name\n 1   x\n"), Options{Delimiter: "whitespace"}, "1|x"},
		{"header given", "a.csv", []byte("1,x\n"), Options{NoHeader: []string{"id", "name"}}, "1|x"},
		{"UTF-16 with mark", "a.csv", encode(unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewEncoder(), plain), Options{}, want},
		{"UTF-16 big endian", "a.csv", encode(unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder(), plain), Options{Encoding: "utf-16"}, want},
		{"Latin-1", "a.csv", encode(charmap.ISO8859_1.NewEncoder(), plain), Options{Encoding: "latin-1"}, want},
		{"Windows-1252", "a.csv", encode(charmap.Windows1252.NewEncoder(), "id,name\n1,€\n"), Options{Encoding: "windows-1252"}, "1|€"},
		{"gzip", "a.csv.gz", gz(plain), Options{}, want},
		{"zstd", "a.csv.zst", zst(plain), Options{}, want},
		{"ragged, quote amiss", "a.csv", []byte("id,name\n1\n2,x,y\n\"3\"z,x\n4,x\n"), Options{}, "ragged_row,ragged_row,ragged_row,4|x"},
		{"no UTF-8", "a.csv", []byte("id,name\n1,\xff\n2,x\n"), Options{}, "invalid_utf8,2|x"},
		{"long field", "a.csv", []byte("id,name\n1,abcdef\n2,x\n"), Options{MaxField: 5}, "field_too_long,2|x"},
		{"blank lines", "a.csv", []byte("id,name\n\n1,x\n\n"), Options{}, "1|x"},
		{"JSON Lines", "a.jsonl", []byte("{\"id\": 1.50, \"name\": {\"first\": \"x\\u00e9\"}, \"tags\": [1]}\n\n{\"id\": null}\n{\"id\"\n[1]\n{\"id\": true, \"name\": {\"first\": \"y\"}}\n"), Options{}, "1.50|xé,∅|∅,invalid_json,invalid_json,true|y"},
	} {
		f, err := open(t, c.file, c.data, c.opts)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		rows, err := all(f)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var lines []string
		for _, r := range rows {
			lines = append(lines, strings.Join(r, "|"))
		}
		if got := strings.Join(lines, ","); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// TestBrokenText names file, place and remedy of what cannot be read.
func TestBrokenText(t *testing.T) {
	for _, c := range []struct {
		name, file, data string
		opts             Options
		is               error
		says             string
	}{
		{"empty", "a.csv", "", Options{}, ErrEmpty, "there is nothing in it"},
		{"blank lines only", "a.csv", "\n\n", Options{}, ErrEmpty, "there is nothing in it"},
		{"delimiter", "a.csv", "id;name\n1;x\n", Options{}, ErrOptions, "declare `delimiter: \";\"`"},
		{"encoding", "a.csv", "gr\xf6sse,id\n1,x\n", Options{}, ErrOptions, "declare `encoding:`"},
		{"duplicate", "a.csv", "id,id\n", Options{}, nil, "columns 1 and 2 are both named \"id\""},
		{"JSON array", "a.json", "[{\"id\": 1}]", Options{}, ErrOptions, "jq -c"},
		{"unknown encoding", "a.csv", "id\n1\n", Options{Encoding: "ebcdic"}, nil, "is unknown"},
		{"Parquet", "a.parquet", "PAR1 nothing here PAR1", Options{}, nil, "no readable Parquet file"},
		{"Parquet footer of 4 GB", "a.parquet", "PAR1 some bytes \xff\xff\xff\xfePAR1", Options{}, nil, "its footer claims 4278190079 bytes"},
		{"open quote", "a.csv", "id,name\n1,\"x\n2,y\n", Options{}, nil, "never ends"},
		{"cut gzip", "a.csv.gz", "\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff", Options{}, nil, "cut off or damaged"},
	} {
		f, err := open(t, c.file, []byte(c.data), c.opts)
		if err == nil {
			_, err = all(f)
		}
		if err == nil || !strings.Contains(err.Error(), c.says) || c.is != nil && !errors.Is(err, c.is) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// TestLongRowsStayBounded reads past a row of 100 MB without keeping it.
func TestLongRowsStayBounded(t *testing.T) {
	text := io.MultiReader(strings.NewReader("id,name\n1,x\n2,\""), io.LimitReader(repeat('y'), 100<<20), strings.NewReader("\"\n3,z\n"))
	f, err := openCSV("a.csv", func() (io.ReadCloser, error) { return io.NopCloser(text), nil }, Options{NoHeader: []string{"id", "name"}})
	if err != nil {
		t.Fatal(err)
	}
	rows, err := all(f)
	if err != nil || len(rows) != 4 || rows[2][0] != schemas.ReasonFieldTooLong || rows[3][1] != "z" {
		t.Errorf("%d rows, %v", len(rows), err)
	}
}

type repeat byte

func (r repeat) Read(b []byte) (int, error) {
	if len(b) > 0 {
		b[0] = byte(r)
		for n := 1; n < len(b); n *= 2 {
			copy(b[n:], b[:n])
		}
	}
	return len(b), nil
}

// TestParquetTesting opens every file of parquet-testing: it is read, or refused with an
// error that names the file; nothing panics.
func TestParquetTesting(t *testing.T) {
	root := realdata.Path(t, "parquet-testing")
	read, refused := 0, 0
	for _, dir := range []string{"data", "bad_data"} {
		files, err := filepath.Glob(filepath.Join(root, dir, "*.parquet"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%d files, %v", len(files), err)
		}
		for _, path := range files {
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			f, err := Open(t.Context(), Object{URL: path, Path: filepath.Base(path), Size: info.Size()}, Options{})
			if err == nil {
				_, err = all(f)
				f.Close()
			}
			var fe *FileError
			switch {
			case err == nil:
				read++
			case errors.As(err, &fe):
				refused++
				t.Logf("%s: %v", filepath.Base(path), err)
			default:
				t.Errorf("%s: an error without place: %v", filepath.Base(path), err)
			}
		}
	}
	t.Logf("%d read, %d refused", read, refused)
	if read < 50 {
		t.Errorf("only %d files could be read", read)
	}
}

// TestParquetValues compares values that the suite documents.
func TestParquetValues(t *testing.T) {
	for _, c := range []struct{ file, want string }{
		{"int32_decimal.parquet", "100 200 300 400"}, {"int64_decimal.parquet", "100 200 300 400"},
		{"byte_array_decimal.parquet", "100 200 300 400"}, {"fixed_length_decimal.parquet", "100 200 300 400"},
	} {
		path := realdata.Path(t, "parquet-testing", "data", c.file)
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		f, err := Open(t.Context(), Object{URL: path, Path: c.file, Size: info.Size()}, Options{})
		if err != nil {
			t.Fatal(err)
		}
		rows, err := all(f)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, r := range rows[:4] {
			got = append(got, r[0])
		}
		if strings.Join(got, " ") != c.want || f.Fields()[0].Kind != Decimal || f.Fields()[0].Scale != 2 {
			t.Errorf("%s: %v, %+v", c.file, got, f.Fields()[0])
		}
	}
}

// FuzzCSV splits any bytes without a panic, and reads the same rows whatever the size of
// the pieces in which the text arrives.
func FuzzCSV(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "a,b\r\n\"x\"\"y\",\"\n\"\r\n", "a;b\n;\n", "\"a\",\"b\"\n\"", "a,b\n\"x\"y,2\n", "\xef\xbb\xbfa,b\n1,2"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		read := func(r io.Reader) string {
			file, err := openCSV("f", func() (io.ReadCloser, error) { return io.NopCloser(r), nil }, Options{NoHeader: []string{"a", "b"}})
			if err != nil {
				return "error"
			}
			rows, err := all(file)
			return fmt.Sprint(rows, err != nil)
		}
		if whole, bytewise := read(bytes.NewReader(data)), read(oneByte{bytes.NewReader(data)}); whole != bytewise {
			t.Errorf("%q: %s at once, %s byte by byte", data, whole, bytewise)
		}
	})
}

type oneByte struct{ r io.Reader }

func (o oneByte) Read(b []byte) (int, error) { return o.r.Read(b[:min(1, len(b))]) }

// FuzzJSONL parses any bytes without a panic; every line is a row.
func FuzzJSONL(f *testing.F) {
	f.Add([]byte("{\"a\":1}\n{\"a\":{\"b\":\"x\"}}\nnull\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		file, err := openJSONL("f", func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }, Options{})
		if err != nil {
			return
		}
		rows, err := all(file)
		if err == nil && len(rows) > bytes.Count(data, []byte("\n"))+1 {
			t.Errorf("%d rows of %q", len(rows), data)
		}
	})
}

// TestFlippedBits damages a file at every 97th bit: it is read, or refused with an error
// that names the file; nothing panics.
func TestFlippedBits(t *testing.T) {
	good, err := os.ReadFile(realdata.Path(t, "parquet-testing", "data", "alltypes_plain.snappy.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	refused := 0
	for bit := 0; bit < 8*len(good); bit += 97 {
		data := bytes.Clone(good)
		data[bit/8] ^= 1 << (bit % 8)
		file, err := openParquet("f", bytes.NewReader(data), int64(len(data)), io.NopCloser(nil), false)
		if err == nil {
			_, err = drainFile(file, 100_000)
		}
		var fe *FileError
		if err != nil && !errors.As(err, &fe) {
			t.Errorf("bit %d: an error without place: %v", bit, err)
		}
		if err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Error("no damage was noticed")
	}
}
