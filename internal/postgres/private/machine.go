package private

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"syscall"
)

// binaries are PostgreSQL's programs of one major version.
type binaries struct {
	initdb, postgres string
	major            string
}

// ErrNoPostgres says that the machine has no PostgreSQL server programs.
var ErrNoPostgres = errors.New("no PostgreSQL server was found: install it (Debian, Ubuntu: apt-get install postgresql), or set DATABASE_URL to a PostgreSQL of yours, version 15 or newer")

// findBinaries looks on PATH, then where distributions put them, newest first.
func findBinaries() (binaries, error) {
	var dirs []string
	if p, err := exec.LookPath("initdb"); err == nil {
		dirs = append(dirs, filepath.Dir(p))
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin"} {
		found, _ := filepath.Glob(pattern)
		sort.Sort(sort.Reverse(sort.StringSlice(found)))
		dirs = append(dirs, found...)
	}
	for _, d := range dirs {
		b := binaries{initdb: filepath.Join(d, "initdb"), postgres: filepath.Join(d, "postgres")}
		out, err := exec.Command(b.postgres, "--version").Output()
		if err != nil {
			continue
		}
		fields := strings.Fields(string(out)) // postgres (PostgreSQL) 15.18 …
		if len(fields) < 3 {
			continue
		}
		b.major, _, _ = strings.Cut(fields[2], ".")
		if n, err := strconv.Atoi(b.major); err == nil && n >= 15 {
			return b, nil
		}
	}
	return binaries{}, ErrNoPostgres
}

// account is whom the server runs as when we are root, which PostgreSQL refuses.
type account struct{ uid, gid uint32 }

func serverUser() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		return nil, errors.New("as root, PostgreSQL needs the system user “postgres”, which does not exist: install the postgresql package, or run Tollgate as an ordinary user")
	}
	uid, err1 := strconv.ParseUint(u.Uid, 10, 32)
	gid, err2 := strconv.ParseUint(u.Gid, 10, 32)
	return &account{uint32(uid), uint32(gid)}, errors.Join(err1, err2)
}

func (a *account) credential() *syscall.Credential {
	if a == nil {
		return nil
	}
	return &syscall.Credential{Uid: a.uid, Gid: a.gid}
}

func (a *account) chown(paths ...string) error {
	if a == nil {
		return nil
	}
	for _, p := range paths {
		if err := os.Chown(p, int(a.uid), int(a.gid)); err != nil {
			return fmt.Errorf("give %s to the postgres user: %w", p, err)
		}
	}
	return nil
}

// usableDir is dir, unless the server's user cannot walk to it (a clone under a
// closed home): then a folder under /var/lib that is derived from dir.
func usableDir(dir string, owner *account) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("data directory: %w", err)
	}
	if owner != nil && !walkable(existingParent(abs), owner) {
		sum := sha256.Sum256([]byte(abs))
		abs = filepath.Join("/var/lib/tollgate", fmt.Sprintf("%x", sum[:6]), filepath.Base(abs))
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o755); err != nil {
		return "", fmt.Errorf("make the data directory's parent: %w", err)
	}
	return abs, nil
}

func existingParent(p string) string {
	for {
		p = filepath.Dir(p)
		if _, err := os.Stat(p); err == nil || p == "/" {
			return p
		}
	}
}

// walkable reports whether every folder up to / has the search bit for owner.
func walkable(dir string, owner *account) bool {
	for {
		fi, err := os.Stat(dir)
		if err != nil {
			return false
		}
		st := fi.Sys().(*syscall.Stat_t)
		bit := os.FileMode(0o001)
		switch {
		case st.Uid == owner.uid:
			bit = 0o100
		case st.Gid == owner.gid:
			bit = 0o010
		}
		if fi.Mode()&bit == 0 {
			return false
		}
		if dir == "/" {
			return true
		}
		dir = filepath.Dir(dir)
	}
}

// checkDir tells apart what may be wrong with an existing data directory.
func checkDir(dir string, bin binaries) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the data directory: %w", err)
	}
	version, err := os.ReadFile(filepath.Join(dir, "PG_VERSION"))
	if err != nil {
		if len(entries) == 0 {
			return os.Remove(dir) // initialize renames a whole cluster into its place
		}
		return fmt.Errorf("%s is not a PostgreSQL cluster, or a damaged one: move it away and start again, or choose another data directory", dir)
	}
	if got := strings.TrimSpace(string(version)); got != bin.major {
		return fmt.Errorf("%s was made by PostgreSQL %s, this machine has %s: install version %s, or move the folder away to start afresh", dir, got, bin.major, got)
	}
	return checkNotRunning(dir)
}

func checkNotRunning(dir string) error {
	pidfile := filepath.Join(dir, "postmaster.pid")
	data, err := os.ReadFile(pidfile)
	if err != nil {
		return nil // none: not running
	}
	line, _, _ := strings.Cut(string(data), "\n")
	pid, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil || !isPostgres(pid) {
		return nil // stale: PostgreSQL removes it itself
	}
	return fmt.Errorf("another Tollgate is using %s (PostgreSQL runs there as process %d): stop that one first, or choose another data directory", dir, pid)
}

func isPostgres(pid int) bool {
	cmdline, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if err != nil {
		return syscall.Kill(pid, 0) == nil && !os.IsNotExist(err)
	}
	return strings.Contains(string(cmdline), "postgres")
}
