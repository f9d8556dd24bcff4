package gateway

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"github.com/google/uuid"
)

// folderID names who holds quota leases: the data folder, in whose spool their
// spending is recorded. Two gateways of one name thus never settle each other's.
func folderID(dir string) (string, error) {
	name := filepath.Join(dir, "id")
	data, err := os.ReadFile(name)
	if err == nil && len(data) > 0 {
		return string(data), nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	id := uuid.NewString()
	return id, os.WriteFile(name, []byte(id), 0o600)
}

// folderError says what to do about a data folder that cannot be used.
func (c Config) folderError(err error) error {
	for _, disk := range []error{syscall.EROFS, syscall.ENOSPC, syscall.EDQUOT, os.ErrPermission} {
		if errors.Is(err, disk) {
			return fmt.Errorf("the data folder %s cannot be written to (%w): make room and let this user write there, or set GATEWAY_DATA_DIR to another folder; usage that waits in the old one is shipped once a gateway starts on it", c.DataDir, err)
		}
	}
	return fmt.Errorf("the data folder %s (GATEWAY_DATA_DIR): %w", c.DataDir, err)
}
