// Package permissions is the one table of who may do what. Roles are sets of
// permissions; every portal route names the permission that it needs.
package permissions

// Permission is the right to do one kind of thing.
type Permission string

// Public needs no sign-in; SignedIn needs any. The others are held by roles.
const (
	Public   Permission = "public"
	SignedIn Permission = "signed-in"
	Gateway  Permission = "gateway" // a caller whose identity the gateway has signed

	ReadOwn            Permission = "own:read"         // the organization's usage, keys, subscriptions, invoices
	ManageKeys         Permission = "own:keys"         // make, rotate, revoke keys
	Buy                Permission = "own:buy"          // subscribe, cancel, store a card
	ManageOrganization Permission = "own:organization" // its name and billing address
	ManageCatalog      Permission = "catalog:manage"   // publish APIs, make products and plans, answer requests
	OverrideLimits     Permission = "limits:override"  // give a customer another limit for a while, or credit to a prepaid balance
	ReadInvoices       Permission = "invoices:read"    // of all organizations
	Review             Permission = "invoices:review"  // approve and hold
	Operate            Permission = "system:operate"   // state of the system
	MoveClock          Permission = "demo:clock"       // demo mode only
	SeeComponents      Permission = "components:see"
)

var customer = set(ReadOwn, ManageKeys, MoveClock)

// roles says what each role may do. Staff roles belong to members of the
// provider's organization.
var roles = map[string]map[Permission]bool{
	"owner":     union(customer, set(Buy, ManageOrganization)),
	"developer": union(customer, set(Buy)),
	"product":   set(ManageCatalog, OverrideLimits, SeeComponents, MoveClock),
	"finance":   set(ReadInvoices, Review, MoveClock),
	"operator":  set(Operate, SeeComponents, MoveClock),
	"admin":     set(ManageCatalog, OverrideLimits, ReadInvoices, Review, Operate, SeeComponents, MoveClock),
}

// Staff reports whether role belongs to the provider's organization: it works
// across organizations.
func Staff(role string) bool {
	switch role {
	case "product", "finance", "operator", "admin":
		return true
	}
	return false
}

// Allows reports whether role holds p. An unknown role holds nothing.
func Allows(role string, p Permission) bool {
	switch p {
	case Public:
		return true
	case SignedIn:
		return roles[role] != nil
	}
	return roles[role][p]
}

// NeedsStaff reports whether p reaches across organizations.
func NeedsStaff(p Permission) bool {
	switch p {
	case ManageCatalog, OverrideLimits, ReadInvoices, Review, Operate:
		return true
	}
	return false
}

func set(ps ...Permission) map[Permission]bool {
	out := map[Permission]bool{}
	for _, p := range ps {
		out[p] = true
	}
	return out
}

func union(sets ...map[Permission]bool) map[Permission]bool {
	out := map[Permission]bool{}
	for _, s := range sets {
		for p := range s {
			out[p] = true
		}
	}
	return out
}
