package request_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"tollgate/internal/portal/request"
)

func TestAStreamThatFailsIsNeverTakenForWhole(t *testing.T) {
	t.Parallel()
	broken := errors.New("the database is gone")
	for _, c := range []struct {
		name      string
		rows      int
		fails     error
		early, ok bool
	}{
		{"complete", 10_000, nil, false, true},
		{"broken before the first byte", 1, broken, true, false},
		{"broken in the middle", 10_000, broken, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			engine := gin.New()
			var early error
			engine.GET("/", func(g *gin.Context) {
				early = request.New(g, g.Request.Context(), nil).Stream("a file.csv", "text/csv", func(w io.Writer) error {
					for range c.rows {
						if _, err := io.WriteString(w, "a row of the file\n"); err != nil {
							return err
						}
					}
					return c.fails
				})
			})
			srv := httptest.NewServer(engine)
			defer srv.Close()
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
			if err != nil {
				t.Fatal(err)
			}
			res, err := http.DefaultClient.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = res.Body.Close() }()
			body, err := io.ReadAll(res.Body)
			if got := err == nil && early == nil; got != c.ok || errors.Is(early, broken) != c.early {
				t.Errorf("read %d bytes with %v; the handler returned %v", len(body), err, early)
			}
			if c.ok && (strings.Count(string(body), "\n") != c.rows || res.Header.Get("Content-Disposition") != `attachment; filename="a-file.csv"`) {
				t.Errorf("%d bytes, %v", len(body), res.Header)
			}
		})
	}
}
