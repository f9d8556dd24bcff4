package private

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// wayOut of damaged data; the folder is named before it.
const wayOut = "put a backup of that folder in its place, or move it away and start afresh, without the data in it"

// SQLSTATEs that tell apart why a server does not let us in.
const (
	startingUp      = "57P03"
	wrongPassword   = "28P01"
	noSuchDatabase  = "3D000" // the database's folder is gone: Start has made the database itself
	classSystem     = "58"    // a file is missing or unreadable
	classCorruption = "XX"
)

// Explain adds what to do to an error of this cluster that comes from damaged
// data. Any other error is returned as it is.
func (c *Cluster) Explain(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || !damage(pg.Code) {
		return err
	}
	return fmt.Errorf("the data of the private PostgreSQL in %s is damaged: %w\nTo go on, %s", c.Dir, err, wayOut)
}

func damage(code string) bool {
	return strings.HasPrefix(code, classSystem) || strings.HasPrefix(code, classCorruption) || code == noSuchDatabase
}

// refused is why a server that answers will not let us in however long we
// wait; nil when waiting may help.
func (c *Cluster) refused(err error) error {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || pg.Code == startingUp {
		return nil
	}
	if pg.Code == wrongPassword {
		return fmt.Errorf("the private PostgreSQL in %s does not accept the password in %s (%w): put the file that belongs to this folder back, or move the folder away and start afresh, without the data in it", c.Dir, passwordFile(c.Dir), err)
	}
	if damage(pg.Code) {
		return c.Explain(err)
	}
	return fmt.Errorf("the private PostgreSQL in %s does not let us in: %w\nIf its data is damaged, %s", c.Dir, err, wayOut)
}
