package remote

import (
	"encoding/binary"
	"io"
	"net"
	"os"
	"time"
)

// What a client says to the process of a shared connection, as PROTOCOL.mux of
// OpenSSH has it: a packet is its length, a type, and numbers.
const (
	muxHello     = 0x00000001
	muxVersion   = 4
	muxTerminate = 0x10000005
)

// endLimit bounds the wait for the process to end.
const endLimit = 5 * time.Second

// endShared does what "ssh -O exit" does, without a process: it asks the process
// of a shared connection to end, and waits until it has. One that cannot be asked
// has ended already, or ends by itself soon after its connection.
func endShared(socket string) {
	c, err := net.DialTimeout("unix", socket, endLimit)
	if err != nil {
		return
	}
	defer os.Remove(socket) // most often it is gone
	defer c.Close()
	if c.SetDeadline(time.Now().Add(endLimit)) != nil {
		return
	}
	if _, err := c.Write(append(muxPacket(muxHello, muxVersion), muxPacket(muxTerminate, 0)...)); err == nil {
		_, _ = io.Copy(io.Discard, c) // its own hello, and its end
	}
}

func muxPacket(numbers ...uint32) []byte {
	packet := binary.BigEndian.AppendUint32(nil, uint32(4*len(numbers)))
	for _, n := range numbers {
		packet = binary.BigEndian.AppendUint32(packet, n)
	}
	return packet
}
