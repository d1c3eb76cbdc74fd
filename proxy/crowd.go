package proxy

import (
	"cmp"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Crowd bounds how many connections clients that are not on this machine may have
// open at once. Zero means the default.
type Crowd struct {
	Address int // of one address, IPv6 ones by the /64 that one machine may have all of: 1024
	All     int // of all: a quarter of the files that this process may have open
}

func (c Crowd) withDefaults() Crowd {
	c.Address = cmp.Or(c.Address, 1024)
	// A connection may need two files more, and the cache and this machine's own
	// clients some, too.
	c.All = cmp.Or(c.All, max(maxFiles()/4, 64))
	return c
}

// crowd counts the connections of clients elsewhere. Before they have said who they
// are, there is nothing else to tell them apart by.
type crowd struct {
	Crowd
	mu     sync.Mutex
	all    int
	by     map[netip.Prefix]int
	warned time.Time
}

// enter counts a connection from an address, if there is room; leave counts it off.
func (c *crowd) enter(from netip.Prefix) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all >= c.All || c.by[from] >= c.Address {
		return false
	}
	if c.by == nil {
		c.by = map[netip.Prefix]int{}
	}
	c.all++
	c.by[from]++
	return true
}

func (c *crowd) leave(from netip.Prefix) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all--
	if c.by[from]--; c.by[from] <= 0 {
		delete(c.by, from)
	}
}

// due reports whether a full house is to be told of: once a minute.
func (c *crowd) due(now time.Time) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.warned).Abs() < time.Minute {
		return false
	}
	c.warned = now
	return true
}

func (c *crowd) size() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.all
}

// admit counts a connection; the result is what its closing calls, nil where nothing
// is counted. false: there is no room for it.
func (s *Server) admit(nc net.Conn, client netip.Addr) (leave func(), ok bool) {
	if isLocal(client) {
		return nil, true
	}
	from := prefixOf(client)
	if !s.crowd.enter(from) {
		s.refusals.crowd.Add(1)
		if s.crowd.due(s.opt.Now()) {
			s.opt.Log.Warn("connection refused: too many are open from elsewhere", "client", client, "of_one_address", s.crowd.Address, "of_all", s.crowd.All)
		}
		_ = nc.Close()
		return nil, false
	}
	return sync.OnceFunc(func() { s.crowd.leave(from) }), true
}
