package story

import (
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheDemoCarriesOnAfterARestart also calls the portal's own API through the
// gateway, which signs who is calling.
func TestTheDemoCarriesOnAfterARestart(t *testing.T) {
	t.Parallel()
	ports, dir := freePorts(t, 6), dataDir(t)
	in, p := runTogether(t, ports, dir)
	usage := func() (status int, calls int) {
		req, err := http.NewRequest(http.MethodGet, in.gateway+"/tollgate/api/v1/usage", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+in.key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = resp.Body.Close() }()
		var body struct{ Calls int }
		text, _ := io.ReadAll(resp.Body)
		_ = json.Unmarshal(text, &body)
		return resp.StatusCode, body.Calls
	}
	if status, _ := usage(); status != http.StatusOK {
		t.Fatalf("the management API answered %d through the gateway", status)
	}
	resp, err := http.Get(in.portal + "/api/v1/usage")
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("the management API answered %d without the gateway", resp.StatusCode)
	}
	p.stop()
	if !strings.Contains(p.output(), "Stopped.") {
		t.Errorf("it did not say that it stopped:\n%s", p.output())
	}
	again, _ := runTogether(t, ports, dir)
	if again.key != in.key || again.people["finance"] != in.people["finance"] {
		t.Error("the second run has other people or another key")
	}
	eventually(t, "the call before the restart is counted", func() bool {
		status, calls := usage()
		return status == http.StatusOK && calls >= 1
	})
	open(t, "finance", in.portal).signIn(again.people["finance"].email, again.people["finance"].password).says("$49.00")
}

// TestADemoWhoseDatabaseWasMovedAwayWorksAgain is the way out that is printed
// for a damaged database; and back.
func TestADemoWhoseDatabaseWasMovedAwayWorksAgain(t *testing.T) {
	t.Parallel()
	ports, dir := freePorts(t, 6), dataDir(t)
	works := func(in *installation, finance person) {
		t.Helper()
		req, err := http.NewRequest(http.MethodGet, in.gateway+"/elements/v1/elements/Fe", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+in.key)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("the printed call answers %d", resp.StatusCode)
		}
		client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
		if resp, err = client.PostForm(in.portal+"/login", url.Values{"email": {finance.email}, "password": {finance.password}}); err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusSeeOther {
			t.Errorf("signing in answers %d", resp.StatusCode)
		}
	}
	move := func(from, to string) {
		t.Helper()
		if err := os.Rename(filepath.Join(dir, from), filepath.Join(dir, to)); err != nil {
			t.Fatal(err)
		}
	}
	first, p := runTogether(t, ports, dir)
	finance := first.people["finance"]
	works(first, finance)
	p.kill() // usage may still be in the spool
	eventually(t, "its database has stopped", func() bool {
		_, err := os.Stat(filepath.Join(dir, "postgres", "postmaster.pid"))
		return os.IsNotExist(err)
	})
	move("postgres", "postgres.damaged")
	second, p := runTogether(t, ports, dir)
	works(second, finance)
	p.stop()
	move("postgres", "postgres.second")
	move("postgres.damaged", "postgres")
	third, _ := runTogether(t, ports, dir)
	works(third, finance)
	if third.key != first.key {
		t.Error("the first database's key is no longer printed")
	}
}
