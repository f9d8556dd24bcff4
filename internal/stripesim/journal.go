package stripesim

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

const journalName = "stripe.jsonl"

// journal is a file of JSON lines, one per committed transaction, so that a
// killed process keeps whole transactions or nothing. Opening it rewrites it
// to the live objects and replaces the file atomically.
type journal struct {
	f    *os.File
	size int64
}

type entry struct {
	Put    []entryRecord `json:"put,omitempty"`
	Delete []string      `json:"delete,omitempty"`
}

type entryRecord struct {
	Kind  string          `json:"kind"`
	Value json.RawMessage `json:"value"`
}

// openJournal reads the journal of dir through apply, then compacts it to
// what all returns.
func openJournal(dir string, apply func([]record, []string), all func() []record) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("stripesim: %w", err)
	}
	path := filepath.Join(dir, journalName)
	if err := readJournal(path, apply); err != nil {
		return nil, err
	}
	if err := rewriteJournal(dir, path, all()); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, fmt.Errorf("stripesim: %w", err)
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("stripesim: %w", err), f.Close())
	}
	return &journal{f: f, size: info.Size()}, nil
}

func readJournal(path string, apply func([]record, []string)) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stripesim: %w", err)
	}
	defer func() { _ = f.Close() }()
	r := bufio.NewReaderSize(f, 1<<16)
	for n := 1; ; n++ {
		line, err := r.ReadBytes('\n')
		if errors.Is(err, io.EOF) {
			return nil // a last line without its newline was never answered
		}
		if err != nil {
			return fmt.Errorf("stripesim: %w", err)
		}
		puts, deletes, err := decodeEntry(line)
		if err != nil {
			return fmt.Errorf("stripesim: %s line %d: %w", path, n, err)
		}
		apply(puts, deletes)
	}
}

func decodeEntry(line []byte) ([]record, []string, error) {
	var e entry
	if err := json.Unmarshal(line, &e); err != nil {
		return nil, nil, err
	}
	puts := make([]record, 0, len(e.Put))
	for _, p := range e.Put {
		r, err := decodeRecord(p.Kind, p.Value)
		if err != nil {
			return nil, nil, err
		}
		puts = append(puts, r)
	}
	return puts, e.Delete, nil
}

func encodeEntry(puts []record, deletes []string) ([]byte, error) {
	e := entry{Delete: deletes}
	for _, r := range puts {
		raw, err := json.Marshal(r)
		if err != nil {
			return nil, err
		}
		e.Put = append(e.Put, entryRecord{Kind: r.recordKind(), Value: raw})
	}
	line, err := json.Marshal(e)
	return append(line, '\n'), err
}

func rewriteJournal(dir, path string, records []record) error {
	var buf bytes.Buffer
	for _, r := range records {
		line, err := encodeEntry([]record{r}, nil)
		if err != nil {
			return err
		}
		buf.Write(line)
	}
	tmp, err := os.CreateTemp(dir, journalName+".*")
	if err != nil {
		return fmt.Errorf("stripesim: %w", err)
	}
	_, err = tmp.Write(buf.Bytes())
	err = errors.Join(err, tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("stripesim: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}

// append writes one transaction. After an error the file is as before.
func (j *journal) append(puts []record, deletes []string) error {
	line, err := encodeEntry(puts, deletes)
	if err != nil {
		return err
	}
	if _, err := j.f.Write(line); err != nil {
		return errors.Join(fmt.Errorf("stripesim: %w", err), j.f.Truncate(j.size))
	}
	j.size += int64(len(line))
	return nil
}

func (j *journal) close() error { return j.f.Close() }
