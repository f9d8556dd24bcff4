// Command portal is the web app: catalog, console, studio, finance and
// operations. “portal migrate” brings the database up to date. It is configured
// by the environment; see docs/configuration.md.
package main

import (
	"os"

	"tollgate/internal/app/portal"
)

func main() { os.Exit(portal.Main(os.Args[1:])) }
