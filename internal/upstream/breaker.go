package upstream

import "time"

// breaker stops calls to a target that fails most of them. Closed, it counts;
// open, it admits nothing; half open, it admits one probe, which decides.
type breaker struct {
	window  window
	open    int64  // until then; 0: closed
	probe   uint32 // number of the last probe
	probing bool
}

// admits reports whether a call may go to the target at a moment.
func (b *breaker) admits(at int64) bool { return b.open == 0 || (at >= b.open && !b.probing) }

// admit lets a call through that admits has allowed; the number is 0 unless it
// is a probe.
func (b *breaker) admit(at int64) uint32 {
	if b.open == 0 || at < b.open {
		return 0
	}
	b.probing = true
	b.probe = max(b.probe+1, 1)
	return b.probe
}

// report counts a call. While the breaker is open, calls that had begun before
// say nothing: the probe decides.
func (b *breaker) report(probe uint32, o Outcome, firstByte time.Duration, at int64, p Breaker) {
	if b.open == 0 {
		b.count(o, firstByte, at)
		if p.Percent > 0 && o == Failure {
			if s := b.window.sum(at); int(s.calls) >= p.Calls && int(s.failures)*100 >= p.Percent*int(s.calls) {
				b.open = at + int64(p.Open)
			}
		}
		return
	}
	if probe == 0 || probe != b.probe || !b.probing {
		return
	}
	b.probing = false
	switch o {
	case Success:
		b.open = 0
		b.window.clear()
		b.count(o, firstByte, at)
	case Failure:
		b.open = at + int64(p.Open)
	case ClientFault: // it told nothing: the next call is the probe
	}
}

func (b *breaker) count(o Outcome, firstByte time.Duration, at int64) {
	if o == ClientFault {
		return
	}
	w := b.window.at(at)
	w.calls++
	if o == Failure {
		w.failures++
	}
	if firstByte > 0 {
		w.answered++
		w.firstByte += firstByte
	}
}
