// Package sshkey asks an sshd for its host key, without logging in.
package sshkey

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"golang.org/x/crypto/ssh"
)

// patience is how long an sshd may take to connect, and again to answer.
const patience = 15 * time.Second

// Error is an address at which nobody answers.
type Error struct {
	Address string
	Err     error
}

func (e *Error) Error() string { return "no answer from " + e.Address + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to look at; the command line prints it below the error.
func (e *Error) Hint() string {
	return "check the address and the port (ADDR:PORT), and that sshd runs there; or copy the key: pisec host-key HOST --file PUB"
}

// errSeen ends a handshake once the host key is known.
var errSeen = errors.New("host key seen")

// Ask takes the ssh-ed25519 key that the sshd at ADDR or ADDR:PORT shows. Whoever
// answers is believed.
func Ask(ctx context.Context, address string) (ssh.PublicKey, error) {
	if _, _, err := net.SplitHostPort(address); err != nil {
		address = net.JoinHostPort(address, "22")
	}
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		return nil, &Error{address, err}
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, err
	}
	var seen ssh.PublicKey
	_, _, _, err = ssh.NewClientConn(conn, address, &ssh.ClientConfig{
		HostKeyAlgorithms: []string{ssh.KeyAlgoED25519},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			seen = key
			return errSeen
		},
	})
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if seen == nil {
		return nil, fmt.Errorf("%s shows no ssh-ed25519 host key: %w", address, err)
	}
	return seen, nil
}
