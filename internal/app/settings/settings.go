// Package settings reads a program's settings from the environment and says all
// that is wrong with them together, by the names that people set.
package settings

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/caarlos0/env/v11"
	"github.com/jackc/pgx/v5/pgconn"
)

// Read fills a T from the environment. Variables in ignored are taken as unset.
// What could not be read has its default, so that the rest can be checked too.
func Read[T any](ignored ...string) (T, error) { return parse[T](os.Environ(), ignored) }

// parse tries each variable by itself, because the library names fields in its
// errors and several programs' settings may have fields of one name.
func parse[T any](environ, ignored []string) (cfg T, err error) {
	fields, err := env.GetFieldParams(&cfg)
	if err != nil {
		return cfg, err
	}
	all, good := env.ToMap(environ), map[string]string{}
	var wrong Check
	for _, f := range fields {
		value, set := all[f.Key]
		if !set || slices.Contains(ignored, f.Key) {
			continue
		}
		alone := map[string]string{f.Key: value}
		if _, err := env.ParseAsWithOptions[T](env.Options{Environment: alone}); err != nil {
			wrong.Need(false, "%s must be %s, not %q", f.Key, expected(err), value)
			continue
		}
		good[f.Key] = value
	}
	cfg, err = env.ParseAsWithOptions[T](env.Options{Environment: good})
	return cfg, errors.Join(err, wrong.Err())
}

// expected says what a value of the type that could not be read looks like.
func expected(err error) string {
	var all env.AggregateError
	var field env.ParseError
	if !errors.As(err, &all) || len(all.Errors) == 0 || !errors.As(all.Errors[0], &field) {
		return "readable (" + err.Error() + ")"
	}
	switch field.Type {
	case reflect.TypeFor[time.Duration]():
		return "a duration such as 30s or 2m"
	case reflect.TypeFor[slog.Level]():
		return "DEBUG, INFO, WARN or ERROR"
	case reflect.TypeFor[[]netip.Prefix]():
		return "networks such as 10.0.0.0/8, with commas between them"
	case reflect.TypeFor[bool]():
		return "true or false"
	case reflect.TypeFor[int](), reflect.TypeFor[int64]():
		return "a whole number"
	}
	return "readable (" + field.Err.Error() + ")"
}

// Check collects what is wrong with settings. The zero value is ready to use.
type Check struct{ errs []error }

// Need notes a sentence that begins with the setting's name, unless ok.
func (c *Check) Need(ok bool, format string, args ...any) {
	if !ok {
		c.errs = append(c.errs, fmt.Errorf(format, args...))
	}
}

// Listen notes an address that nothing can listen on.
func (c *Check) Listen(name, addr string) {
	_, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	c.Need(err == nil, "%s must be host:port with a port of at most 65535, not %q", name, addr)
}

// Database notes a PostgreSQL URL that is missing or cannot be read; meaning
// says whose it is.
func (c *Check) Database(name, url, meaning string) {
	if url == "" {
		c.Need(false, "%s is missing: %s", name, meaning)
		return
	}
	_, err := pgconn.ParseConfig(url)
	c.Need(err == nil, "%s must be like postgres://user:password@host:5432/name: %v", name, err) // the error leaves passwords out
}

// Err is nil when nothing is wrong.
func (c *Check) Err() error { return errors.Join(c.errs...) }

// Wrong joins what was found wrong with settings into one error with a line for
// each, in the order of their names. It is nil when nothing is wrong.
func Wrong(errs ...error) error {
	var lines []string
	for _, err := range errs {
		lines = append(lines, split(err)...)
	}
	if len(lines) == 0 {
		return nil
	}
	slices.Sort(lines)
	return errors.New("wrong settings:\n  " + strings.Join(slices.Compact(lines), "\n  "))
}

// split takes joined errors apart.
func split(err error) (lines []string) {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error }) // only what was joined here, not what is wrapped deeper
	if !ok {
		return []string{err.Error()}
	}
	for _, e := range joined.Unwrap() {
		lines = append(lines, split(e)...)
	}
	return lines
}
