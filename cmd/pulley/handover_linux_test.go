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
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/handover"
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

// TestHandOver has clients of every door pull while one daemon after the other takes over: no client sees an error or a
// wrong byte, tunnels stay, whoever has handed over ends when its last client is done, and the cache is whole. N pulls
// (500 for the promised figure) over OVER hand-overs (20).
func TestHandOver(t *testing.T) {
	pulls, over := number(t, "N", 36), number(t, "OVER", 4)
	l := newLine(t)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 48 << 20})
	const each = 3 // pulls of an image
	images := make([]hubtest.Image, (pulls+each-1)/each)
	for i := range images {
		images[i] = hubtest.RandomImage(uint64(9000+i), 2, 2<<20)
		l.origin.Push(fmt.Sprintf("library/over%d", i), "latest", images[i])
	}
	stops := []func(){l.talk("http"), l.talk("socks5")}
	var next, done atomic.Int64
	var work sync.WaitGroup
	kinds := l.customers()
	for _, c := range kinds {
		work.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				if i >= pulls {
					return
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
				if err := c.pull(ctx, fmt.Sprintf("library/over%d", i/each), images[i/each]); err != nil {
					t.Errorf("pull %d at %s: %v", i, c.base, err)
				}
				cancel()
				done.Add(1)
			}
		})
	}
	ticks := time.NewTicker(5 * time.Millisecond)
	defer ticks.Stop()
	var gaps []time.Duration
	for i := range over {
		for int(done.Load()) < (i+1)*pulls/(over+1) {
			<-ticks.C
		}
		if i%3 == 1 { // one that cannot: a settings key that nobody knows
			if _, ready, said := l.attempt("--listen", "nowhere"); ready != "" || said == "" {
				t.Errorf("with wrong settings: %q %q", ready, said)
			}
		}
		c := l.calls()
		l.handOver()
		c.end()
		gaps = append(gaps, time.Duration(c.most.Load()).Round(100*time.Microsecond))
	}
	work.Wait()
	for _, stop := range stops {
		stop()
	}
	for _, c := range kinds {
		c.hangUp()
	}
	l.ended()
	var sent, size int64
	for _, image := range images {
		for _, layer := range image.Layers {
			sent += l.origin.BytesSent(layer.Digest)
			size += layer.Content.Size()
		}
	}
	t.Logf("%d pulls over %d hand-overs; slowest answer during each: %v; upstream sent %.3f × the layers", pulls, over, gaps, float64(sent)/float64(size))
	l.verified()
	events := 0
	for _, e := range strings.Split(l.says("log", "-n", "100000"), "\n") {
		if strings.Contains(e, "blob") {
			events++
		}
	}
	if want := 3 * pulls; events < want {
		t.Errorf("the log has %d blobs of %d", events, want)
	}
}

// TestHandOverThatFails: whoever takes what there is and does not come, killed or gone of itself, costs nobody more than a
// moment; nor does one whose settings are wrong, or whose address is taken.
func TestHandOverThatFails(t *testing.T) {
	l := newLine(t)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 4 << 20})
	stop := l.talk("http")
	client := pull(t, l.address, l.repository, l.image)
	client.manifest("latest")
	client.rest(func() {
		for range 3 {
			p, err := handover.Ask(t.Context(), filepath.Join(l.home, "control.sock"), handover.Request{Version: "test", CacheDir: filepath.Join(l.home, "cache")})
			if err != nil {
				t.Fatal(err)
			}
			given, err := p.Take()
			if err != nil || given.Lock == nil {
				t.Fatalf("%+v %v", given, err)
			}
			given.Close()
			p.Close()
			l.says("status")
		}
		taken, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer taken.Close()
		if _, ready, said := l.attempt("--listen", taken.Addr().String()); ready != "" || !strings.Contains(said, "is in use") {
			t.Errorf("an address that is taken: %q %q", ready, said)
		}
	})
	client.check()
	stop()
	l.settings.Origin.SetFaults()
	l.next(1 << 20)
	l.pull(nil)
	l.verified()
	// On a busy machine a slow connection's rest goes to a faster one, and what was on its way of that comes twice.
	if got, size := l.origin.BytesSent(client.layer.Digest), client.layer.Content.Size(); got < size || got > size+size/8 {
		t.Errorf("upstream sent %d of %d bytes", got, size)
	}
}

// TestOldOneKilledWhileItFinishes: what a daemon that has handed over had of a download when it was killed is gone on with by
// the next one.
func TestOldOneKilledWhileItFinishes(t *testing.T) {
	l := newLine(t)
	l.next(16 << 20)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 8 << 20})
	first := pull(t, l.address, l.repository, l.image)
	first.manifest("latest")
	err := first.read(first.layer.Content.Size(), func() {
		beside := pull(t, l.address, l.repository, l.image) // gets some of it
		if err := beside.read(4<<20, nil); err != nil {
			t.Error(err)
		}
		l.handOver()
		old := l.gone[0]
		_ = old.Process.Kill()
		_ = old.Wait()
		l.gone = nil
	})
	if err == nil {
		t.Fatal("the client of a killed daemon saw nothing")
	}
	l.until("what it left is taken over", func() bool {
		_, err := os.Stat(filepath.Join(l.home, "cache", "partial", "sha256", first.layer.Digest.Encoded()))
		return err == nil
	})
	again := pull(t, l.address, l.repository, l.image)
	again.manifest("latest")
	again.rest(nil)
	again.check()
	sent := float64(l.origin.BytesSent(again.layer.Digest)) / float64(again.layer.Content.Size())
	t.Logf("upstream sent %.3f × the blob", sent)
	if sent >= 1.2 {
		t.Error("what was there was fetched again")
	}
	l.verified()
}

// TestTakeOverOfNobody: with no daemon there, or a dead one's socket, it is a start like any other.
func TestTakeOverOfNobody(t *testing.T) {
	l := newLine(t)
	stopDaemon(l.daemon)
	l.handOver()
	l.gone = nil
	l.pull(nil)
	l.verified()
}

// TestNewOneKilledAtAnyMoment starts daemons that take over and kills each at a random moment: before it asks, while it has
// everything and does not serve yet, or when it serves. Either the running one goes on, or it finishes and there is none;
// what was begun is not broken, and nothing is lost. N rounds, SEED.
func TestNewOneKilledAtAnyMoment(t *testing.T) {
	rounds := roundsOf(t, 10)
	l := newLine(t)
	l.next(24 << 20)
	l.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Digest: l.image.Layers[0].Digest, Total: int64(24<<20) / int64(1+rounds.n/3)})
	stop := l.talk("socks5")
	client := pull(t, l.address, l.repository, l.image)
	client.manifest("latest")
	went := 0
	client.rest(func() {
		for i := range rounds.n {
			daemon := exec.Command(l.binary, "up", "--take-over")
			daemon.Env = append(os.Environ(), "PULLEY_HOME="+l.home)
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			<-time.After(time.Duration(rounds.random.IntN(150)) * time.Millisecond)
			stopDaemon(daemon)
			if _, _, err := l.run("status"); err == nil {
				went++
			} else {
				l.handOver()
			}
			image := hubtest.RandomImage(rounds.seed+uint64(100+i), 1, 100<<10)
			l.origin.Push("library/small", "latest", image)
			small := pull(t, l.address, "library/small", image)
			small.manifest(image.Digest().String())
			small.rest(nil)
			small.check()
		}
	})
	client.check()
	stop()
	t.Logf("%d of %d went on", went, rounds.n)
	l.ended()
	l.pull(nil)
	l.verified()
}
