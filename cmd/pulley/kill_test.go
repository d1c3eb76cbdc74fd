package main

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// TestKilledDaemonLosesNothing pulls a blob N times (N=50 for the promised figure) while the daemon
// is killed once at a random byte of each. The client does what dockerd does: it asks again for the
// rest. Each pull must complete with the right bytes, and the upstream must send less than 1.2 blobs.
func TestKilledDaemonLosesNothing(t *testing.T) {
	rounds := number(t, "N", 2)
	size := int64(number(t, "SIZE_MIB", 64)) << 20
	seed := uint64(number(t, "SEED", int(time.Now().UnixNano()&0xffff)))
	t.Logf("N=%d SIZE_MIB=%d SEED=%d", rounds, size>>20, seed)
	random := rand.New(rand.NewPCG(seed, 0))

	binary := buildPulley(t)
	hub := hubtest.Start(t)
	hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Total: 100 << 20})
	home := killHome(t, hub)

	for round := range rounds {
		image := hubtest.RandomImage(seed+uint64(round), 1, size)
		hub.Push("library/killed", "latest", image)
		layer := image.Layers[0]
		at := random.Int64N(layer.Content.Size())
		pullOverKill(t, binary, home, layer, at)
		sent := float64(hub.BytesSent(layer.Digest)) / float64(layer.Content.Size())
		t.Logf("round %d: killed at byte %d; upstream sent %.3f × the blob", round, at, sent)
		if sent >= 1.2 {
			t.Errorf("round %d: upstream sent %.3f × the blob", round, sent)
		}
		hub.Reset()
	}
}

// pullOverKill pulls layer with a new daemon that it kills when the client has read at bytes.
func pullOverKill(t *testing.T, binary, home string, layer hubtest.Layer, at int64) {
	t.Helper()
	daemon, address := killableDaemon(t, binary, home)
	defer func() { stopDaemon(daemon) }()
	response, err := http.Get("http://" + address + "/v2/library/killed/manifests/latest")
	if err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("manifest: %v %v", response, err)
	}
	_ = response.Body.Close()

	hash := sha256.New()
	done, err := pullRest(address, layer, hash, 0, at, "library/killed")
	if err != nil {
		t.Fatal(err)
	}
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
	daemon, _ = killableDaemon(t, binary, home)
	for tries := 0; done < layer.Content.Size(); tries++ {
		n, err := pullRest(address, layer, hash, done, layer.Content.Size(), "library/killed")
		if done += n; err != nil && tries == 5 {
			t.Fatalf("no answer after %d tries at byte %d: %v", tries, done, err)
		}
	}
	if got := hex.EncodeToString(hash.Sum(nil)); got != layer.Digest.Encoded() {
		t.Fatalf("wrong bytes: sha256 %s, want %s", got, layer.Digest.Encoded())
	}
}

// pullRest asks for the blob from offset off and reads up to offset until.
func pullRest(address string, layer hubtest.Layer, to io.Writer, off, until int64, repository string) (int64, error) {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/v2/"+repository+"/blobs/"+layer.Digest.String(), nil)
	if err != nil {
		return 0, err
	}
	want := http.StatusOK
	if off > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", off))
		want = http.StatusPartialContent
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		return 0, fmt.Errorf("status %s", response.Status)
	}
	n, err := io.CopyN(to, response.Body, until-off)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// killHome is a PULLEY_HOME whose address stays the same over restarts and whose names lead to the hub.
func killHome(t *testing.T, hub *hubtest.Hub) string {
	t.Helper()
	var text strings.Builder
	fmt.Fprintf(&text, "listen = %q\n[fetch]\nextra_roots = [%q]\n", freeAddress(t), hub.RootsFile())
	for _, host := range hub.Hosts() {
		fmt.Fprintf(&text, "[[address]]\nhost = %q\nuse = [%q]\n", host, hub.Addr())
	}
	home := t.TempDir()
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return home
}

// freeAddress is one that stays free between two daemons: below the range that connections take their ports from.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", 20000+rand.IntN(12000)))
		if err == nil {
			defer ln.Close()
			return ln.Addr().String()
		}
	}
	t.Fatal("no free port between 20000 and 32000")
	return ""
}

func killableDaemon(t *testing.T, binary, home string) (*exec.Cmd, string) {
	t.Helper()
	daemon := exec.Command(binary, "up")
	daemon.Env = append(os.Environ(), "PULLEY_HOME="+home)
	daemon.Stderr = os.Stderr
	out, err := daemon.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := daemon.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || !strings.HasPrefix(line, "ready ") {
		stopDaemon(daemon)
		t.Fatalf("no ready line: %q, %v", line, err)
	}
	for _, word := range strings.Fields(line) {
		if _, _, err := net.SplitHostPort(strings.TrimPrefix(word, "http://")); err == nil {
			return daemon, strings.TrimPrefix(word, "http://")
		}
	}
	stopDaemon(daemon)
	t.Fatalf("no address in %q", line)
	return nil, ""
}

func stopDaemon(daemon *exec.Cmd) {
	_ = daemon.Process.Kill()
	_ = daemon.Wait()
}

func number(t *testing.T, name string, otherwise int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("%s=%q: want a number", name, text)
	}
	return n
}
