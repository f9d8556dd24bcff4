package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// headerSize is the first block of a segment: magic, id, number of slots.
const headerSize = 4096

const segmentMagic = "TOLLSEG1"

// Segment is one file of slots. Its random id names it in the database, so that
// a copied spool is recognized.
type Segment struct {
	ID    uuid.UUID
	Slots int64
	Path  string
	file  *os.File
}

// create makes a segment and takes its disk space at once, so that a full disk
// is an error here and never later.
func create(dir string, slots int64) (*Segment, error) {
	s := &Segment{ID: uuid.New(), Slots: slots}
	s.Path = filepath.Join(dir, s.ID.String()+".seg")
	f, err := os.OpenFile(s.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a spool segment: %w", err)
	}
	s.file = f
	err = unix.Fallocate(int(f.Fd()), 0, 0, headerSize+slots*SlotSize)
	if err == nil {
		_, err = f.WriteAt(s.header(), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make a spool segment: %w", err), f.Close(), os.Remove(s.Path))
	}
	return s, nil
}

func (s *Segment) header() []byte {
	h := make([]byte, 32)
	copy(h, segmentMagic)
	copy(h[8:], s.ID[:])
	binary.LittleEndian.PutUint64(h[24:], uint64(s.Slots))
	return h
}

// ErrNotSegment says that a file is not a spool segment.
var ErrNotSegment = errors.New("not a spool segment")

// Open opens a segment that an earlier process left, for reading.
func Open(path string) (*Segment, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open spool segment: %w", err)
	}
	h := make([]byte, 32)
	if _, err := f.ReadAt(h, 0); err != nil || string(h[:8]) != segmentMagic {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrNotSegment), f.Close())
	}
	s := &Segment{Path: path, file: f, Slots: int64(binary.LittleEndian.Uint64(h[24:]))}
	copy(s.ID[:], h[8:])
	fi, err := f.Stat()
	if err != nil || s.Slots < 0 || s.Slots > (fi.Size()-headerSize)/SlotSize {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, ErrNotSegment), f.Close())
	}
	return s, nil
}

// Close closes the file and leaves it.
func (s *Segment) Close() error { return s.file.Close() }

// Remove deletes the segment: everything in it has been shipped.
func (s *Segment) Remove() error { return errors.Join(s.file.Close(), os.Remove(s.Path)) }

func (s *Segment) write(slot int64, r *Record) error {
	var buf [SlotSize]byte
	r.encode(buf[:])
	_, err := s.file.WriteAt(buf[:], headerSize+slot*SlotSize)
	return err
}

// Read decodes the slots [from, to) and returns the finished records among
// them, with how many slots were damaged and how many were never written.
func (s *Segment) Read(from, to int64) (records []Record, damaged, empty int, err error) {
	to = min(to, s.Slots)
	if from >= to {
		return nil, 0, 0, nil
	}
	buf := make([]byte, (to-from)*SlotSize)
	if _, err := s.file.ReadAt(buf, headerSize+from*SlotSize); err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, 0, fmt.Errorf("read spool: %w", err)
	}
	records = make([]Record, 0, to-from)
	for ; len(buf) > 0; buf = buf[SlotSize:] {
		r, err := Decode(buf[:SlotSize])
		switch {
		case errors.Is(err, ErrEmpty):
			empty++
		case err != nil:
			damaged++
		default:
			records = append(records, r)
		}
	}
	return records, damaged, empty, nil
}
