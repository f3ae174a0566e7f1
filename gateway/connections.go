package gateway

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// unusedConnections are those on which nothing has been sent yet. net/http waits
// for up to five seconds for each of them when a server stops, which is longer
// than the server has.
type unusedConnections struct {
	mutex sync.Mutex
	open  map[net.Conn]bool
}

// unusedTime is how long a request may take to begin once the server stops, for
// one that was on its way.
const unusedTime = 500 * time.Millisecond

// follow is a http.Server's ConnState.
func (u *unusedConnections) follow(connection net.Conn, state http.ConnState) {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	if state == http.StateNew {
		u.open[connection] = true
	} else {
		delete(u.open, connection)
	}
}

func (u *unusedConnections) close() {
	u.mutex.Lock()
	defer u.mutex.Unlock()
	for connection := range u.open {
		connection.Close()
	}
}
