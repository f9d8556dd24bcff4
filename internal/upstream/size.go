package upstream

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Size is a number of bytes.
type Size int64

// units are the names that a Size is written with, the largest first.
var units = []struct {
	name  string
	bytes Size
}{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}, {"B", 1}}

// String writes a size exactly, in the largest unit that divides it.
func (s Size) String() string {
	for _, u := range units {
		if s != 0 && s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + " " + u.name
		}
	}
	return "0 B"
}

var errSize = errors.New("not a size such as 10 MiB or 512 KiB")

// ParseSize reads what String writes, whatever the case and the space.
func ParseSize(text string) (Size, error) {
	text = strings.ToLower(strings.TrimSpace(text))
	for _, u := range units {
		number, ok := strings.CutSuffix(text, strings.ToLower(u.name))
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
		if err != nil || n < 0 || Size(n) > math.MaxInt64/u.bytes {
			return 0, errSize
		}
		return Size(n) * u.bytes, nil
	}
	return 0, errSize
}
