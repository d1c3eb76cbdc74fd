package daemon_test

import (
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"pulley/internal/cause"
	"pulley/internal/control"
	"pulley/internal/hubtest"
)

func (r *running) until(t *testing.T, what string, is func(control.State) bool) {
	t.Helper()
	eventually(t, what, func() bool { return is(r.State()) })
}

// answers reports whether a daemon does at an address.
func (r *running) answers(t *testing.T, address string) bool {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Close = true
	response, err := r.client.Do(request)
	if err != nil {
		return false
	}
	_ = response.Body.Close()
	return response.StatusCode == http.StatusOK
}

func refusedPort(s control.State) (p control.Problem, has bool) {
	i := slices.IndexFunc(s.Problems, func(p control.Problem) bool { return p.Key == control.KeyListenRefused })
	if i < 0 {
		return p, false
	}
	return s.Problems[i], true
}

// The port is moved while it is open: the new one answers, the old one does not, and what was under way is finished.
func TestListenIsTakenUpLive(t *testing.T) {
	r := start(t, nil)
	image := hubtest.RandomImage(60, 1, 4<<20)
	r.hub.Push("library/app", "latest", image)
	stall := int64(1 << 20)
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Stall: &stall})
	was := r.Address()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+was+"/v2/library/app/blobs/"+image.Layers[0].Digest.String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	under, err := r.client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = under.Body.Close() }()
	to := closed(t)
	if err := r.SetSetting("listen", to); err != nil {
		t.Fatal(err)
	}
	r.until(t, "moved", func(s control.State) bool { return s.Listen == to })
	if !r.answers(t, to) || r.answers(t, was) {
		t.Error("the new address has to answer, the old one not")
	}
	r.hub.Release()
	r.hub.SetFaults()
	if n, err := io.Copy(io.Discard, under.Body); err != nil || n != image.Layers[0].Content.Size() {
		t.Errorf("what was under way: %d bytes, %v", n, err)
	}
	r.pull(t, "library/app", image)
}

// A port that somebody has is no reason to leave the one that is open; it is said who has it, and taken up when it is free.
func TestListenThatIsTaken(t *testing.T) {
	r := start(t, nil)
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	was, to := r.Address(), other.Addr().String()
	if err := r.SetSetting("listen", to); err != nil {
		t.Fatal(err)
	}
	r.until(t, "told", func(s control.State) bool { _, has := refusedPort(s); return has })
	p, _ := refusedPort(r.State())
	if p.Thing != to || p.Cause != cause.Taken || !strings.HasPrefix(p.About, to+" is in use by ") || !strings.HasSuffix(p.Text, "; Pulley stays at "+was) {
		t.Errorf("%+v", p)
	}
	if r.Address() != was || !r.answers(t, was) {
		t.Error("the old one has to answer")
	}
	_ = other.Close()
	if err := r.SetSetting("tray.theme", "dark"); err != nil { // any change has it looked at
		t.Fatal(err)
	}
	r.until(t, "taken up", func(s control.State) bool { _, has := refusedPort(s); return !has && s.Listen == to })
	if !r.answers(t, to) {
		t.Error("the new one has to answer")
	}
}

// All addresses of the same port, which cannot be had beside one of them; and back.
func TestListenOnAllAddressesOfThePort(t *testing.T) {
	r := start(t, nil)
	if err := r.SetSetting("access.allow", "127.0.0.0/8"); err != nil {
		t.Fatal(err)
	}
	one := closed(t)
	_, port, _ := net.SplitHostPort(one)
	for _, to := range []string{one, "0.0.0.0:" + port, one} {
		if err := r.SetSetting("listen", to); err != nil {
			t.Fatal(err)
		}
		host, _, _ := net.SplitHostPort(to)
		r.until(t, to, func(s control.State) bool {
			now, at, _ := net.SplitHostPort(s.Listen)
			return at == port && net.ParseIP(now).IsUnspecified() == net.ParseIP(host).IsUnspecified()
		})
		if !r.answers(t, one) {
			t.Errorf("%s: no answer", to)
		}
	}
	if runtime.GOOS != "linux" {
		return
	}
	other, err := net.Listen("tcp", "127.0.0.2:"+port) // in the way of all addresses, not of one
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if err := r.SetSetting("listen", "0.0.0.0:"+port); err != nil {
		t.Fatal(err)
	}
	r.until(t, "told", func(s control.State) bool { _, has := refusedPort(s); return has })
	if r.Address() != one || !r.answers(t, one) {
		t.Error("the one before has to be open again")
	}
}

// Another folder for the cache is one thing that waits for the next start, and says so.
func TestCacheDirIsForTheNextStart(t *testing.T) {
	r := start(t, nil)
	if err := r.SetSetting("cache.dir", filepath.Join(r.places.Home, "elsewhere")); err != nil {
		t.Fatal(err)
	}
	if s := r.State(); s.Later["cache.dir"] != r.places.CacheDir || s.Cache.Dir != r.places.CacheDir {
		t.Errorf("%v, %s", s.Later, s.Cache.Dir)
	}
	if _, err := os.Stat(filepath.Join(r.places.Home, "elsewhere")); err == nil {
		t.Error("it is there already")
	}
	if err := r.SetSetting("cache.dir", ""); err != nil || r.State().Later != nil {
		t.Errorf("%v, %v", r.State().Later, err)
	}
}
