package catalog

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"tollgate/internal/upstream"
)

// changes are what differs between two states of an upstream, old and new, by
// the names that Validate uses.
func changes(before, after Upstream) map[string]string {
	was, is, out := settings(before), settings(after), map[string]string{}
	for name, value := range is {
		if value != was[name] {
			out[name] = was[name] + " → " + value
		}
	}
	return out
}

// settings are everything that an upstream is set to, in words, by name.
func settings(u Upstream) map[string]string {
	out := map[string]string{"live": addresses(u.Live), "test": addresses(u.Test), "sign_identity": strconv.FormatBool(u.SignIdentity)}
	flatten(out, "", reflect.ValueOf(u.Policy))
	flatten(out, "cors.", reflect.ValueOf(u.CORS))
	return out
}

// flatten adds the fields of a struct under their names in JSON, so that no
// field can be forgotten that is added one day.
func flatten(out map[string]string, prefix string, v reflect.Value) {
	for field, value := range v.Fields() {
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case value.Kind() == reflect.Struct:
			flatten(out, prefix+name+".", value)
		case value.Kind() == reflect.Slice && value.Len() > 0:
			out[prefix+name] = strings.Trim(fmt.Sprint(value.Interface()), "[]")
		case value.IsZero() && value.Kind() != reflect.Bool, value.Kind() == reflect.Slice:
			out[prefix+name] = "default"
		default:
			out[prefix+name] = fmt.Sprint(value.Interface())
		}
	}
}

func addresses(targets []upstream.Target) string {
	if len(targets) == 0 {
		return "none"
	}
	texts := make([]string, len(targets))
	for i, t := range targets {
		texts[i] = t.URL + "=" + strconv.Itoa(t.Weight)
	}
	return strings.Join(texts, " ")
}
