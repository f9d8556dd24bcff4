// Package torture holds the gateway to its word that a call is metered once,
// whatever dies. It starts the real program, a real PostgreSQL and an upstream,
// ends them without warning under load, and compares what clients received
// whole with what the database says. Its tests are all there is.
package torture
