package wire

import (
	"net"

	"golang.org/x/sys/unix"
)

// firstPackets drops a client's first packet (SYN without ACK) and lets all
// others pass. The data begins with the TCP header, whose byte 13 is the flags.
var firstPackets = [...]unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: 0x12},
	{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: 0x02, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff},
}

// quiet lets no connection begin at l any more, without telling its client,
// whose system tries again after a second: l is closed then, and it is refused
// before it has sent anything. A client that connects while l is being closed
// would have its connection, and perhaps a request, reset. It reports false
// where that cannot be done.
func quiet(l net.Listener) bool {
	raw := rawOf(l)
	if raw == nil {
		return false
	}
	filter := unix.SockFprog{Len: uint16(len(firstPackets)), Filter: &firstPackets[0]}
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER, &filter)
	})
	return err == nil && failed == nil
}
