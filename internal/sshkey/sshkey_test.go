package sshkey_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"

	"pistack/internal/sshkey"
)

// serve answers one connection on loopback and returns where.
func serve(t *testing.T, answer func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		if conn, err := l.Accept(); err == nil {
			defer conn.Close()
			answer(conn)
		}
	}()
	return l.Addr().String()
}

// sshd shows a host key.
func sshd(t *testing.T, private any) (func(net.Conn), ssh.PublicKey) {
	t.Helper()
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	config := &ssh.ServerConfig{NoClientAuth: true}
	config.AddHostKey(signer)
	return func(c net.Conn) { _, _, _, _ = ssh.NewServerConn(c, config) }, signer.PublicKey()
}

func TestAsk(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good, want := sshd(t, edKey)
	other, _ := sshd(t, ecKey)
	got, err := sshkey.Ask(t.Context(), serve(t, good))
	if err != nil || ssh.FingerprintSHA256(got) != ssh.FingerprintSHA256(want) {
		t.Errorf("%v, %v", got, err)
	}
	for name, answer := range map[string]func(net.Conn){
		"another type": other,
		"no ssh":       func(c net.Conn) { _, _ = c.Write([]byte("220 smtp\r\n")) },
		"hangs up":     func(net.Conn) {},
	} {
		if _, err := sshkey.Ask(t.Context(), serve(t, answer)); err == nil || !strings.Contains(err.Error(), "shows no ssh-ed25519 host key") {
			t.Errorf("%s: %v", name, err)
		}
	}
	var refused *sshkey.Error
	if _, err := sshkey.Ask(t.Context(), "127.0.0.1:1"); !errors.As(err, &refused) {
		t.Errorf("nobody there: %v", err)
	}
}

// TestInterrupted: a server that says nothing is not waited for after an interrupt.
func TestInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	address := serve(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 1)) // the client's first byte
		cancel()
		_, _ = c.Read(make([]byte, 1<<16)) // until it hangs up
		_, _ = c.Read(make([]byte, 1))
	})
	if _, err := sshkey.Ask(ctx, address); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}
