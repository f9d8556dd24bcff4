package wire

import (
	"errors"
	"io"
	"net"
	"syscall"
)

// errNothing says that nothing has arrived yet.
var errNothing = errors.New("nothing has arrived")

// rawOf is the socket under a connection or listener; nil if there is none.
func rawOf(over any) syscall.RawConn {
	if sc, ok := over.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			return raw
		}
	}
	return nil
}

// receive reads what has arrived at a socket, without waiting. The error is
// errNothing, io.EOF, or what broke the connection.
func receive(fd int, p []byte) (int, error) {
	for {
		switch n, err := readNow(fd, p); {
		case n > 0:
			return n, nil
		case err == nil:
			return 0, io.EOF
		case errors.Is(err, syscall.EAGAIN):
			return 0, errNothing
		case !errors.Is(err, syscall.EINTR):
			return 0, err
		}
	}
}

// transmit writes p to the socket under nc. What the socket has no room for at
// once nc writes, which waits.
func transmit(fd int, nc net.Conn, p []byte) error {
	for len(p) > 0 {
		n, err := writeNow(fd, p)
		switch {
		case n > 0:
			p = p[n:]
		case errors.Is(err, syscall.EAGAIN):
			_, err = nc.Write(p)
			return err
		case !errors.Is(err, syscall.EINTR):
			return err
		}
	}
	return nil
}
