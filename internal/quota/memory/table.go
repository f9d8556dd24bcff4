package memory

import "tollgate/internal/quota"

// book is what is counted for one key.
type book struct {
	key quota.Key
	quota.Book
}

// table finds books by their key's hash: one place to look, then the book. With
// a million books each step is a miss of every cache, so there are only the two.
type table struct {
	slots []slot // a power of two of them, at most half in use
	used  int
}

type slot struct {
	hash uint64 // 0: free
	book *book
}

func (t *table) get(hash uint64, k *quota.Key) *book {
	if len(t.slots) == 0 {
		return nil
	}
	for i := t.home(hash); t.slots[i].hash != 0; i = t.next(i) {
		if t.slots[i].hash == hash && t.slots[i].book.key == *k {
			return t.slots[i].book
		}
	}
	return nil
}

func (t *table) add(hash uint64, b *book) {
	if t.used++; 2*t.used > len(t.slots) {
		t.fit()
	}
	t.put(slot{hash, b})
}

// fit makes the table as large as what it holds needs.
func (t *table) fit() {
	size := 8
	for size < 2*t.used {
		size *= 2
	}
	old := t.slots
	t.slots = make([]slot, size)
	for _, s := range old {
		if s.hash != 0 {
			t.put(s)
		}
	}
}

func (t *table) put(s slot) {
	i := t.home(s.hash)
	for t.slots[i].hash != 0 {
		i = t.next(i)
	}
	t.slots[i] = s
}

// remove frees slot i and closes the gap, so that no search stops short.
func (t *table) remove(i int) {
	t.used--
	for gap := i; ; {
		t.slots[gap] = slot{}
		for i = t.next(gap); ; i = t.next(i) {
			s := t.slots[i]
			if s.hash == 0 {
				return
			}
			if home := t.home(s.hash); (i-home)&(len(t.slots)-1) >= (i-gap)&(len(t.slots)-1) {
				t.slots[gap] = s
				gap = i
				break
			}
		}
	}
}

func (t *table) home(hash uint64) int { return int(hash>>20) & (len(t.slots) - 1) }
func (t *table) next(i int) int       { return (i + 1) & (len(t.slots) - 1) }
