package internal_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// serverTime is SQL that asks the database for the time. Business time comes
// from internal/clock alone; Go's own clock is watched by the linter.
var serverTime = regexp.MustCompile(`[^.\w](now|NOW)\(\)|(?i:current_timestamp|clock_timestamp|statement_timestamp)`)

func TestNoStatementAsksTheDatabaseForTheTime(t *testing.T) {
	t.Parallel()
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		source, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for i, line := range strings.Split(string(source), "\n") {
			if serverTime.MatchString(line) {
				t.Errorf("%s:%d: %s", path, i+1, strings.TrimSpace(line))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
