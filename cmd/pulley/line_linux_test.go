package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// line is the daemons of one home, one after the other.
type line struct {
	*trip
	mu   sync.Mutex
	gone []*exec.Cmd // they have handed over and finish what they have
}

func newLine(t *testing.T) *line {
	t.Helper()
	l := &line{trip: newTrip(t)}
	l.settings.Listen = waytest.FreeAddr(t)
	l.start()
	return l
}

// next starts a daemon that takes over.
func (l *line) handOver(args ...string) {
	l.t.Helper()
	daemon, ready, said := l.attempt(args...)
	if ready != "ready "+l.address+"\n" {
		l.t.Fatalf("the new daemon says %q and %s", ready, said)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gone = append(l.gone, l.daemon)
	l.daemon = daemon
}

// attempt starts one and returns its first line, or what it said to the end.
func (l *line) attempt(args ...string) (daemon *exec.Cmd, ready, said string) {
	l.t.Helper()
	daemon = exec.Command(l.binary, append([]string{"up", "--take-over"}, args...)...)
	daemon.Env = append(os.Environ(), "PULLEY_HOME="+l.home)
	errs, err := os.CreateTemp(l.t.TempDir(), "")
	if err != nil {
		l.t.Fatal(err)
	}
	daemon.Stderr = errs
	out, err := daemon.StdoutPipe()
	if err != nil {
		l.t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { stopDaemon(daemon) })
	ready, _ = bufio.NewReader(out).ReadString('\n')
	if ready == "" {
		_ = daemon.Wait()
	}
	text, _ := os.ReadFile(errs.Name())
	return daemon, ready, string(text)
}

// ended waits until all that handed over have ended, in order.
func (l *line) ended() {
	l.t.Helper()
	http.DefaultClient.CloseIdleConnections() // else they wait for the next request on those
	enough := time.AfterFunc(time.Minute, func() {
		for _, d := range l.gone {
			_ = d.Process.Signal(syscall.SIGQUIT)
		}
	})
	defer enough.Stop()
	for i, d := range l.gone {
		if err := d.Wait(); err != nil {
			l.t.Errorf("daemon %d: %v", i, err)
		}
	}
	l.gone = nil
}

// verified has every byte of the cache read back.
func (l *line) verified() {
	l.t.Helper()
	l.says("cache", "verify")
	for _, dir := range []string{"tmp", "partial/handed"} {
		if left, err := os.ReadDir(filepath.Join(l.home, "cache", dir)); err == nil && len(left) > 0 {
			l.t.Errorf("left in %s: %v", dir, left)
		}
	}
}

// customer pulls by one of the doors, with no second try of its own.
type customer struct {
	client *http.Client
	base   string
	token  string
}

var challenge = regexp.MustCompile(`realm="([^"]+)",service="([^"]+)"`)

// customers are one of each kind: the mirror door with connections that are kept, and with one each; intercepted behind an
// HTTP proxy and behind SOCKS5.
func (l *line) customers() []*customer {
	l.t.Helper()
	pem, err := os.ReadFile(filepath.Join(l.home, "ca", "ca.crt"))
	if err != nil {
		l.t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	behind := func(scheme string, alive bool) *customer {
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, DisableKeepAlives: !alive, MaxIdleConnsPerHost: 8}
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: scheme, Host: l.address})
		l.t.Cleanup(transport.CloseIdleConnections)
		return &customer{client: &http.Client{Transport: transport}, base: "https://" + l.origin.RegistryHost}
	}
	mirror := func(alive bool) *customer {
		transport := &http.Transport{DisableKeepAlives: !alive, MaxIdleConnsPerHost: 8}
		l.t.Cleanup(transport.CloseIdleConnections)
		return &customer{client: &http.Client{Transport: transport}, base: "http://" + l.address}
	}
	return []*customer{mirror(true), mirror(false), behind("http", true), behind("http", false), behind("socks5", true), behind("socks5", false)}
}

func (c *customer) hangUp() { c.client.CloseIdleConnections() }

// do is one request; its answer is 200.
func (c *customer) do(ctx context.Context, method, path string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, path, nil)
	if err != nil {
		return nil, err
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	answer, err := c.client.Do(r)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(answer.Body, 300))
		_ = answer.Body.Close()
		return answer, fmt.Errorf("%s %s: %s %s", method, path, answer.Status, body)
	}
	return answer, nil
}

// login gets a token where one is wanted.
func (c *customer) login(ctx context.Context, repository string) error {
	c.token = ""
	answer, err := c.do(ctx, http.MethodGet, c.base+"/v2/")
	if err == nil {
		return answer.Body.Close()
	}
	if answer == nil || answer.StatusCode != http.StatusUnauthorized {
		return err
	}
	m := challenge.FindStringSubmatch(answer.Header.Get("WWW-Authenticate"))
	if m == nil {
		return fmt.Errorf("challenge %q", answer.Header.Get("WWW-Authenticate"))
	}
	if answer, err = c.do(ctx, http.MethodGet, m[1]+"?service="+url.QueryEscape(m[2])+"&scope=repository:"+repository+":pull"); err != nil {
		return err
	}
	defer answer.Body.Close()
	var said struct{ Token string }
	err = json.NewDecoder(answer.Body).Decode(&said)
	c.token = said.Token
	return err
}

// pull is what an engine does.
func (c customer) pull(ctx context.Context, repository string, image hubtest.Image) error {
	if err := c.login(ctx, repository); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	at := c.base + "/v2/" + repository
	head, err := c.do(ctx, http.MethodHead, at+"/manifests/latest")
	if err != nil {
		return err
	}
	_ = head.Body.Close()
	if err := c.fetch(ctx, at+"/manifests/", image.Digest()); err != nil {
		return err
	}
	errs := make(chan error)
	blobs := image.Blobs()
	for _, d := range blobs {
		go func() { errs <- c.fetch(ctx, at+"/blobs/", d) }()
	}
	err = nil
	for range blobs {
		err = errors.Join(err, <-errs)
	}
	return err
}

// fetch reads something whole and right.
func (c *customer) fetch(ctx context.Context, at string, d digest.Digest) error {
	answer, err := c.do(ctx, http.MethodGet, at+d.String())
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	v := d.Verifier()
	n, err := io.Copy(v, answer.Body)
	if err != nil {
		return fmt.Errorf("%s%s after %d bytes: %w", at, d, n, err)
	}
	if !v.Verified() {
		return fmt.Errorf("%s%s: %d bytes, and they are wrong", at, d, n)
	}
	return nil
}

// caller asks for as little as possible all the time, and takes down how long that took at most.
type caller struct {
	most atomic.Int64
	end  func()
}

func (l *line) calls() *caller {
	c := &caller{}
	ctx, cancel := context.WithCancel(context.Background())
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			begun := time.Now()
			r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+l.address+"/healthz", nil)
			if err != nil {
				l.t.Error(err)
				return
			}
			answer, err := client.Do(r)
			if err != nil {
				if ctx.Err() == nil {
					l.t.Errorf("the port: %v", err)
				}
				return
			}
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
			if took := int64(time.Since(begun)); took > c.most.Load() {
				c.most.Store(took)
			}
		}
	})
	c.end = sync.OnceFunc(func() { cancel(); work.Wait() })
	l.t.Cleanup(c.end)
	return c
}

// talk is a tunnel to somebody who is no registry, by CONNECT or SOCKS5, through which bytes go both ways until stop.
func (l *line) talk(scheme string) (stop func()) {
	l.t.Helper()
	partner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = partner.Close() })
	go func() {
		c, err := partner.Accept()
		if err == nil {
			_, _ = io.Copy(c, c)
			_ = c.Close()
		}
	}()
	conn := l.tunnel(scheme, partner.Addr().String())
	var over atomic.Bool
	var work sync.WaitGroup
	work.Go(func() {
		defer conn.Close()
		out, in := make([]byte, 8<<10), make([]byte, 8<<10)
		for i := 0; !over.Load(); i++ {
			for j := range out {
				out[j] = byte(i + j)
			}
			if _, err := conn.Write(out); err != nil {
				l.t.Errorf("tunnel by %s after %d rounds: %v", scheme, i, err)
				return
			}
			if _, err := io.ReadFull(conn, in); err != nil || string(in) != string(out) {
				l.t.Errorf("tunnel by %s after %d rounds: %v", scheme, i, err)
				return
			}
		}
	})
	stop = sync.OnceFunc(func() { over.Store(true); work.Wait() })
	l.t.Cleanup(stop)
	return stop
}

func (l *line) tunnel(scheme, to string) net.Conn {
	l.t.Helper()
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		l.t.Fatal(err)
	}
	if scheme == "http" {
		fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", to, to)
		const want = "HTTP/1.1 200 Connection established\r\n\r\n"
		got := make([]byte, len(want))
		if _, err := io.ReadFull(conn, got); err != nil || string(got) != want {
			l.t.Fatalf("CONNECT: %q %v", got, err)
		}
		return conn
	}
	addr, err := net.ResolveTCPAddr("tcp", to)
	if err != nil {
		l.t.Fatal(err)
	}
	hello := append([]byte{5, 1, 0, 5, 1, 0, 1}, addr.IP.To4()...)
	if _, err := conn.Write(append(hello, byte(addr.Port>>8), byte(addr.Port))); err != nil {
		l.t.Fatal(err)
	}
	got := make([]byte, 12)
	if _, err := io.ReadFull(conn, got); err != nil || got[3] != 0 {
		l.t.Fatalf("SOCKS5: %v %v", got, err)
	}
	return conn
}
