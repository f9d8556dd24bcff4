package openapi

import (
	"bytes"
	"go/ast"
	"go/format"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func shellWord(t interface{ Fatal(...any) }, s string) string {
	out, err := exec.Command("sh", "-c", "printf %s "+quoteShell(s)).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestShellReadsBackWhatWasQuoted(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching("['\"\\\\$`!\n a-]{0,20}")).Draw(t, "s")
		if got := shellWord(t, s); got != strings.ReplaceAll(s, "\x00", "") {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

func FuzzQuoteShell(f *testing.F) {
	for _, s := range []string{"", "'", "''", `\'`, "$(id)", "`id`", "a\nb", "!!", "\x00'", "-e", "\xff"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := shellWord(t, s); got != strings.ReplaceAll(s, "\x00", "") {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

// received is what a server saw of a call.
type received struct{ method, uri, auth, contentType, mode, body string }

// listen answers every call and records the last.
func listen(t *testing.T) (string, func() received) {
	t.Helper()
	calls := make(chan received, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		calls <- received{r.Method, r.RequestURI, r.Header.Get("Authorization"), r.Header.Get("Content-Type"), r.Header.Get("X-Mode"), string(body)}
	}))
	t.Cleanup(server.Close)
	return server.URL, func() received {
		select {
		case r := <-calls:
			return r
		default:
			t.Fatal("the sample made no call")
			return received{}
		}
	}
}

const awkwardKey = `k'"$(id)` + "`\\"

func sampleCode(op *Operation, base, language string) string {
	for _, s := range Samples(op, SampleInput{BaseURL: base, Key: awkwardKey}) {
		if s.Language == language {
			return s.Code
		}
	}
	return ""
}

// runners execute a sample; their programs may be missing on a machine.
var runners = map[string][]string{
	"curl":       {"sh", "-s"},
	"JavaScript": {"node", "--input-type=module", "-"},
	"Python":     {"python3", "-"},
}

// requestsStub lets Python samples run without installing requests.
const requestsStub = `
import sys, types, json as j, urllib.request
m = types.ModuleType("requests")
def call(method):
    def go(url, headers=None, json=None, data=None, timeout=None):
        body = j.dumps(json).encode() if json is not None else data
        r = urllib.request.urlopen(urllib.request.Request(url, data=body, headers=headers, method=method), timeout=timeout)
        return types.SimpleNamespace(status_code=r.status, text=r.read().decode())
    return go
for name in "get post put patch delete head options".split():
    setattr(m, name, call(name.upper()))
sys.modules["requests"] = m
`

func TestSamplesMakeTheCallTheyShow(t *testing.T) {
	t.Parallel()
	for language, command := range runners {
		t.Run(language, func(t *testing.T) {
			t.Parallel()
			if _, err := exec.LookPath(command[0]); err != nil {
				t.Skip(err)
			}
			base, last := listen(t)
			run := func(op *Operation) received {
				t.Helper()
				code := sampleCode(op, base, language)
				if language == "Python" {
					code = requestsStub + code
				}
				cmd := exec.CommandContext(t.Context(), command[0], command[1:]...)
				cmd.Stdin = strings.NewReader(code)
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%v\n%s\n%s", err, code, out)
				}
				return last()
			}
			shop := fixture(t, "shop-3.1.yaml")
			got := run(operation(t, shop, "create-order"))
			want := `{"lines":[{"sku":"it's","count":2}],"note":"a \"quoted\" $HOME ` + "`x`" + ` \\ line\nbreak"}`
			if got.method != "POST" || got.uri != "/orders" || got.auth != "Bearer "+awkwardKey || !strings.HasPrefix(got.contentType, "application/json") || compact(t, got.body) != compact(t, want) {
				t.Errorf("%+v", got)
			}
			if got := run(operation(t, shop, "list-orders")); got.method != "GET" || got.uri != "/orders?status=open" {
				t.Errorf("%+v", got)
			}
		})
	}
}

func TestCurlSampleSendsForms(t *testing.T) {
	t.Parallel()
	base, last := listen(t)
	op := operation(t, fixture(t, "files-3.0.json"), "files-put")
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "echo content > file.bin\n"+sampleCode(op, base, "curl"))
	cmd.Dir = t.TempDir()
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	got := last()
	if got.method != "PUT" || got.uri != "/files/a%20b%2Fc%27d" || len(got.mode) < 8 || !strings.Contains(got.body, "content") || !strings.Contains(got.body, `name="title"`) {
		t.Errorf("%+v", got)
	}
}

func compact(t *testing.T, s string) string {
	t.Helper()
	n, err := scanJSON(s, newFindings())
	if err != nil {
		t.Fatalf("%v: %s", err, s)
	}
	return string(n.raw())
}

func TestGoSamplesCompileAndAreFormatted(t *testing.T) {
	t.Parallel()
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "source", nil)
	for _, name := range fixtures {
		for _, op := range fixture(t, name).Operations {
			code := sampleCode(&op, "https://gw.example", "Go")
			file, err := parser.ParseFile(fset, op.Slug+".go", code, 0)
			if err != nil {
				t.Fatalf("%v\n%s", err, code)
			}
			if _, err := (&types.Config{Importer: imports}).Check("main", fset, []*ast.File{file}, nil); err != nil {
				t.Errorf("%v\n%s", err, code)
			}
			if formatted, err := format.Source([]byte(code)); err != nil || !bytes.Equal(formatted, []byte(code)) {
				t.Errorf("not as gofmt writes it (%v):\n%s", err, code)
			}
		}
	}
}

func TestMarkdownHoldsWhatThePageShows(t *testing.T) {
	t.Parallel()
	op := operation(t, fixture(t, "shop-3.1.yaml"), "list-orders")
	text := Markdown(op)
	for _, want := range []string{"# List orders\n", "`GET /orders`", "| `limit` | query | integer | Default: 20. ≥ 1, ≤ 100. |", "### 200", "- `lines` (array of object, required)", "```json\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}
