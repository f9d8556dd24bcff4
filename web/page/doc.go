// Package page holds one file per page: its props and its markup. Forms are plain
// POSTs; a refused one renders the same page with status 422.
package page
