package stripesim

import (
	"net/url"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// params are a request's parameters in Stripe's form encoding: nested names
// use brackets (metadata[line]=…), lists an empty or numbered one (expand[]=…).
type params struct {
	values url.Values
}

// parseParams reads form-encoded text. Every name must be well bracketed.
func parseParams(raw string) (params, *apiError) {
	v, err := url.ParseQuery(raw)
	if err != nil {
		return params{}, invalidParam("", "The request's parameters are not valid form encoding.")
	}
	for name := range v {
		if !wellBracketed(name) {
			return params{}, invalidParam(name, "Invalid parameter name: "+name)
		}
	}
	return params{values: v}, nil
}

func wellBracketed(name string) bool {
	root, rest, nested := strings.Cut(name, "[")
	if root == "" || strings.ContainsRune(root, ']') {
		return false
	}
	if !nested {
		return true
	}
	for {
		inner, after, closed := strings.Cut(rest, "]")
		if !closed || strings.ContainsRune(inner, '[') {
			return false
		}
		if after == "" {
			return true
		}
		if after[0] != '[' {
			return false
		}
		rest = after[1:]
	}
}

// canonical is the same text for the same parameters in any order.
func (p params) canonical() string { return p.values.Encode() }

func (p params) merge(q params) params {
	out := url.Values{}
	for _, src := range []url.Values{p.values, q.values} {
		for k, v := range src {
			out[k] = append(out[k], v...)
		}
	}
	return params{values: out}
}

// refuseUnknown fails for a top-level name that is not in known.
func (p params) refuseUnknown(known []string) *apiError {
	for name := range p.values {
		root, _, _ := strings.Cut(name, "[")
		if root != "expand" && !slices.Contains(known, root) {
			e := invalidParam(root, "Received unknown parameter: "+root)
			e.Code = "parameter_unknown"
			return e
		}
	}
	return nil
}

func (p params) has(name string) bool { return p.values.Has(name) }

func (p params) str(name string) string { return p.values.Get(name) }

// oneOf returns the parameter, or the first of allowed when it is absent.
func (p params) oneOf(name string, allowed ...string) (string, *apiError) {
	v := p.str(name)
	if !p.has(name) {
		return allowed[0], nil
	}
	if !slices.Contains(allowed, v) {
		return "", invalidParam(name, "Invalid "+name+": must be one of "+strings.Join(allowed, ", "))
	}
	return v, nil
}

func (p params) require(name string) (string, *apiError) {
	v := p.str(name)
	if v == "" {
		e := invalidParam(name, "Missing required param: "+name+".")
		e.Code = "parameter_missing"
		return "", e
	}
	return v, nil
}

func (p params) integer(name string) (int64, *apiError) {
	n, err := strconv.ParseInt(p.str(name), 10, 64)
	if err != nil {
		e := invalidParam(name, "Invalid integer: "+p.str(name))
		e.Code = "parameter_invalid_integer"
		return 0, e
	}
	return n, nil
}

func (p params) boolean(name string) (bool, *apiError) {
	switch p.str(name) {
	case "true":
		return true, nil
	case "false", "":
		return false, nil
	}
	return false, invalidParam(name, "Invalid boolean: "+p.str(name))
}

// hash returns the entries name[key]=value.
func (p params) hash(name string) map[string]string {
	out := map[string]string{}
	for k, v := range p.values {
		key, ok := strings.CutPrefix(k, name+"[")
		if ok && strings.HasSuffix(key, "]") && !strings.Contains(key, "[") && len(v) > 0 {
			out[strings.TrimSuffix(key, "]")] = v[0]
		}
	}
	return out
}

// list returns the values of name[]=… and name[0]=…, in order.
func (p params) list(name string) []string {
	out := slices.Clone(p.values[name+"[]"])
	var numbered []int
	for k := range p.hash(name) {
		if i, err := strconv.Atoi(k); err == nil {
			numbered = append(numbered, i)
		}
	}
	sort.Ints(numbered)
	for _, i := range numbered {
		out = append(out, p.str(name+"["+strconv.Itoa(i)+"]"))
	}
	return out
}

// mergeMetadata applies Stripe's rules: an empty value removes its key, and
// metadata= removes all.
func (p params) mergeMetadata(old map[string]string) (map[string]string, *apiError) {
	out := map[string]string{}
	if !p.has("metadata") {
		for k, v := range old {
			out[k] = v
		}
	}
	for k, v := range p.hash("metadata") {
		if len(k) > 40 || len(v) > 500 {
			return nil, invalidParam("metadata", "Metadata keys have at most 40 characters and values at most 500.")
		}
		if v == "" {
			delete(out, k)
			continue
		}
		out[k] = v
	}
	if len(out) > 50 {
		return nil, invalidParam("metadata", "At most 50 metadata keys are possible.")
	}
	return out, nil
}
