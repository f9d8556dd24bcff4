package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"tollgate/internal/keys/token"
)

// scaled lists the gateway in several sizes and situations.
func (f *field) scaled(ctx context.Context, target string) ([]entry, error) {
	few, err := f.sized(ctx, "few", target, size{1000, 1})
	if err != nil {
		return nil, err
	}
	few.name = "10³ keys"
	million, err := f.sized(ctx, "million", target, size{1_000_000, 1})
	if err != nil {
		return nil, err
	}
	million.name = "10⁶ keys"
	routes, err := f.sized(ctx, "routes", target, size{1000, 10_000})
	if err != nil {
		return nil, err
	}
	routes.name = "10⁴ routes"
	changing := million
	changing.name, changing.start, changing.during = "10⁶ keys changing", nil, f.change("million")
	flooded := few
	flooded.name, flooded.start, flooded.during = "10³ keys flooded", nil, f.flood(few.addr)
	return []entry{few, million, routes, changing, flooded}, nil
}

// sized is a gateway with a database of its own.
func (f *field) sized(ctx context.Context, name, target string, n size) (entry, error) {
	address, err := f.createDatabase(ctx, name)
	if err != nil {
		return entry{}, err
	}
	file := name + ".lua"
	if _, err := f.fill(ctx, address, file, target, n); err != nil {
		return entry{}, err
	}
	e := f.tollgate(name, f.bin("gateway"), address)
	e.script = filepath.Join(f.dir, file)
	return e, nil
}

func (f *field) createDatabase(ctx context.Context, name string) (string, error) {
	conn, err := pgx.Connect(ctx, f.database.URL)
	if err != nil {
		return "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize()); err != nil {
		return "", err
	}
	return f.databaseURL(name), nil
}

func (f *field) databaseURL(name string) string {
	u, err := url.Parse(f.database.URL)
	if err != nil {
		panic(err) // it was connected to
	}
	u.Path = "/" + name
	return u.String()
}

// change changes a key twenty times a second, and has the whole view loaded
// anew once.
func (f *field) change(name string) func(context.Context) {
	return func(ctx context.Context) {
		conn, err := pgx.Connect(ctx, f.databaseURL(name))
		if err != nil {
			return
		}
		defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
		for n := 0; ctx.Err() == nil; n++ {
			sql := `UPDATE keys SET expires_at = coalesce(expires_at, created_at + interval '1 year') + interval '1 second' WHERE id = (SELECT id FROM keys LIMIT 1)`
			if n == 20 {
				sql = `UPDATE business_clock SET offset_seconds = offset_seconds; INSERT INTO view_changes (version, kind) SELECT version, 'all' FROM view_version`
			}
			_, _ = conn.Exec(ctx, sql) // the load is what is measured
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// flood calls with wrong keys beside the load, from another address: the load's
// own would soon be refused for them.
func (f *field) flood(address string) func(context.Context) {
	return func(ctx context.Context) {
		var all sync.WaitGroup
		for range 16 {
			all.Go(func() { floodOver(ctx, address) })
		}
		all.Wait()
	}
}

// floodOver calls over one connection until ctx ends.
func floodOver(ctx context.Context, address string) {
	from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	conn, err := from.DialContext(ctx, "tcp", address)
	if err != nil {
		return // a gateway that is gone shows in the load
	}
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	for answers := bufio.NewReader(conn); ; {
		if _, err := fmt.Fprintf(conn, "GET /shop/things HTTP/1.1\r\nHost: flood\r\nX-API-Key: %s\r\n\r\n", token.Mint(token.Live)); err != nil {
			return
		}
		resp, err := http.ReadResponse(answers, nil)
		if err != nil {
			return
		}
		_, err = io.Copy(io.Discard, resp.Body)
		if errors.Join(err, resp.Body.Close()) != nil {
			return
		}
	}
}
