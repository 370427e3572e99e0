package jobs

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// Truth is what generated orders were drawn from. A customer joins at a uniformly
// drawn instant with a first purchase, buys again as a Poisson process whose rate is
// Gamma(Shape, Scale) distributed over customers, and after each purchase leaves for
// good with a probability that is Beta(A, B) distributed over customers: the BG/NBD
// model (Fader, Hardie and Lee 2005). Order values are log-normal around a mean of the
// customer's own.
type Truth struct {
	Seed      uint64    `json:"seed"`
	Orders    int64     `json:"orders"`
	Customers int64     `json:"customers"`
	From      time.Time `json:"from"`
	Until     time.Time `json:"until"`
	Shape     float64   `json:"rate_shape"`       // r
	Scale     float64   `json:"rate_scale_weeks"` // α, weeks
	A         float64   `json:"dropout_a"`
	B         float64   `json:"dropout_b"`
	Refunds   float64   `json:"refund_share"` // share of orders that are refunded in full
	Net       string    `json:"net_revenue"`  // exact sum over all orders
}

// GenerateOptions say how many orders to make and where to put them.
type GenerateOptions struct {
	Orders int64 // at least; the last customer is finished
	Seed   uint64
	Files  int
	Dir    string
}

var (
	generateChannels  = []string{"organic", "paid_search", "email", "affiliate", "marketplace"}
	generateCountries = []string{"DE", "FR", "GB", "AT", "NL", "US", ""}
)

// GenerateError is a mistake in what was asked of Generate.
type GenerateError struct{ what string }

func (e *GenerateError) Error() string { return "generate: " + e.what }

// onlyGenerated fails where Generate would write over orders that it has not made: those
// beside which no truth lies.
func onlyGenerated(dir string) error {
	if _, err := os.Stat(filepath.Join(dir, "truth.json")); err == nil {
		return nil
	}
	have, err := filepath.Glob(filepath.Join(dir, "orders-[0-9][0-9][0-9].csv"))
	if err != nil || len(have) == 0 {
		return err
	}
	return &GenerateError{have[0] + " is there and was not generated; choose another folder with --dir"}
}

// Generate writes canonical orders as orders-NNN.csv, what is true of every customer as
// truth.csv, and the parameters as truth.json. The same options give the same files.
func Generate(o GenerateOptions) (*Truth, error) {
	if o.Orders < 1 || o.Files < 1 || o.Files > 1000 {
		return nil, &GenerateError{fmt.Sprintf("%d orders in %d files: both must be at least 1, and the files at most 1,000", o.Orders, o.Files)}
	}
	if err := onlyGenerated(o.Dir); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	t := &Truth{Seed: o.Seed, From: time.Date(2023, 1, 1, 0, 0, 0, 0, time.UTC), Until: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		Shape: 0.9, Scale: 9, A: 0.8, B: 3.2, Refunds: 0.04}
	g := &generation{truth: t, random: rand.New(rand.NewPCG(o.Seed, 0x5eed))}
	people, err := newTextFile(filepath.Join(o.Dir, "truth.csv"), "customer_id,purchase_rate_per_week,dropout_probability,alive_at_end,orders,net_revenue\n")
	if err != nil {
		return nil, err
	}
	var files []*textFile
	for i := range o.Files {
		f, err := newTextFile(filepath.Join(o.Dir, fmt.Sprintf("orders-%03d.csv", i)),
			"order_id,customer_id,ordered_at,updated_at,status,currency,gross_amount,discount_amount,refund_amount,cost_amount,channel,country\n")
		if err != nil {
			return nil, err
		}
		files = append(files, f)
	}
	for t.Orders < o.Orders {
		g.customer(files, people)
	}
	t.Net = formatCents(g.net)
	for _, f := range append(files, people) {
		if err := f.close(); err != nil {
			return nil, err
		}
	}
	data, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return nil, err
	}
	return t, os.WriteFile(filepath.Join(o.Dir, "truth.json"), append(data, '\n'), 0o644)
}

type generation struct {
	truth  *Truth
	random *rand.Rand
	net    int64 // cents
	line   []byte
}

func (g *generation) customer(files []*textFile, people *textFile) {
	t, r := g.truth, g.random
	t.Customers++
	id := fmt.Sprintf("c%08d", t.Customers)
	rate := g.gamma(t.Shape) / t.Scale
	a, b := g.gamma(t.A), g.gamma(t.B)
	dropout := a / (a + b)
	channel := generateChannels[r.IntN(len(generateChannels))]
	country := generateCountries[r.IntN(len(generateCountries))]
	mean := math.Exp(3.4 + 0.5*r.NormFloat64())
	at := t.From.Add(time.Duration(r.Int64N(int64(t.Until.Sub(t.From)))).Truncate(time.Second))
	alive, orders, net := true, 0, int64(0)
	for at.Before(t.Until) {
		orders++
		t.Orders++
		gross := int64(math.Exp(0.4*r.NormFloat64())*mean*100) + 1
		discount := int64(0)
		if r.Float64() < 0.25 {
			discount = gross / 10
		}
		status, refund := "paid", int64(0)
		if r.Float64() < t.Refunds {
			status, refund = "refunded", gross-discount
		}
		net += gross - discount - refund
		d := g.line[:0]
		d = fmt.Appendf(d, "o%010d,%s,", t.Orders, id)
		d = at.AppendFormat(d, time.RFC3339)
		d = append(d, ',')
		d = at.Add(time.Duration(r.IntN(5*86400))*time.Second).AppendFormat(d, time.RFC3339)
		d = append(d, ',')
		d = append(d, status...)
		d = append(d, ",EUR,"...)
		for _, cents := range []int64{gross, discount, refund, gross * 11 / 20} {
			d = append(d, formatCents(cents)...)
			d = append(d, ',')
		}
		d = append(d, channel...)
		d = append(d, ',')
		d = append(d, country...)
		d = append(d, '\n')
		g.line = d
		files[r.IntN(len(files))].write(d)
		if r.Float64() < dropout {
			alive = false
			break
		}
		at = at.Add(time.Duration(r.ExpFloat64() / rate * float64(7*24*time.Hour))).Truncate(time.Second)
		if at.Before(t.From) { // a gap beyond what a duration can hold
			break
		}
	}
	g.net += net
	people.write(fmt.Appendf(nil, "%s,%s,%s,%t,%d,%s\n", id, strconv.FormatFloat(rate, 'g', -1, 64), strconv.FormatFloat(dropout, 'g', -1, 64), alive, orders, formatCents(net)))
}

// gamma draws from Gamma(shape, 1) by Marsaglia and Tsang's method.
func (g *generation) gamma(shape float64) float64 {
	if shape < 1 {
		return g.gamma(shape+1) * math.Pow(g.random.Float64(), 1/shape)
	}
	d := shape - 1.0/3
	c := 1 / math.Sqrt(9*d)
	for {
		x := g.random.NormFloat64()
		v := 1 + c*x
		if v <= 0 {
			continue
		}
		v = v * v * v
		if math.Log(g.random.Float64()) < 0.5*x*x+d-d*v+d*math.Log(v) {
			return d * v
		}
	}
}

func formatCents(cents int64) string {
	sign := ""
	if cents < 0 {
		sign, cents = "-", -cents
	}
	return fmt.Sprintf("%s%d.%02d", sign, cents/100, cents%100)
}

// textFile is a buffered file that remembers its first error.
type textFile struct {
	f   *os.File
	w   *bufio.Writer
	err error
}

func newTextFile(path, header string) (*textFile, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("generate: %w", err)
	}
	t := &textFile{f: f, w: bufio.NewWriterSize(f, 1<<18)}
	t.write([]byte(header))
	return t, nil
}

func (t *textFile) write(b []byte) {
	if t.err == nil {
		_, t.err = t.w.Write(b)
	}
}

func (t *textFile) close() error {
	if t.err == nil {
		t.err = t.w.Flush()
	}
	if err := t.f.Close(); t.err == nil {
		t.err = err
	}
	if t.err != nil {
		return fmt.Errorf("generate: %s: %w", t.f.Name(), t.err)
	}
	return nil
}
