package stripesim

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
)

// record is one stored object. Stored values are never changed in place:
// handlers take a copy, change it and put it back.
type record interface {
	recordID() string
	recordKind() string
}

// decoders know how to read back each kind of record from the journal.
func decodeRecord(kind string, raw json.RawMessage) (record, error) {
	switch kind {
	case "customer":
		return decodeAs[customer](raw)
	case "checkout.session":
		return decodeAs[session](raw)
	case "setup_intent":
		return decodeAs[setupIntent](raw)
	case "payment_method":
		return decodeAs[paymentMethod](raw)
	case "invoice":
		return decodeAs[invoice](raw)
	case "invoiceitem":
		return decodeAs[invoiceItem](raw)
	case "payment_intent":
		return decodeAs[paymentIntent](raw)
	case "charge":
		return decodeAs[charge](raw)
	case "refund":
		return decodeAs[refund](raw)
	case "credit_note":
		return decodeAs[creditNote](raw)
	case "event":
		return decodeAs[event](raw)
	case "delivery":
		return decodeAs[delivery](raw)
	case "idempotency":
		return decodeAs[savedAnswer](raw)
	}
	return nil, fmt.Errorf("stripesim: unknown kind %q in the journal", kind)
}

func decodeAs[T record](raw json.RawMessage) (record, error) {
	var v T
	err := json.Unmarshal(raw, &v)
	return v, err
}

// store keeps every object in memory and every change in the journal.
type store struct {
	mu      sync.Mutex
	journal *journal // nil: memory only
	byID    map[string]record
	byKind  map[string][]string // ids, oldest first
}

func openStore(dir string) (*store, error) {
	st := &store{byID: map[string]record{}, byKind: map[string][]string{}}
	if dir == "" {
		return st, nil
	}
	j, err := openJournal(dir, st.apply, st.all)
	if err != nil {
		return nil, err
	}
	st.journal = j
	return st, nil
}

func (st *store) close() error {
	st.mu.Lock()
	defer st.mu.Unlock()
	if st.journal == nil {
		return nil
	}
	return st.journal.close()
}

// apply makes one journal entry's changes visible.
func (st *store) apply(puts []record, deletes []string) {
	for _, r := range puts {
		id := r.recordID()
		if _, known := st.byID[id]; !known {
			st.byKind[r.recordKind()] = append(st.byKind[r.recordKind()], id)
		}
		st.byID[id] = r
	}
	shrunk := map[string]bool{}
	for _, id := range deletes {
		if r, ok := st.byID[id]; ok {
			delete(st.byID, id)
			shrunk[r.recordKind()] = true
		}
	}
	for kind := range shrunk {
		st.byKind[kind] = slices.DeleteFunc(st.byKind[kind], func(id string) bool {
			_, there := st.byID[id]
			return !there
		})
	}
}

// all returns every record, oldest first within its kind.
func (st *store) all() []record {
	var out []record
	for _, ids := range st.byKind {
		for _, id := range ids {
			out = append(out, st.byID[id])
		}
	}
	return out
}

// tx collects changes that become visible, and durable, together.
type tx struct {
	st      *store
	puts    map[string]record
	order   []string
	deletes map[string]bool
}

// update runs f alone and, if it returns true, commits what it put.
func (st *store) update(f func(*tx) bool) error {
	st.mu.Lock()
	defer st.mu.Unlock()
	t := &tx{st: st, puts: map[string]record{}, deletes: map[string]bool{}}
	if !f(t) || len(t.order)+len(t.deletes) == 0 {
		return nil
	}
	puts := make([]record, 0, len(t.order))
	for _, id := range t.order {
		if !t.deletes[id] {
			puts = append(puts, t.puts[id])
		}
	}
	deletes := make([]string, 0, len(t.deletes))
	for id := range t.deletes {
		deletes = append(deletes, id)
	}
	if st.journal != nil {
		if err := st.journal.append(puts, deletes); err != nil {
			return err
		}
	}
	st.apply(puts, deletes)
	return nil
}

// view runs f alone; what it puts is dropped.
func (st *store) view(f func(*tx)) {
	_ = st.update(func(t *tx) bool { f(t); return false })
}

func (t *tx) put(r record) {
	id := r.recordID()
	if _, seen := t.puts[id]; !seen {
		t.order = append(t.order, id)
	}
	t.puts[id] = r
}

func (t *tx) delete(id string) { t.deletes[id] = true }

func (t *tx) lookup(id string) (record, bool) {
	if t.deletes[id] {
		return nil, false
	}
	if r, ok := t.puts[id]; ok {
		return r, true
	}
	r, ok := t.st.byID[id]
	return r, ok
}

// find returns a copy of the object of type T with this id.
func find[T record](t *tx, id string) (T, bool) {
	r, ok := t.lookup(id)
	if !ok {
		var zero T
		return zero, false
	}
	v, ok := r.(T)
	return v, ok
}

// each visits the objects of type T, oldest first, until f returns false.
// Objects put in this transaction come last.
func each[T record](t *tx, f func(T) bool) {
	var zero T
	ids := t.st.byKind[zero.recordKind()]
	for _, id := range ids {
		if v, ok := find[T](t, id); ok && !f(v) {
			return
		}
	}
	for _, id := range t.order {
		if _, old := t.st.byID[id]; old {
			continue
		}
		if v, ok := find[T](t, id); ok && !f(v) {
			return
		}
	}
}

// rollback drops everything put or deleted so far.
func (t *tx) rollback() {
	t.puts, t.order, t.deletes = map[string]record{}, nil, map[string]bool{}
}
