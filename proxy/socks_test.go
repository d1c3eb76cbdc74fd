package proxy

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/crypto/bcrypt"
	socks "golang.org/x/net/proxy"

	"pulley/internal/config"
)

// socksRequest is a SOCKS5 greeting and a request for host and port.
func socksRequest(command byte, host string, port int) string {
	return "\x05\x01\x00" + "\x05" + string(command) + "\x00\x03" + string(byte(len(host))) + host + string([]byte{byte(port >> 8), byte(port)})
}

// socksTunnel is tunnel by SOCKS5.
func (p *port) socksTunnel(host string, port int, early string) net.Conn {
	p.t.Helper()
	c := p.connect()
	fmt.Fprint(c, socksRequest(1, host, port)+early)
	wantRead(p.t, c, "\x05\x00\x05\x00\x00\x01")
	_, _ = io.ReadFull(c, make([]byte, 6)) // bound address
	return c
}

// socksHTTP returns an HTTP client that uses the port as its SOCKS5 proxy.
func (p *port) socksHTTP() *http.Client {
	c := p.client()
	tr := c.Transport.(*http.Transport)
	tr.Proxy = http.ProxyURL(mustURL("socks5://" + p.addr))
	return c
}

func TestSOCKSNamesArriveUnresolved(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("no-such-name.invalid:4711", echo)
	d, err := socks.SOCKS5("tcp", p.addr, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Dial("tcp", "no-such-name.invalid:4711")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "hello")
	wantRead(t, c, "hello")
	_ = c.Close()
	if e := p.event(1); e.Door != "socks5" || e.Host != "no-such-name.invalid:4711" || e.Sent != 5 || e.Received != 5 {
		t.Errorf("event: %+v", e)
	}
	for _, addr := range []string{"192.0.2.1:80", "[2001:db8::1]:80"} {
		p.tcpServer(addr, echo)
		c, err := d.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
}

func TestSOCKSIsIntercepted(t *testing.T) {
	p := newPort(t, options{})
	wantGet(t, p.socksHTTP(), "https://registry-1.docker.io/v2/", "docker.io https://registry-1.docker.io/v2/ by socks5")
	wantGet(t, p.socksHTTP(), "http://plain.test/v2/", "plain http://plain.test/v2/ by socks5")
}

func TestSOCKSEarlyBytes(t *testing.T) {
	p := newPort(t, options{})
	p.tcpServer("early.test:9", echo)
	c := p.socksTunnel("early.test", 9, "early")
	wantRead(t, c, "early")
	fmt.Fprint(c, "late")
	wantRead(t, c, "late")
	if err := c.(closeWriter).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	wantEOF(t, c)
}

func TestSOCKSFailures(t *testing.T) {
	p := newPort(t, options{})
	for name, tc := range map[string]struct {
		request string
		reply   byte
	}{
		"gone":          {socksRequest(1, "gone.test", 1), 4},
		"bind":          {socksRequest(2, "x.test", 1), 7},
		"udp":           {socksRequest(3, "x.test", 1), 7},
		"port 0":        {socksRequest(1, "x.test", 0), 4},
		"bad name":      {socksRequest(1, "a b/c", 1), 4},
		"ourselves":     {socksRequest(1, "localhost", portOf(p.addr)), 5},
		"empty name":    {socksRequest(1, "", 1), 4},
		"unknown type":  {"\x05\x01\x00\x05\x01\x00\x09", 8},
		"unusable auth": {"\x05\x01\x02", 0xff},
	} {
		c := p.connect()
		fmt.Fprint(c, tc.request)
		got := make([]byte, 4)
		n, _ := io.ReadFull(c, got[:2])
		if tc.reply == 0xff {
			if n != 2 || got[1] != 0xff {
				t.Errorf("%s: %x", name, got[:n])
			}
		} else if n, err := io.ReadFull(c, got[:4]); err != nil || got[1] != tc.reply {
			t.Errorf("%s: %x, %v; want reply %d", name, got[:n], err, tc.reply)
		}
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	}
}

func portOf(addr string) int {
	a, err := net.ResolveTCPAddr("tcp", addr)
	if err != nil {
		panic(err)
	}
	return a.Port
}

// A way out may give connections that have no TCP address.
func TestSOCKSOverConnectionsWithoutAddress(t *testing.T) {
	far := make(chan net.Conn, 1)
	p := newPort(t, options{options: func(o *Options) {
		o.Dial = dialFunc(func(dialRequest) (net.Conn, error) {
			a, b := net.Pipe()
			far <- b
			return a, nil
		})
	}})
	d, err := socks.SOCKS5("tcp", p.addr, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	c, err := d.Dial("tcp", "pipe.test:1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	b := <-far
	go func() { fmt.Fprint(b, "hi"); _ = b.Close() }()
	wantRead(t, c, "hi")
	wantEOF(t, c)
}

func TestSilentSOCKSClientsAreDropped(t *testing.T) {
	p := newPort(t, options{timeouts: Timeouts{Handshake: 50 * time.Millisecond}})
	for _, sent := range []string{"\x05", "\x05\x01\x00", "\x05\x01\x00\x05\x01\x00\x03\x20half a na"} {
		c := p.connect()
		fmt.Fprint(c, sent)
		_, _ = io.ReadAll(io.LimitReader(c, 2))
		if len(sent) > 2 {
			wantEOF(t, c)
		}
	}
}

func TestUsers(t *testing.T) {
	hash, err := bcrypt.GenerateFromPassword([]byte("secret"), bcrypt.MinCost)
	if err != nil {
		t.Fatal(err)
	}
	p := newPort(t, options{config: func(c *config.Config) { c.Access.Users = map[string]string{"ann": string(hash)} }})
	p.lead("plain-http.test:80", "127.0.0.1:1")
	proxied := func(user, host string) (int, string) {
		c := p.connect()
		fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: x\r\n", host)
		if user != "" {
			r, _ := http.NewRequest(http.MethodGet, "http://x", nil) //nolint:noctx // only its header is used
			r.SetBasicAuth(user, "secret")
			fmt.Fprintf(c, "Proxy-Authorization: %s\r\n", r.Header.Get("Authorization"))
		}
		fmt.Fprint(c, "\r\n")
		buf := make([]byte, 4096)
		n, _ := c.Read(buf)
		resp := string(buf[:n])
		return len(resp), resp[9:12]
	}
	for user, want := range map[string]string{"": "407", "bob": "407", "ann": "200"} {
		for range 2 {
			if _, got := proxied(user, hubHost+":443"); got != want {
				t.Errorf("CONNECT as %q: %s, want %s", user, got, want)
			}
		}
	}
	for _, tc := range []struct {
		user, password, path string
		want                 int
	}{
		{"", "", "/v2/", 401}, {"ann", "wrong", "/v2/", 401}, {"ann", "secret", "/v2/", 200},
		{"", "", "/metrics", 200}, {"", "", "/healthz", 200},
	} {
		var leaked string
		p.mirror = func(w http.ResponseWriter, r *http.Request) { leaked = r.Header.Get("Authorization") }
		r, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+p.addr+tc.path, nil)
		if tc.user != "" {
			r.SetBasicAuth(tc.user, tc.password)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != tc.want || leaked != "" {
			t.Errorf("%+v: %s, the handler saw %q", tc, resp.Status, leaked)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	p.tcpServer("echo.test:1", echo)
	for password, ok := range map[string]bool{"secret": true, "wrong": false} {
		d, err := socks.SOCKS5("tcp", p.addr, &socks.Auth{User: "ann", Password: password}, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, err := d.Dial("tcp", "echo.test:1")
		if (err == nil) != ok {
			t.Errorf("SOCKS5 with %q: %v", password, err)
		}
		if err == nil {
			_ = c.Close()
		}
	}
}
