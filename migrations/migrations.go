// Package migrations holds the database schema as numbered, forward-only SQL.
package migrations

import "embed"

// Files are the migrations in goose's format, applied in order of their numbers.
//
//go:embed *.sql
var Files embed.FS
