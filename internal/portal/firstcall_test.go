package portal_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"tollgate/internal/metering/spool"
)

func TestANewKeyComesWithACallThatWorks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.post("/console/subscribe/" + w.free.ID.String())
	b.post("/console/keys", "name", "laptop", "mode", "live")
	page := text(b.get("/console/keys/created").Body)
	for _, s := range []string{"curl 'https://gw.example/weather/current'", "Authorization: Bearer tg_live_", "JavaScript", "Python", "Go"} {
		if !strings.Contains(page, s) {
			t.Errorf("the page lacks %q:\n%s", s, page)
		}
	}
}

func TestTheFirstCallArrives(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	key, _ := b.makeKey("laptop", "live")
	listen := "/console/first-call/" + key.String()
	b.get(listen).expect(http.StatusOK, "", "Waiting for your call", "You hold no plan yet")
	b.post("/console/subscribe/" + w.free.ID.String())
	b.get(listen+"/status").expect(http.StatusOK, "", `"arrived":false`)
	w.exec(`INSERT INTO refusals SELECT date_trunc('hour', $1::timestamptz), org_id, id, 'not-subscribed', 1, $1 FROM keys WHERE id = $2`, w.Clock.Now(), key)
	b.get(listen+"/status").expect(http.StatusOK, "", `"arrived":false`, "was refused", "/problems/not-subscribed")
	b.get("/console").expect(http.StatusOK, "", "1 call was refused in 24 hours: No subscription")
	w.call(key, b.subscription(), w.Clock.Now(), 1, spool.FlagBillable)
	b.get(listen+"/status").expect(http.StatusOK, "", `"arrived":true`, "200 OK", "38 ms")
	b.get(listen).expect(http.StatusOK, "", "Your call arrived")
}

func TestAFailedFirstCallIsNotTakenForAGoodOne(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.customer("ada@acme.example")
	b.post("/console/subscribe/" + w.free.ID.String())
	key, _ := b.makeKey("laptop", "live")
	listen := "/console/first-call/" + key.String()
	w.answered(key, b.subscription(), w.Clock.Now(), 1, 0, http.StatusBadGateway)
	b.get(listen+"/status").expect(http.StatusOK, "", `"arrived":false`, "A call arrived, but failed", "502 Bad Gateway", "not billed")
	b.get(listen).expect(http.StatusOK, "", "A call arrived, but failed", "data-poll", "goes on listening")
	w.answered(key, b.subscription(), w.Clock.Now().Add(2*time.Second), 1, spool.FlagBillable, http.StatusNotFound)
	b.get(listen+"/status").expect(http.StatusOK, "", `"arrived":false`, "404 Not Found", "the API itself answered")
	w.exec(`INSERT INTO refusals SELECT date_trunc('hour', $1::timestamptz), org_id, id, 'unknown-route', 1, $1 FROM keys WHERE id = $2`, w.Clock.Now().Add(4*time.Second), key)
	b.get(listen+"/status").expect(http.StatusOK, "", `"arrived":false`, "was refused", "/problems/unknown-route")
	w.call(key, b.subscription(), w.Clock.Now().Add(6*time.Second), 1, spool.FlagBillable)
	w.answered(key, b.subscription(), w.Clock.Now().Add(8*time.Second), 1, spool.FlagBillable, http.StatusNotFound)
	b.get(listen+"/status").expect(http.StatusOK, "", `"arrived":true`, "200 OK")
}
