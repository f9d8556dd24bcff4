package gateway_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// wireCase is bytes that a client sends. KEY stands for a good key's header.
type wireCase struct {
	name  string
	bytes string
	want  []int // statuses, in order; none: refused, and the connection ends
	ends  bool  // the connection ends all the same
}

// smuggled would reach the upstream unasked for if a body were read as a request.
const smuggled = "DELETE /shop/things/smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

func wireCases() []wireCase {
	post := func(body string, lines ...string) string {
		return asked(append([]string{"POST /shop/things HTTP/1.1", "Host: x", "KEY"}, lines...)...) + body
	}
	get := func(lines ...string) string {
		return asked(append([]string{"GET /shop/things HTTP/1.1", "Host: x", "KEY"}, lines...)...)
	}
	long := strings.Repeat("a", 64<<10)
	return []wireCase{
		{"length and chunks", post("0\r\n\r\n"+smuggled, "Content-Length: 5", "Transfer-Encoding: chunked"), []int{200}, true},
		{"chunks and length", post("0\r\n\r\n"+smuggled, "Transfer-Encoding: chunked", "Content-Length: 60"), []int{200}, true},
		{"chunks after identity", post("0\r\n\r\n"+smuggled, "Transfer-Encoding: identity", "Transfer-Encoding: chunked"), nil, true},
		{"identity, chunked in one line", post("0\r\n\r\n"+smuggled, "Transfer-Encoding: identity, chunked"), nil, true},
		{"gzip, chunked", post("0\r\n\r\n"+smuggled, "Transfer-Encoding: gzip, chunked"), nil, true},
		{"chunked twice", post("0\r\n\r\n"+smuggled, "Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), nil, true},
		{"a coding that is nearly chunked", post("0\r\n\r\n"+smuggled, "Transfer-Encoding: xchunked"), nil, true},
		{"a coding behind a vertical tab", post("0\r\n\r\n"+smuggled, "Transfer-Encoding:\x0bchunked"), nil, true},
		{"a space before the colon", post("0\r\n\r\n"+smuggled, "Transfer-Encoding : chunked"), nil, true},
		{"a length with a space before the colon", post("abc", "Content-Length : 3"), nil, true},
		{"two lengths", post("abc"+smuggled, "Content-Length: 3", "Content-Length: 54"), nil, true},
		{"two lengths in one line", post("abc"+smuggled, "Content-Length: 3, 54"), nil, true},
		{"a length with a sign", post("ab", "Content-Length: +2"), nil, true},
		{"a length in hexadecimal", post("ab", "Content-Length: 0x2"), nil, true},
		{"a negative length", post("ab", "Content-Length: -1"), nil, true},
		{"an empty length", post("", "Content-Length: "), nil, true},
		{"a length with an underscore", post("ab", "Content-Length: 0_2"), nil, true},
		{"a length beyond every number", post("ab", "Content-Length: 99999999999999999999"), nil, true},
		{"a bare LF after a chunk's size", post("3\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), nil, true},
		{"a chunk's size in no number", post("3x\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), nil, true},
		{"a negative chunk", post("-3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked"), nil, true},
		{"a chunk longer than it says", post("2\r\nabc\r\n0\r\n\r\n"+smuggled, "Transfer-Encoding: chunked"), nil, true},
		{"a bare CR in a value", get("X-A: b\rX-Consumer-Id: forged"), nil, true},
		{"a bare LF in a value", get("X-A: b\nX-B: c"), []int{200}, false}, // a line's end to net/http, written anew with CR LF
		{"a NUL in a value", get("X-A: b\x00c"), nil, true},
		{"a NUL in a name", get("X-\x00A: b"), nil, true},
		{"a folded line", get("X-A: b", " c: d"), []int{200}, false}, // joined by net/http
		{"a folded first line", asked("GET /shop/things HTTP/1.1", " Host: x", "KEY"), nil, true},
		{"a header without a name", get(": b"), nil, true},
		{"no host", asked("GET /shop/things HTTP/1.1", "KEY"), nil, true},
		{"two hosts", asked("GET /shop/things HTTP/1.1", "Host: x", "Host: y", "KEY"), nil, true},
		{"the same host twice", asked("GET /shop/things HTTP/1.1", "Host: x", "Host: x", "KEY"), nil, true},
		{"a host with a path", asked("GET /shop/things HTTP/1.1", "Host: x/y", "KEY"), nil, true},
		{"a host with a space", asked("GET /shop/things HTTP/1.1", "Host: x y", "KEY"), nil, true},
		{"an address of another host than Host", asked("GET http://elsewhere/shop/things HTTP/1.1", "Host: x", "KEY"), []int{200}, false},
		{"connection names identity", get("Connection: keep-alive, X-Consumer-Id, X-Request-Id, X-Forwarded-For, Tollgate-Identity"), []int{200}, false},
		{"identity in every spelling", get("X-Consumer-Id: forged", "X_Consumer_Id: forged", "X.Consumer.Id: forged", "x-consumer_id: forged", "Tollgate_Identity: forged", "TOLLGATE-IDENTITY: forged",
			"X-Request_Id: forged", "X_Forwarded_For: forged", "X-Forwarded-User: forged", "Forwarded: for=forged", "X-Real_IP: forged", "True-Client-IP: forged", "CF-Connecting-IP: forged"), []int{200}, false},
		{"identity in odd spellings", get("X~Consumer~Id: forged", "X-Consumer!Id: forged", "Tollgate+Identity: forged", "X|Forwarded|For: forged"), []int{200}, false},
		{"framing in other spellings", post("abc", "Content-Length: 3", "Content_Length: 99", "Transfer_Encoding: chunked", "Transfer.Encoding: chunked"), []int{200}, false},
		{"forwarding headers", get("X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: 5.6.7.8", "X-Forwarded-Host: forged", "X-Forwarded-Proto: forged", "X-Forwarded-Prefix: forged"), []int{200}, false},
		{"another method in a header", get("X-HTTP-Method-Override: forged", "X-HTTP-Method: forged", "X-Method-Override: forged", "X_Http_Method_Override: forged"), []int{200}, false},
		{"another address in a header", get("X-Original-URL: forged", "X-Rewrite-URL: forged"), []int{200}, false},
		{"trailers named like identity", post("3\r\nabc\r\n0\r\nX-Consumer-Id: forged\r\nTollgate-Identity: forged\r\n\r\n", "Transfer-Encoding: chunked", "Trailer: X-Consumer-Id, Tollgate-Identity"), []int{200}, true},
		{"trailers that frame", post("3\r\nabc\r\n0\r\nContent-Length: 99\r\n\r\n", "Transfer-Encoding: chunked", "Trailer: Content-Length"), nil, true},
		{"CONNECT", asked("CONNECT shop:80 HTTP/1.1", "Host: shop:80", "KEY"), []int{405}, false},
		{"CONNECT to a path", asked("CONNECT /shop/things HTTP/1.1", "Host: x", "KEY"), []int{405}, false},
		{"TRACE", asked("TRACE /shop/things HTTP/1.1", "Host: x", "KEY"), []int{405}, false},
		{"an unknown method", asked("PURGE /shop/things HTTP/1.1", "Host: x", "KEY"), []int{405}, false},
		{"a method in lower case", asked("get /shop/things HTTP/1.1", "Host: x", "KEY"), []int{405}, false},
		{"switch to h2c", get("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA"), []int{200}, false},
		{"switch to WebSocket where there is none", get("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Key: x", "Sec-WebSocket-Version: 13"), []int{200}, false},
		{"a body of GET is a body", asked("GET /shop/things HTTP/1.1", "Host: x", "KEY", fmt.Sprintf("Content-Length: %d", len(smuggled))) + smuggled, []int{200}, false},
		{"an unknown expectation", post("abc", "Content-Length: 3", "Expect: 200-ok"), nil, true},
		{"an address of 64 KB", asked("GET /shop/things/"+long+" HTTP/1.1", "Host: x", "KEY"), nil, true},
		{"a header of 64 KB", get("X-A: " + long), nil, true},
		{"ten thousand query parameters and one", asked("GET /shop/things?"+strings.Repeat("a&", 10_000)+"a HTTP/1.1", "Host: x", "KEY"), []int{200}, false},
		{"three thousand headers", get(strings.Split(strings.Repeat("A: b\r\n", 3000)+"A: b", "\r\n")...), []int{200}, false},
		{"HTTP/0.9", "GET /shop/things\r\n\r\n", nil, true},
		{"HTTP/1.2", asked("GET /shop/things HTTP/1.2", "Host: x", "KEY"), []int{200}, false},
		{"HTTP/9.9", asked("GET /shop/things HTTP/9.9", "Host: x", "KEY"), nil, true},
		{"a space before the method", asked(" GET /shop/things HTTP/1.1", "Host: x", "KEY"), nil, true},
		{"two spaces in the first line", asked("GET  /shop/things HTTP/1.1", "Host: x", "KEY"), nil, true},
		{"a tab in the first line", asked("GET\t/shop/things\tHTTP/1.1", "Host: x", "KEY"), nil, true},
		{"a refused one before a good one", asked("GET /shop/things HTTP/1.1", "Host: x") + get(), []int{401, 200}, false},
		{"a refused one with a body before a good one", asked("POST /shop/things HTTP/1.1", "Host: x", fmt.Sprintf("Content-Length: %d", len(smuggled))) + smuggled + get(), []int{401, 200}, false},
		{"plain, chunked, plain", get() + post("3\r\nabc\r\n0\r\n\r\n", "Transfer-Encoding: chunked") + get(), []int{200, 200}, true},
		{"plain, with a switch, plain", get() + get("Upgrade: h2c", "Connection: Upgrade") + get(), []int{200, 200, 200}, false},
		{"plain, refused chunked, plain", get() + asked("POST /shop/things HTTP/1.1", "Host: x", "Transfer-Encoding: chunked") + "3\r\nabc\r\n0\r\n\r\n" + get(), []int{200, 401}, true},
		{"a key in the query is none", asked("GET /shop/things?api_key=SECRET&key=SECRET&access_token=SECRET HTTP/1.1", "Host: x"), []int{401}, false},
		{"the connection's own names go no further", get("Connection: close", "Connection: X-Internal", "X-Internal: forged"), []int{200}, true},
	}
}

func TestEachCallThatReachesTheUpstreamWasAskedForOnItsOwn(t *testing.T) {
	t.Parallel()
	up := newCapture(t)
	b := setupWith(t, 30*time.Second, behind(up))
	key := b.goodKey()
	last := asked("GET /shop/things/last HTTP/1.1", "Host: x", "X-API-Key: "+key, "Connection: close")
	before := map[string]string{
		"plain":    "",
		"standard": asked("GET /shop/things HTTP/1.1", "Host: x", "X-API-Key: "+key, "Upgrade: nothing", "Connection: Upgrade"), // the connection stays with net/http
	}
	for path, prefix := range before {
		for _, c := range wireCases() {
			t.Run(path+"/"+c.name, func(t *testing.T) {
				at := len(up.calls())
				raw := strings.NewReplacer("KEY", "X-API-Key: "+key, "SECRET", key).Replace(c.bytes)
				answers := b.speaks(prefix + raw + last)
				if prefix != "" {
					if len(answers) == 0 || answers[0].status != 200 {
						t.Fatalf("the first call got %v", statuses(answers))
					}
					answers, at = answers[1:], at+1
				}
				if got := statuses(answers); !fits(got, c.want, c.ends) {
					t.Errorf("answers %v, want %v; the connection ends then: %t", got, c.want, c.ends)
				}
				b.sawEachOnce(t, up, at, answers)
			})
		}
	}
	for _, r := range up.calls() {
		if strings.Contains(r.line, "smuggled") || len(r.values("x-internal")) > 0 {
			t.Errorf("the upstream saw %s with %q", r.line, r.lines)
		}
	}
	b.audit(up)
}

// fits reports whether answers are as wanted: with nothing wanted, one refusal
// that ends the connection, because nothing may be read behind such bytes; else
// what is wanted, and then the last call's.
func fits(got, want []int, ends bool) bool {
	if want == nil {
		return len(got) == 1 && got[0] >= 400
	}
	if !ends {
		want = append(slices.Clone(want), 200)
	}
	return slices.Equal(got, want)
}

// sawEachOnce holds what the upstream saw since a call against the answers.
func (b *bundle) sawEachOnce(t *testing.T, up *capture, since int, answers []answer) {
	t.Helper()
	var want, got []string
	for _, a := range answers {
		if a.status == http.StatusOK {
			want = append(want, a.header.Get("X-Request-Id"))
		}
	}
	for _, r := range up.calls()[since:] {
		got = append(got, r.values("x-request-id")...)
	}
	if !slices.Equal(got, want) {
		t.Errorf("the upstream saw %d calls, %d were answered: %v, %v", len(got), len(want), up.calls()[since:], answers)
	}
}
