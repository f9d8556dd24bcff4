package upstream

import "testing"

func TestASizeIsWrittenExactlyAndReadAgain(t *testing.T) {
	t.Parallel()
	for size, want := range map[Size]string{
		0: "0 B", 1: "1 B", 1000: "1000 B", 1 << 10: "1 KiB", 1536: "1536 B", 3 << 19: "1536 KiB", 100 << 20: "100 MiB", 100<<20 + 1: "104857601 B", 2 << 30: "2 GiB",
	} {
		if got := size.String(); got != want {
			t.Errorf("%d bytes are written %q, want %q", int64(size), got, want)
		}
		if got, err := ParseSize(want); err != nil || got != size {
			t.Errorf("%q is read as %d, %v", want, int64(got), err)
		}
	}
	for text, want := range map[string]Size{"10mib": 10 << 20, " 512 kib ": 512 << 10, "9007199254740993b": 9007199254740993} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q is read as %d, %v", text, int64(got), err)
		}
	}
	for _, text := range []string{"", "10", "MiB", "-1 MiB", "1.5 MiB", "10 MB", "10 MiBs", "9223372036854775807 KiB", "99999999999999999999 B"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q is read as %d", text, int64(got))
		}
	}
}
