// Package network is a network that exists in memory only: listeners and
// connections between named hosts, for running whole systems inside one process
// and inside a testing/synctest bubble, where a goroutine that waits on a real
// socket would keep virtual time from passing.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
)

// Network holds the listeners. The zero value is ready to use.
type Network struct {
	mutex     sync.Mutex
	listeners map[string]*listener
}

// Listen opens a host for connections. The address is "host:port" or "host",
// which means port 80.
func (n *Network) Listen(address string) (net.Listener, error) {
	address = withPort(address)
	n.mutex.Lock()
	defer n.mutex.Unlock()
	if n.listeners == nil {
		n.listeners = map[string]*listener{}
	}
	if n.listeners[address] != nil {
		return nil, fmt.Errorf("listening on %s: address already in use", address)
	}
	opened := &listener{network: n, address: address, incoming: make(chan net.Conn), closed: make(chan struct{})}
	n.listeners[address] = opened
	return opened, nil
}

// Alias has another host be the same as one on which somebody listens.
func (n *Network) Alias(host, of string) {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.listeners[withPort(host)] = n.listeners[withPort(of)]
}

// DialContext connects to a listener; its form fits http.Transport and others.
// Where nobody listens it fails at once, as a closed port does.
func (n *Network) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	n.mutex.Lock()
	target := n.listeners[withPort(address)]
	n.mutex.Unlock()
	if target == nil {
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: name(address), Err: errors.New("connection refused")}
	}
	client, server := net.Pipe()
	select {
	case target.incoming <- server:
		return client, nil
	case <-target.closed:
		return nil, &net.OpError{Op: "dial", Net: "memory", Addr: name(address), Err: errors.New("connection refused")}
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Transport makes an HTTP transport over this network. It keeps no idle
// connections, so that nothing is left behind when a test ends.
func (n *Network) Transport() *http.Transport {
	return &http.Transport{DialContext: n.DialContext, DisableKeepAlives: true}
}

func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return net.JoinHostPort(address, "80")
	}
	return address
}

type listener struct {
	network  *Network
	address  string
	incoming chan net.Conn
	once     sync.Once
	closed   chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case connection := <-l.incoming:
		return connection, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() {
		close(l.closed)
		l.network.mutex.Lock()
		defer l.network.mutex.Unlock()
		delete(l.network.listeners, l.address)
	})
	return nil
}

func (l *listener) Addr() net.Addr { return name(l.address) }

type name string

func (name) Network() string  { return "memory" }
func (n name) String() string { return string(n) }
