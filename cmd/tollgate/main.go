// Command tollgate runs everything on one machine, to try Tollgate: portal,
// gateway, a private PostgreSQL, the sample API and simulated Stripe.
package main

import (
	"os"

	"tollgate/internal/app/tollgate"
)

func main() { os.Exit(tollgate.Main()) }
