package stripesim

import "slices"

// page cuts one page out of items, which are newest first, by Stripe's limit,
// starting_after and ending_before.
func (c *call) page(path string, ids []string, render func(id string) obj) (obj, *apiError) {
	limit := int64(10)
	if c.p.has("limit") {
		n, fail := c.p.integer("limit")
		if fail != nil {
			return nil, fail
		}
		if n < 1 || n > 100 {
			return nil, invalidParam("limit", "limit must be between 1 and 100.")
		}
		limit = n
	}
	if c.p.has("starting_after") && c.p.has("ending_before") {
		return nil, invalidParam("ending_before", "starting_after and ending_before exclude each other.")
	}
	start, end, more := 0, len(ids), false
	switch {
	case c.p.has("starting_after"):
		at := slices.Index(ids, c.p.str("starting_after"))
		if at < 0 {
			return nil, missingParam("object", "starting_after", c.p.str("starting_after"))
		}
		start = at + 1
		fallthrough
	default:
		end = min(end, start+int(limit))
		more = end < len(ids)
	case c.p.has("ending_before"):
		at := slices.Index(ids, c.p.str("ending_before"))
		if at < 0 {
			return nil, missingParam("object", "ending_before", c.p.str("ending_before"))
		}
		start, end = max(0, at-int(limit)), at
		more = start > 0
	}
	data := make([]any, 0, end-start)
	for _, id := range ids[start:end] {
		data = append(data, render(id))
	}
	return listOf(path, data, more), nil
}

func listOf(path string, data []any, more bool) obj {
	return obj{"object": "list", "url": path, "has_more": more, "data": data}
}

// newestFirst returns the ids of the objects that match, in list order.
func newestFirst[T record](t *tx, match func(T) bool) []string {
	ids := []string{}
	each(t, func(v T) bool {
		if match(v) {
			ids = append(ids, v.recordID())
		}
		return true
	})
	slices.Reverse(ids)
	return ids
}

// renderer turns ids of one kind into answers.
func renderer[T record](c *call, view func(T) obj) func(string) obj {
	return func(id string) obj {
		v, _ := find[T](c.tx, id)
		return view(v)
	}
}

// same reports whether a filter parameter is absent or equal to v.
func (p params) same(name, v string) bool { return !p.has(name) || p.str(name) == v }
