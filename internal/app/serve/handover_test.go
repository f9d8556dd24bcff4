package serve

import (
	"context"
	"net"
	"net/http"
	"testing"
	"time"
)

func TestAConnectionThatIsHandedOverIsNotTakenForUnused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ handed, closed bool }{
		"nothing has arrived": {false, true},
		"handed over":         {true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ours, theirs := net.Pipe()
			defer func() { _, _ = ours.Close(), theirs.Close() }()
			var open connections
			if c.handed {
				open.expect(ours)
			}
			open.track(ours, http.StateNew)
			open.closeFresh()
			go func() { _, _ = theirs.Write([]byte("x")) }()
			if _, err := ours.Read(make([]byte, 1)); (err != nil) != c.closed {
				t.Errorf("reading says %v", err)
			}
		})
	}
}

func TestADrainWaitsForAConnectionThatIsBeingHandedOver(t *testing.T) {
	t.Parallel()
	s := newStandard(http.NotFoundHandler())
	ours, theirs := net.Pipe()
	defer func() { _, _ = ours.Close(), theirs.Close() }()
	s.conns.expect(ours) // and net/http does not know of it yet
	done := make(chan error, 1)
	go func() { done <- s.drain(context.Background()) }()
	select {
	case err := <-done:
		t.Fatalf("the drain is over: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	s.conns.track(ours, http.StateClosed)
	if err := <-done; err != nil {
		t.Error(err)
	}
}
