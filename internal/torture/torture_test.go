package torture

import (
	"flag"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"
)

var (
	kills = flag.Int("kills", 0, "how often the gateway is killed; the other faults follow in proportion. 0: a short round")
	toxi  = flag.String("toxiproxy", "", "toxiproxy's server; without it the network is left alone")
)

// Every call whose answer a client received whole is in the database once,
// whatever was killed, cut, filled up, moved or copied meanwhile.
func TestEveryServedCallIsMeteredOnceWhateverDies(t *testing.T) {
	t.Parallel()
	m := newMachine(t)
	if *kills == 0 {
		table(t, []verdict{m.gatewayKilled(3), m.copiedSpool(1)})
		return
	}
	some := max(*kills/10, 1)
	rows := []verdict{
		m.gatewayKilled(*kills),
		m.databaseKilled(some),
		m.bothKilled(some),
		m.diskFull(some),
		m.clockJumps(some),
		m.rollingRestarts(some),
		m.copiedSpool(some),
	}
	if *toxi != "" {
		rows = append(rows, m.networkFails(some)...)
	}
	table(t, rows)
}

// moment is a random while in which calls go on.
func moment() { time.Sleep(time.Duration(30+rand.IntN(220)) * time.Millisecond) }

func (m *machine) gatewayKilled(n int) verdict {
	g := m.gateway("killed")
	l := m.newLoad(g)
	g.start()
	l.during(func() {
		for range n {
			moment()
			g.kill()
			g.start()
		}
	})
	g.drain()
	return l.settle("gateway killed (`kill -9`)", n)
}

func (m *machine) databaseKilled(n int) verdict {
	g := m.gateway("db-killed")
	l := m.newLoad(g)
	g.start()
	l.during(func() {
		for range n {
			moment()
			m.killDatabase()
			moment()
			m.startDatabase()
			moment()
		}
	})
	g.drain()
	return l.settle("PostgreSQL killed and restarted", n)
}

// bothKilled kills the gateway while the database is down: it comes back from
// the copy of its view on disk.
func (m *machine) bothKilled(n int) verdict {
	g := m.gateway("both-killed")
	l := m.newLoad(g)
	g.start()
	l.during(func() {
		for range n {
			moment()
			m.killDatabase()
			moment()
			g.kill()
			g.start()
			moment()
			g.kill()
			m.startDatabase()
			g.start()
			moment()
		}
	})
	g.drain()
	return l.settle("gateway killed while PostgreSQL is down", 2*n)
}

// diskFull fills the spool while the database is away: on a small disk where a
// test may mount one, else up to its bound.
func (m *machine) diskFull(n int) verdict {
	g := m.gateway("disk-full", "SPOOL_SEGMENT_SLOTS=512", "SPOOL_MAX_SEGMENTS=8")
	name := "spool full (bound)"
	if err := os.MkdirAll(g.dir, 0o700); err != nil {
		m.t.Fatal(err)
	}
	if syscall.Mount("tmpfs", g.dir, "tmpfs", 0, "size=1m") == nil {
		name = "disk full (tmpfs of 1 MiB)"
		m.t.Cleanup(func() { _ = syscall.Unmount(g.dir, syscall.MNT_DETACH) })
	}
	l := m.newLoad(g)
	g.start()
	l.during(func() {
		for range n {
			moment()
			m.killDatabase()
			for before := l.refused.Load(); l.refused.Load() < before+100; {
				time.Sleep(time.Millisecond)
			}
			if rand.IntN(2) == 0 {
				g.kill()
				g.start()
				moment()
			}
			m.startDatabase()
			moment()
		}
	})
	g.drain()
	return l.settle(name, n)
}

// clockJumps moves business time forward by hours and days.
func (m *machine) clockJumps(n int) verdict {
	g := m.gateway("clock")
	l := m.newLoad(g)
	g.start()
	l.during(func() {
		for i := range 2 * n {
			moment()
			m.exec(`UPDATE business_clock SET offset_seconds = offset_seconds + $1`, []int{3600, 26 * 3600}[i%2])
			moment()
		}
	})
	g.drain()
	return l.settle("clock jumps ahead by an hour, a day", 2*n)
}

// rollingRestarts takes one of two gateways down at a time.
func (m *machine) rollingRestarts(n int) verdict {
	sites := []*gateway{m.gateway("rolling-1"), m.gateway("rolling-2")}
	l := m.newLoad(sites...)
	for _, g := range sites {
		g.start()
	}
	l.during(func() {
		for i := range 2 * n {
			moment()
			sites[i%2].stop()
			sites[i%2].start()
		}
	})
	for _, g := range sites {
		g.drain()
	}
	return l.settle("rolling restarts (SIGTERM) of two gateways", 2*n)
}

// copiedSpool lets a second gateway start on a copy of a killed one's folder.
func (m *machine) copiedSpool(n int) verdict {
	a, b := m.gateway("original"), m.gateway("copy")
	l := m.newLoad(a, b)
	for range n {
		a.start()
		l.during(func() {
			moment()
			m.killDatabase()
			moment()
			a.kill()
		})
		_ = os.RemoveAll(b.dir)
		if err := os.CopyFS(b.dir, os.DirFS(a.dir)); err != nil {
			m.t.Fatal(err)
		}
		m.startDatabase()
		l.during(func() {
			a.start()
			b.start()
			moment()
		})
		a.drain()
		b.drain()
	}
	return l.settle("two gateways with a copied spool", n)
}
