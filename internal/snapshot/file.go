package snapshot

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"tollgate/internal/keys/token"
)

// The copy on disk: its form's name, the length and the rows without keys as
// gob, the keys in records of one size, and SHA-256 over all that. The name
// changes with whatever a program of the other form would take for something
// else; a field that it may leave out does not change it.
const (
	fileForm   = "tollgate view 3\n"
	recordSize = len(token.Hash{}) + 3*16 + 8 + 1
)

// errNotView says that a file is not a copy of a view as this program writes
// it: another form, cut off, or damaged.
var errNotView = errors.New("not a whole copy of a view in the present form")

// decode reads a copy of a view.
func decode(raw []byte) (*Data, error) {
	body := len(raw) - sha256.Size
	if body < len(fileForm)+8 || string(raw[:len(fileForm)]) != fileForm {
		return nil, errNotView
	}
	if sum := sha256.Sum256(raw[:body]); !bytes.Equal(sum[:], raw[body:]) {
		return nil, errNotView
	}
	rest := raw[len(fileForm):body]
	size := binary.LittleEndian.Uint64(rest)
	rest = rest[8:]
	if size > uint64(len(rest)) || (uint64(len(rest))-size)%uint64(recordSize) != 0 {
		return nil, errNotView
	}
	d := &Data{}
	if err := gob.NewDecoder(bytes.NewReader(rest[:size])).Decode(d); err != nil {
		return nil, fmt.Errorf("%w: %w", errNotView, err)
	}
	records := rest[size:]
	d.Keys = make([]Credential, 0, len(records)/recordSize)
	for ; len(records) > 0; records = records[recordSize:] {
		var c Credential
		at := records
		for _, field := range [][]byte{c.Hash[:], c.ID[:], c.Org[:], c.Application[:]} {
			at = at[copy(field, at):]
		}
		c.Expires, c.Test = int64(binary.LittleEndian.Uint64(at)), at[8] != 0
		d.Keys = append(d.Keys, c)
	}
	return d, nil
}

// encode writes a copy of a view.
func encode(to io.Writer, d *Data) error {
	sum := sha256.New()
	w := io.MultiWriter(to, sum)
	rows := *d
	rows.Keys = nil
	var head bytes.Buffer
	if err := gob.NewEncoder(&head).Encode(rows); err != nil {
		return err
	}
	buf := binary.LittleEndian.AppendUint64([]byte(fileForm), uint64(head.Len()))
	buf = append(buf, head.Bytes()...)
	for i := range d.Keys {
		c := &d.Keys[i]
		for _, field := range [][]byte{c.Hash[:], c.ID[:], c.Org[:], c.Application[:]} {
			buf = append(buf, field...)
		}
		buf = binary.LittleEndian.AppendUint64(buf, uint64(c.Expires))
		test := byte(0)
		if c.Test {
			test = 1
		}
		if buf = append(buf, test); len(buf) > 1<<16 {
			if _, err := w.Write(buf); err != nil {
				return err
			}
			buf = buf[:0]
		}
	}
	if _, err := w.Write(buf); err != nil {
		return err
	}
	_, err := to.Write(sum.Sum(nil))
	return err
}

func readFile(name string) (*Data, error) {
	raw, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	d, err := decode(raw)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", name, err)
	}
	return d, nil
}

// writeFile replaces the copy on disk in one step, after its bytes are there.
func writeFile(name string, d *Data) error {
	f, err := os.CreateTemp(filepath.Dir(name), filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	err = encode(f, d)
	if err == nil {
		err = f.Sync()
	}
	err = errors.Join(err, f.Close())
	if err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
