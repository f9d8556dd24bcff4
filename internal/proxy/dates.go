package proxy

import (
	"net/http"
	"sync/atomic"
	"time"
)

// dates keeps the Date header of the present second.
type dates struct{ present atomic.Pointer[dated] }

type dated struct {
	second int64
	text   string
}

func (d *dates) at(now time.Time) string {
	if p := d.present.Load(); p != nil && p.second == now.Unix() {
		return p.text
	}
	p := &dated{second: now.Unix(), text: now.UTC().Format(http.TimeFormat)}
	d.present.Store(p)
	return p.text
}
