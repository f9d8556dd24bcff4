// Package paging cuts long lists into pages by the URL: the query parameter
// page, counted from 1, beside whatever filters the URL holds.
package paging

import (
	"net/url"
	"strconv"

	"tollgate/internal/portal/format"
	"tollgate/internal/portal/request"
	"tollgate/web/component"
)

// deepest is the last page that is read: beyond it a filter helps more.
const deepest = 10_000

// Page is one page of a list.
type Page struct {
	number, size int
	url          url.URL
}

// Of reads which page is asked for.
func Of(r *request.Request, size int) Page {
	return Page{number: min(max(r.QueryInt("page", 1), 1), deepest), size: size, url: *r.HTTP().URL}
}

// Offset is how many rows come before the page.
func (p Page) Offset() int { return (p.number - 1) * p.size }

// Size is how many rows a page holds.
func (p Page) Size() int { return p.size }

// Props say where the list of total rows stands; the page is not Past its end.
func (p Page) Props(total int64) component.PagerProps {
	first, last := int64(p.Offset())+1, min(int64(p.Offset()+p.size), total)
	if total <= int64(p.size) && p.number == 1 {
		return component.PagerProps{}
	}
	props := component.PagerProps{Summary: format.Count(first) + "–" + format.Count(last) + " of " + format.Count(total)}
	if p.number > 1 {
		props.PrevURL = p.to(p.number - 1)
	}
	if last < total && p.number < deepest {
		props.NextURL = p.to(p.number + 1)
	}
	return props
}

// Past is the address of the last page when the one asked for lies beyond the
// end of a list of total rows; empty when it does not.
func (p Page) Past(total int64) string {
	last := min(max((total+int64(p.size)-1)/int64(p.size), 1), deepest)
	if int64(p.number) <= last {
		return ""
	}
	return p.to(int(last))
}

func (p Page) to(number int) string {
	q := p.url.Query()
	q.Set("page", strconv.Itoa(number))
	if number == 1 {
		q.Del("page")
	}
	return With(p.url.Path, q)
}

// With is a path with a query, if it has one.
func With(path string, q url.Values) string {
	if len(q) == 0 {
		return path
	}
	return path + "?" + q.Encode()
}
