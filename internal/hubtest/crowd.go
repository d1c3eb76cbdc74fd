package hubtest

// crowd counts the connections that are open at once, by the host they are for; "" stands for all. Guarded by Hub.mu.
type crowd map[string]struct{ open, peak int }

func (c crowd) enter(host string) {
	n := c[host]
	n.open++
	n.peak = max(n.peak, n.open)
	c[host] = n
}

// leave takes a connection out of its host's count, if it ever had one, and out of that of all.
func (c crowd) leave(host string) {
	n := c[""]
	n.open--
	c[""] = n
	if host != "" {
		n = c[host]
		n.open--
		c[host] = n
	}
}

// restart forgets the peaks.
func (c crowd) restart() {
	for host, n := range c {
		n.peak = n.open
		c[host] = n
	}
}

// meet notes whom a connection is for: the client hello's name, or without one the first request's host.
func (h *Hub) meet(c *conn, host string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, open := h.conns[c]; open && c.host == "" && host != "" {
		c.host = host
		h.crowd.enter(host)
	}
}

// Connections counts connections: accepted since Start, and open now.
func (h *Hub) Connections() (accepted, open int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return int(h.lastConn), len(h.conns)
}

// Peak is how many connections for a host name ("" : for any) were open at once, at most, since Start or Reset. Idle ones
// count; Concurrent counts requests.
func (h *Hub) Peak(host string) int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.crowd[host].peak
}
