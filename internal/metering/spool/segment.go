package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"
)

// headerSize is the first block of a segment: magic, id, number of slots.
const headerSize = 4096

const segmentMagic = "TOLLSEG1"

// Segment is one file of slots. Its random id names it in the database, so that
// a copied spool is recognized.
type Segment struct {
	ID      uuid.UUID
	Slots   int64
	Path    string
	file    *os.File
	mapping sync.Mutex // held while data is synced or unmapped
	data    []byte     // the mapped file while this process writes it; nil: read only
}

// create makes a segment, takes its disk space at once and maps it, so that a
// full disk is an error here and no fault later.
func create(dir string, slots int64) (*Segment, error) {
	s := &Segment{ID: uuid.New(), Slots: slots}
	s.Path = filepath.Join(dir, s.ID.String()+".seg")
	f, err := os.OpenFile(s.Path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, fmt.Errorf("make a spool segment: %w", err)
	}
	s.file = f
	if err := s.prepare(); err != nil {
		return nil, errors.Join(fmt.Errorf("make a spool segment: %w", err), s.Close(), os.Remove(s.Path))
	}
	return s, nil
}

// prepare allocates and maps the file. Its pages are made here, so that calls do
// not wait for that (4 µs a page in a virtual machine), and so that a file system
// which does not keep what it allocated says so in an error.
func (s *Segment) prepare() error {
	size := headerSize + s.Slots*SlotSize
	if err := unix.Fallocate(int(s.file.Fd()), 0, 0, size); err != nil {
		return err
	}
	data, err := unix.Mmap(int(s.file.Fd()), 0, int(size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return err
	}
	s.data = data
	err = unix.Madvise(data, unix.MADV_POPULATE_WRITE)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOSYS) { // those: before Linux 5.14
		return err
	}
	_, err = s.file.WriteAt(s.header(), 0)
	return err
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
func (s *Segment) Close() error {
	s.mapping.Lock()
	defer s.mapping.Unlock()
	var unmap error
	if s.data != nil {
		unmap = unix.Munmap(s.data)
		s.data = nil
	}
	return errors.Join(unmap, s.file.Close())
}

// Remove deletes the segment: everything in it has been shipped.
func (s *Segment) Remove() error { return errors.Join(s.Close(), os.Remove(s.Path)) }

// sync brings the slots [from, to) to the disk, and no page beyond: a page that
// is clean costs the next record written to it several microseconds.
func (s *Segment) sync(from, to int64) error {
	s.mapping.Lock()
	defer s.mapping.Unlock()
	if s.data == nil {
		return nil // it was shipped meanwhile
	}
	page := int64(os.Getpagesize())
	start := (headerSize + from*SlotSize) / page * page
	return unix.Msync(s.data[start:headerSize+to*SlotSize], unix.MS_SYNC)
}

func (s *Segment) slot(n int64) []byte {
	off := headerSize + n*SlotSize
	return s.data[off : off+SlotSize : off+SlotSize]
}

// Reader reads slots into memory that it uses again. Its zero value is ready.
type Reader struct {
	buf     []byte
	records []Record
}

// Read decodes the slots [from, to) of a segment and returns the finished
// records among them, valid until the next Read, with how many slots were
// damaged and how many were never written.
func (r *Reader) Read(s *Segment, from, to int64) (records []Record, damaged, empty int, err error) {
	to = min(to, s.Slots)
	if from >= to {
		return nil, 0, 0, nil
	}
	size := int((to - from) * SlotSize)
	if cap(r.buf) < size {
		r.buf = make([]byte, size)
	}
	buf := r.buf[:size]
	n, err := s.file.ReadAt(buf, headerSize+from*SlotSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, 0, 0, fmt.Errorf("read spool: %w", err)
	}
	clear(buf[n:]) // of a file that was cut
	r.records = r.records[:0]
	for ; len(buf) > 0; buf = buf[SlotSize:] {
		rec, err := Decode(buf[:SlotSize])
		switch {
		case errors.Is(err, ErrEmpty):
			empty++
		case err != nil:
			damaged++
		default:
			r.records = append(r.records, rec)
		}
	}
	return r.records, damaged, empty, nil
}
