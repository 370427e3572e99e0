package source

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"
)

// TestMutatedParquet reads damaged files, 1,000 or as many as COHORTLINE_MUTATIONS says,
// in a child process: each is read, or refused with an error that names the file; the
// process neither dies nor hangs nor uses more memory than it may.
func TestMutatedParquet(t *testing.T) {
	if testing.Short() {
		t.Skip("the race detector takes memory that is measured here")
	}
	n := 1000
	if s := os.Getenv("COHORTLINE_MUTATIONS"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	said := inChild(t, "mutations", strconv.Itoa(n), 10*time.Minute)
	t.Logf("read %s, refused %s, slowest %s s, peak %s bytes", said["read"], said["refused"], said["slowest"], said["peak"])
	refused, err := strconv.Atoi(said["refused"])
	read, err2 := strconv.Atoi(said["read"])
	slowest, err3 := strconv.ParseFloat(said["slowest"], 64)
	if err := errors.Join(err, err2, err3); err != nil {
		t.Fatal(err)
	}
	if read+refused != n || refused < n/4 || read < n/20 || slowest > 5 {
		t.Errorf("of %d files %d were read and %d refused, the slowest took %g s", n, read, refused, slowest)
	}
}

func childMutations(t *testing.T, input string) {
	n, err := strconv.Atoi(input)
	if err != nil {
		t.Fatal(err)
	}
	files := mixedFiles(t)
	read, refused, slowest := 0, 0, time.Duration(0)
	for i := range n {
		data := mutate(files, uint64(i))
		start := time.Now()
		f, err := openParquet("f", bytes.NewReader(data), int64(len(data)), io.NopCloser(nil), i%8 == 0)
		if err == nil {
			_, err = drainFile(f, 1_000_000)
		}
		slowest = max(slowest, time.Since(start))
		var fe *FileError
		switch {
		case err == nil:
			read++
		case errors.As(err, &fe):
			refused++
		default:
			t.Errorf("mutation %d: an error without place: %v", i, err)
		}
	}
	fmt.Printf("read %d\nrefused %d\nslowest %.2f\n", read, refused, slowest.Seconds())
}

// mutate damages one of the files; the same seed gives the same damage.
func mutate(files [][]byte, seed uint64) []byte {
	r := rand.New(rand.NewPCG(seed, 0))
	file := files[r.IntN(len(files))]
	data := bytes.Clone(file)
	footer := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
	for range 1 + r.IntN(3) {
		at := 4 + r.IntN(len(data)-4) // pages and footer
		if len(data) > footer+8 && r.IntN(2) == 0 {
			at = len(data) - 8 - r.IntN(footer+1)
		}
		before := len(data)
		switch r.IntN(8) {
		case 0, 1, 2:
			data[min(at, len(data)-1)] ^= 1 << r.IntN(8)
		case 3:
			data[min(at, len(data)-1)] = byte(r.IntN(256))
		case 4: // varints become long
			for i := at; i < min(at+1+r.IntN(6), len(data)); i++ {
				data[i] = 0xff
			}
		case 5:
			data = append(data[:at], data[min(len(data), at+1+r.IntN(40)):]...)
		case 6:
			part := file[r.IntN(len(file)):]
			data = append(data[:at:at], append(bytes.Clone(part[:min(len(part), 1+r.IntN(40))]), data[at:]...)...)
		case 7: // the pages of one file, the end of another
			other := files[r.IntN(len(files))]
			if r.IntN(4) == 0 {
				data = append(data[:min(at, len(data))], other[min(at, len(other)):]...)
			} else {
				copy(data[min(at, len(data)):], other[min(at, len(other)):][:min(16, len(other)-min(at, len(other)))])
			}
		}
		if len(data) < 16 {
			data = append(data, make([]byte, 16)...)
		}
		if end := len(data) - 8; r.IntN(4) > 0 { // keep the end, so that what is before it is looked at
			copy(data[end+4:], "PAR1")
			if at > before-8-footer {
				footer = max(0, footer+len(data)-before)
			}
			binary.LittleEndian.PutUint32(data[end:], uint32(min(footer, end)))
		}
	}
	return data
}
