// Command gateway stands in front of a provider's API: it authenticates keys,
// enforces limits, forwards calls and meters them. It is configured by the
// environment; see docs/configuration.md.
package main

import (
	"os"

	"tollgate/internal/app/gateway"
)

func main() { os.Exit(gateway.Main()) }
