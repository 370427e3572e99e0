package pipeline

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cohortline/cohortline/pipeline/source"
	"github.com/cohortline/cohortline/schemas"
	"github.com/parquet-go/parquet-go"
)

// disturber does something to a file when it is given the first orders or ids.
type disturber struct {
	disturb func() error
	done    bool
}

func (d *disturber) act() error {
	if d.done {
		return nil
	}
	d.done = true
	return d.disturb()
}

func (d *disturber) Add(*schemas.OrderBatch) error { return d.act() }
func (d *disturber) Close()                        {}

type idDisturber struct{ disturber }

func (d *idDisturber) Add(uint16, *schemas.Strings) error { return d.act() }

// TestReplacedWhileRead changes a file while it is read: what was identified is not what has
// been read, so the run must end, whatever the change and whether or not the rest could be read.
func TestReplacedWhileRead(t *testing.T) {
	const header, row = "order_id,customer_id,ordered_at,gross_amount,date,currency,rate\n", "1,a,2024-01-01T00:00:00Z,2,2024-01-01,USD,0.9\n"
	text := []byte(header + strings.Repeat(row, 5))
	type order struct {
		ID       string    `parquet:"order_id"`
		Customer string    `parquet:"customer_id"`
		At       time.Time `parquet:"ordered_at,timestamp(microsecond)"`
		Gross    int64     `parquet:"gross_amount,decimal(2:18)"`
	}
	for name, c := range map[string]struct {
		disturb func(path string) error
		ok      bool
	}{
		"left alone": {func(string) error { return nil }, true},
		"read by others": {func(path string) error {
			_, err := os.ReadFile(path)
			return err
		}, true},
		"appended to": {func(path string) error {
			f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				return err
			}
			_, err = f.WriteString(row)
			return errors.Join(err, f.Close())
		}, false},
		"moved over": {func(path string) error {
			old, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(path+".new", old, 0o644), os.Chtimes(path+".new", time.Now(), time.Now().Add(time.Hour)), os.Rename(path+".new", path))
		}, false},
		"cut off": {func(path string) error { return os.Truncate(path, 40) }, false},
		"removed": {os.Remove, false},
	} {
		for _, file := range []string{"o.csv", "o.parquet"} {
			t.Run(name+" "+file, func(t *testing.T) {
				inputs := func(table string) ([]Input, string) {
					path := filepath.Join(t.TempDir(), file)
					err := os.WriteFile(path, text, 0o644)
					if file == "o.parquet" {
						err = parquet.WriteFile(path, []order{{"1", "a", time.UnixMicro(0), 2}, {"2", "b", time.UnixMicro(0), 3}})
					}
					if err != nil {
						t.Fatal(err)
					}
					list, err := ListInputs(t.Context(), new(source.Stores), filepath.Dir(path), []SourceSpec{{Table: table, Name: "o", Paths: []string{file}}}, table)
					if err != nil {
						t.Fatal(err)
					}
					return list, path
				}
				check := func(what string, err error) {
					t.Helper()
					var fe *source.FileError
					if replaced := errors.As(err, &fe) && fe.File == file && fe.What == "was replaced while it was being read"; replaced == c.ok || c.ok && err != nil {
						t.Errorf("%s: %v", what, err)
					}
				}
				list, path := inputs("orders")
				env := MapEnv{Interns: &schemas.Interns{Currency: schemas.NewIntern("EUR")}, Reporting: "EUR"}
				_, err := ExtractOrders(t.Context(), list, env, 1, func() OrderWriter { return &disturber{disturb: func() error { return c.disturb(path) }} }, nil)
				check("orders", err)
				if file == "o.csv" { // rates are read at once: the file is another one before it is opened
					list, path = inputs("fx")
					if err := c.disturb(path); err != nil {
						t.Fatal(err)
					}
					if name != "removed" { // it is missing then, which is said
						_, _, _, err = ReadRates(t.Context(), list)
						check("rates", err)
					}
					return
				}
				list, path = inputs("orders")
				_, err = ExtractIDs(t.Context(), list, 1, func() IDWriter {
					return &idDisturber{disturber{disturb: func() error { return c.disturb(path) }}}
				})
				check("ids", err)
			})
		}
	}
}
