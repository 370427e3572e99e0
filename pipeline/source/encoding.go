package source

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/unicode"
)

// toUTF8 returns a reader of UTF-8 bytes. A byte order mark is dropped and, where no
// encoding is declared, decides. validate says that the bytes are taken as they are, so
// that every row must be checked.
func toUTF8(r io.Reader, name string) (out *bufio.Reader, validate bool, err error) {
	raw := bufio.NewReaderSize(r, 1<<12) // readers of pieces pass it by
	head, _ := raw.Peek(2048)            // an error shows again when the bytes are read
	mark := ""
	switch {
	case bytes.HasPrefix(head, []byte{0xef, 0xbb, 0xbf}):
		mark = "utf-8"
	case bytes.HasPrefix(head, []byte{0xff, 0xfe}), bytes.HasPrefix(head, []byte{0xfe, 0xff}):
		mark = "utf-16"
	}
	var e encoding.Encoding
	switch strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(name), "-", ""), "_", "") {
	case "":
		if mark == "utf-16" {
			e = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
		}
	case "utf8":
	case "utf16":
		order := unicode.LittleEndian
		if len(head) > 1 && head[0] == 0 && head[1] != 0 {
			order = unicode.BigEndian
		}
		e = unicode.UTF16(order, unicode.UseBOM)
	case "utf16le":
		e = unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	case "utf16be":
		e = unicode.UTF16(unicode.BigEndian, unicode.UseBOM)
	case "latin1", "iso88591":
		e = charmap.ISO8859_1
	case "windows1252", "cp1252":
		e = charmap.Windows1252
	default:
		return nil, false, fmt.Errorf("encoding %q is unknown: use utf-8, utf-16, latin-1 or windows-1252", name)
	}
	if mark == "utf-8" {
		if _, err := raw.Discard(3); err != nil {
			return nil, false, err
		}
	}
	if e == nil {
		return raw, true, nil
	}
	return bufio.NewReaderSize(e.NewDecoder().Reader(raw), 1<<18), false, nil
}
