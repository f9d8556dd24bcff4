// Command testreport reads go test's JSON on standard input, shows what failed
// with its output, and closes with the counts.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

type suite struct {
	elapsed float64
	state   string
}

func main() {
	output := map[string][]string{}
	suites := map[string]suite{}
	var passed, failed, skipped int
	in := bufio.NewScanner(os.Stdin)
	in.Buffer(nil, 16<<20)
	for in.Scan() {
		var e event
		if json.Unmarshal(in.Bytes(), &e) != nil {
			fmt.Println(in.Text()) // build errors
			continue
		}
		key := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			output[key] = append(output[key], e.Output)
		case "pass", "fail", "skip":
			if e.Test == "" {
				suites[e.Package] = suite{e.Elapsed, e.Action}
			}
			switch {
			case e.Action == "fail":
				fmt.Print(strings.Join(output[key], ""))
				fallthrough
			default:
				if e.Test == "" {
					break
				}
				passed, failed, skipped = count(e.Action, passed, failed, skipped)
			}
			delete(output, key)
		}
	}
	names := make([]string, 0, len(suites))
	for name := range suites {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if s := suites[name]; s.state != "skip" {
			fmt.Printf("%-6s %7.1f s  %s\n", s.state, s.elapsed, name)
		}
	}
	fmt.Printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped)
	if failed > 0 || passed == 0 {
		os.Exit(1)
	}
}

func count(action string, passed, failed, skipped int) (int, int, int) {
	switch action {
	case "pass":
		return passed + 1, failed, skipped
	case "fail":
		return passed, failed + 1, skipped
	}
	return passed, failed, skipped + 1
}
