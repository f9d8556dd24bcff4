package token

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAMintedKeyChecksOut(t *testing.T) {
	t.Parallel()
	for _, mode := range []Mode{Live, Test} {
		key := Mint(mode)
		if got, err := Check(key); err != nil || got != mode {
			t.Errorf("Check(%q) = %q, %v", key, got, err)
		}
		if !strings.HasPrefix(key, "tg_"+string(mode)+"_") || len(key) != Length {
			t.Errorf("unexpected form %q", key)
		}
	}
}

func TestOneChangedCharacterIsNoticed(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		key := []byte(Mint(Live))
		i := rapid.IntRange(0, len(key)-1).Draw(t, "position")
		c := rapid.Byte().Draw(t, "character")
		if key[i] == c {
			return
		}
		key[i] = c
		if _, err := Check(string(key)); err == nil {
			t.Fatalf("%q passed", key)
		}
	})
}

func TestTheHashDependsOnThePepper(t *testing.T) {
	t.Parallel()
	key := Mint(Live)
	if Sum([]byte("a"), key) == Sum([]byte("b"), key) {
		t.Error("two peppers, one hash")
	}
}

func TestDisplayShowsTooLittleToCallWith(t *testing.T) {
	t.Parallel()
	key := Mint(Test)
	if got := Display(key); got != "tg_test_…"+key[len(key)-4:] {
		t.Errorf("Display = %q", got)
	}
}

func FuzzCheck(f *testing.F) {
	f.Add(Mint(Live))
	f.Add("tg_live_")
	f.Fuzz(func(t *testing.T, key string) {
		if mode, err := Check(key); err == nil && !mode.Valid() {
			t.Errorf("accepted %q with mode %q", key, mode)
		}
	})
}
