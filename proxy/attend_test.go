package proxy

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/proxy/registry"
)

// atHand answers what is under /v2/ready/ at once.
func atHand(w http.ResponseWriter, r *http.Request, t *registry.Target) bool {
	what, ok := strings.CutPrefix(r.URL.Path, "/v2/ready/")
	if !ok {
		return false
	}
	door := "mirror"
	if t != nil {
		door = t.Host
	}
	body := fmt.Sprintf("%s by %s for %s", what, door, peerOf(r).client)
	switch what {
	case "panic":
		panic("as a handler may")
	case "large":
		body = strings.Repeat("0123456789abcdef", 1<<14)
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
		_, _ = io.WriteString(w, body[:1])
		body = body[1:]
	case "broken":
		w.Header().Set("Content-Length", "100")
	case "split":
		w.Header().Set("X-Split", "a\r\nX-Second: b")
		w.WriteHeader(http.StatusTeapot)
	}
	if r.Method != http.MethodHead {
		_, _ = io.WriteString(w, body)
	} else {
		w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	}
	return true
}

func readyPort(t *testing.T, o options) *port {
	t.Helper()
	p := newPort(t, o)
	p.ready = atHand
	return p
}

// What is ready is answered on a connection that goes on, whoever answers the requests
// between; the http.Server has it from the first on that is not.
func TestReadyRequestsAndOthers(t *testing.T) {
	p := readyPort(t, options{})
	request := func(method, path, more string) string {
		return fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, path, p.addr, more)
	}
	site := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	for name, c := range map[string]net.Conn{"mirror": p.connect(), hubHost: site} {
		ask := func(method, path, more string, status int, want string) {
			t.Helper()
			fmt.Fprint(c, request(method, path, more))
			resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
			if err != nil {
				t.Fatalf("%s: %s: %v", name, path, err)
			}
			body, err := io.ReadAll(resp.Body)
			if err != nil || resp.StatusCode != status || !strings.Contains(string(body), want) || resp.Header.Get("X-Second") != "" || resp.Header.Get("Date") == "" {
				t.Errorf("%s: %s %s: %s %v %.100q, %v; want %q", name, method, path, resp.Status, resp.Header, body, err, want)
			}
			if resp.ContentLength < 0 {
				t.Errorf("%s: %s: the length is not told", name, path)
			}
		}
		ask("GET", "/v2/ready/one", "", 200, "one by "+name+" for 127.0.0.1")
		ask("HEAD", "/v2/ready/two", "", 200, "")
		ask("GET", "/v2/ready/large", "Accept: a/b\r\n", 200, "0123456789abcdef")
		ask("GET", "/v2/ready/split", "", http.StatusTeapot, "split by")
		ask("GET", "/v2/other", "", 200, "/v2/other")
		ask("GET", "/v2/ready/three", "", 200, "/v2/ready/three") // the http.Server's
		ask("GET", "/v2/ready/four", "Connection: close\r\n", 200, "four")
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil {
			t.Errorf("%s: the connection goes on after its last request", name)
		}
	}
}

// A connection ends with an answer that is not whole, with one that the client wants
// to be the last, and with a panic, which ends nothing else.
func TestReadyRequestsThatAreTheLast(t *testing.T) {
	p := readyPort(t, options{})
	for what, more := range map[string]string{"last": "Connection: close\r\n", "broken": "", "panic": ""} {
		c := p.connect()
		fmt.Fprintf(c, "GET /v2/ready/%s HTTP/1.1\r\nHost: %s\r\n%s\r\n", what, p.addr, more)
		all, err := io.ReadAll(c)
		if err != nil {
			t.Fatal(err)
		}
		if says := strings.Contains(string(all), "Connection: close"); says != (what == "last") || (len(all) == 0) != (what == "panic") {
			t.Errorf("%s: %q", what, all)
		}
	}
	if p.log.count("panic while answering") != 1 {
		t.Error("the panic is not in the log")
	}
}

// So is it in what the http.Server answers; a handler that ends a connection makes no
// mistake.
func TestPanicIsTold(t *testing.T) {
	for thrown, mistake := range map[any]bool{"as a handler may": true, http.ErrAbortHandler: false} {
		p := newPort(t, options{})
		p.mirror = func(http.ResponseWriter, *http.Request) { panic(thrown) }
		c := p.connect()
		fmt.Fprintf(c, "GET /v2/ HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr)
		if all, err := io.ReadAll(c); err != nil || len(all) > 0 {
			t.Errorf("%v: %q, %v", thrown, all, err)
		}
		if told := p.log.count("panic while answering") > 0; told != mistake {
			t.Errorf("%v: in the log: %v", thrown, told)
		}
	}
}

// The rules of the port hold for what is ready, too: requests that have to be refused
// or looked at are none of it.
func TestReadyRequestsKeepTheRules(t *testing.T) {
	p := readyPort(t, options{})
	for name, head := range map[string]string{
		"a foreign name":  "GET /v2/ready/a HTTP/1.1\r\nHost: rebound.test\r\n\r\n",
		"a browser":       "GET /v2/ready/a HTTP/1.1\r\nHost: " + p.addr + "\r\nOrigin: http://x.test\r\n\r\n",
		"a decoded path":  "GET /v2/ready/%61 HTTP/1.1\r\nHost: " + p.addr + "\r\n\r\n",
		"two requests":    strings.Repeat("GET /v2/ready/a HTTP/1.1\r\nHost: "+p.addr+"\r\n\r\n", 2),
		"another version": "GET /v2/ready/a HTTP/1.0\r\nHost: " + p.addr + "\r\n\r\n",
	} {
		c := p.connect()
		fmt.Fprint(c, head)
		if resp, body := readResponse(t, c); strings.Contains(body, "a by mirror") {
			t.Errorf("%s: %s %q", name, resp.Status, body)
		}
	}
	off := readyPort(t, options{config: func(c *config.Config) { c.Access.Users = map[string]string{"ann": "x"} }})
	c := off.connect()
	fmt.Fprintf(c, "GET /v2/ready/a HTTP/1.1\r\nHost: %s\r\n\r\n", off.addr)
	if resp, body := readResponse(t, c); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("with [access] users: %s %q", resp.Status, body)
	}
}

// Connections that wait for their next request do not keep the port from ending, and
// are told when it is somebody else's.
func TestReadyConnectionsEnd(t *testing.T) {
	l := &leaving{left: make(chan struct{}), in: make(chan net.Conn)}
	p := readyPort(t, options{listen: func(ln net.Listener) net.Listener {
		l.Listener = ln
		return l
	}})
	get := "GET /v2/ready/a HTTP/1.1\r\nHost: " + p.addr + "\r\n\r\n"
	kept := p.connect()
	fmt.Fprint(kept, get)
	if resp, _ := readResponse(t, kept); resp.Close {
		t.Fatal("closed before anybody leaves")
	}
	close(l.left)
	p.eventually(func() bool { return p.log.count("somebody else's") > 0 })
	p.wantLast(t, "kept", kept, get)
	if err := p.served(); err != nil {
		t.Error(err)
	}

	q := readyPort(t, options{timeouts: Timeouts{Drain: time.Hour}})
	kept = q.connect()
	fmt.Fprint(kept, get)
	_, _ = readResponse(t, kept)
	if err := q.stop(); err != nil {
		t.Error(err)
	}
	if _, err := kept.Read(make([]byte, 1)); err == nil {
		t.Error("an idle connection outlives the port")
	}
}

// The port may end at any moment of a connection's first requests.
func TestReadyConnectionsEndWhileTheyBegin(t *testing.T) {
	for range 20 {
		p := readyPort(t, options{})
		var clients sync.WaitGroup
		begin := make(chan struct{})
		for range 40 {
			c := p.connect()
			clients.Go(func() {
				<-begin
				in := bufio.NewReader(c)
				for range 3 {
					if _, err := fmt.Fprintf(c, "GET /v2/ready/a HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr); err != nil {
						return
					}
					resp, err := http.ReadResponse(in, nil)
					if err != nil {
						return // it was closed before it was answered
					}
					if _, err := io.ReadAll(resp.Body); err != nil {
						t.Errorf("an answer broke off: %v", err)
					}
					_ = resp.Body.Close()
				}
			})
		}
		close(begin)
		if err := p.stop(); err != nil {
			t.Error(err)
		}
		clients.Wait()
	}
}

// fileSize is more than fits into buffers on the way.
const fileSize = 64 << 20

func fileContent() []byte { return bytes.Repeat([]byte("0123456789abcdef"), fileSize/16) }

// filePort answers everything with a file, at once.
func filePort(t *testing.T, o options) *port {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, fileContent(), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPort(t, o)
	p.ready = func(w http.ResponseWriter, _ *http.Request, _ *registry.Target) bool {
		f, err := os.Open(name)
		if err != nil {
			return false
		}
		defer f.Close()
		w.Header().Set("Content-Length", strconv.Itoa(fileSize))
		_, _ = io.CopyN(w, f, fileSize)
		return true
	}
	return p
}

// A file that is ready goes out whole and the connection goes on, by every door.
func TestReadyFiles(t *testing.T) {
	p, want := filePort(t, options{}), sha256.Sum256(fileContent())
	site := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
	for name, c := range map[string]net.Conn{"mirror": p.connect(), hubHost: site} {
		in := bufio.NewReader(c)
		for range 2 {
			fmt.Fprintf(c, "GET /v2/ready/file HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr)
			resp, err := http.ReadResponse(in, nil)
			if err != nil {
				t.Fatal(name, err)
			}
			sum := sha256.New()
			n, err := io.Copy(sum, resp.Body)
			if err != nil || n != fileSize || !bytes.Equal(sum.Sum(nil), want[:]) {
				t.Errorf("%s: %d bytes, %v", name, n, err)
			}
		}
	}
}

// A transfer that runs when the port ends has the time that every request has, and no more.
func TestReadyFilesDrain(t *testing.T) {
	begin := func(p *port) (bodies []io.ReadCloser) {
		t.Helper()
		site := tls.Client(p.tunnel(hubHost+":443", ""), &tls.Config{RootCAs: p.roots(), ServerName: hubHost})
		for _, c := range []net.Conn{p.connect(), site} {
			fmt.Fprintf(c, "GET /v2/ready/file HTTP/1.1\r\nHost: %s\r\n\r\n", p.addr)
			resp, err := http.ReadResponse(bufio.NewReader(c), nil)
			if err != nil {
				t.Fatal(err)
			}
			bodies = append(bodies, resp.Body)
		}
		return bodies
	}
	p := filePort(t, options{timeouts: Timeouts{Drain: time.Hour}})
	bodies, stopped := begin(p), make(chan error, 1)
	go func() { stopped <- p.stop() }()
	p.untilClosed()
	for i, body := range bodies {
		select {
		case err := <-stopped:
			t.Fatalf("stopped before transfer %d was done: %v", i, err)
		default:
		}
		if n, err := io.Copy(io.Discard, body); err != nil || n != fileSize {
			t.Errorf("transfer %d: %d bytes, %v", i, n, err)
		}
	}
	if err := <-stopped; err != nil {
		t.Error(err)
	}

	p = filePort(t, options{timeouts: Timeouts{Drain: 50 * time.Millisecond}})
	bodies = begin(p)
	if err := p.stop(); err != nil {
		t.Error(err)
	}
	for i, body := range bodies {
		if n, err := io.Copy(io.Discard, body); err == nil || n == fileSize {
			t.Errorf("transfer %d goes on without the port: %d bytes, %v", i, n, err)
		}
	}
}
