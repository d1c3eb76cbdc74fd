//go:build !darwin

// macOS answers at 127.0.0.1 alone of 127.0.0.0/8.

package egress_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/egress"
)

const hubHost = "registry-1.docker.io"

var three = []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"}

// newHub is a hub at three addresses.
func newHub(t *testing.T) *hubtest.Hub {
	t.Helper()
	h := &hubtest.Hub{Also: three[1:]}
	if err := h.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

func trusting(h *hubtest.Hub) func(*config.Config) {
	return func(c *config.Config) { c.Fetch.ExtraRoots = append(c.Fetch.ExtraRoots, h.RootsFile()) }
}

// ask makes a request for the hub's /v2/ by its name and port.
func ask(ctx context.Context, e *egress.Egress, h *hubtest.Hub, method string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, method, "https://"+hubHost+":"+portOf(h.Addr())+"/v2/", nil)
	if err != nil {
		return 0, err
	}
	resp, err := e.Transport("docker.io").RoundTrip(req)
	if err != nil {
		return 0, err
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.StatusCode, errors.Join(err, resp.Body.Close())
}

func addresses(h *hubtest.Hub) map[string]int {
	n := map[string]int{}
	for _, r := range h.Requests() {
		n[r.Addr]++
	}
	return n
}

// Two of three addresses fail, each in its own way: the third one serves, each
// is tried once, the trail says what happened, and the next request goes to the
// one that works.
func TestAddressesFailOver(t *testing.T) {
	for name, tt := range map[string]struct {
		fault hubtest.Faults
		down  bool
		asked int // requests that a bad address has read
	}{
		"connect":   {down: true},
		"accept":    {fault: hubtest.Faults{Refuse: true}},
		"handshake": {fault: hubtest.Faults{ResetHandshake: true}},
		"request":   {fault: hubtest.Faults{Reset: true}, asked: 1},
		"silence":   {fault: hubtest.Faults{Silent: true}},
		"waiting":   {fault: hubtest.Faults{Latency: time.Hour}, asked: 1},
		"poisoned":  {fault: hubtest.Faults{WrongName: true}},
	} {
		for _, method := range []string{http.MethodGet, http.MethodHead} {
			t.Run(name+" "+method, func(t *testing.T) {
				t.Parallel()
				h := newHub(t)
				e := newRig(t, egress.Options{Resolver: names{hubHost: three}, Silence: 400 * time.Millisecond}, trusting(h))
				if tt.down {
					h.Down(three[:2]...)
				} else {
					one, two := tt.fault, tt.fault
					one.Addr, two.Addr = three[0], three[1]
					h.SetFaults(one, two)
				}
				ctx, trail := egress.WithTrail(t.Context())
				if code, err := ask(ctx, e.Egress, h, method); code != 401 || err != nil {
					t.Fatalf("%d, %v", code, err)
				}
				if got := trail.Way(); got != "direct 127.0.0.3" {
					t.Errorf("went %q", got)
				}
				tried := trail.Tried()
				if len(tried) != 2 || !strings.Contains(tried[0].Way, three[0]) || !strings.Contains(tried[1].Way, three[1]) || tried[0].Err == nil {
					t.Errorf("tried %v", tried)
				}
				want := map[string]int{h.Addrs()[2]: 1}
				if tt.asked > 0 {
					want[h.Addrs()[0]], want[h.Addrs()[1]] = tt.asked, tt.asked
				}
				if got := addresses(h); fmt.Sprint(got) != fmt.Sprint(want) {
					t.Errorf("requests by address: %v, want %v", got, want)
				}
				h.Reset()
				for range 3 {
					if _, err := ask(t.Context(), e.Egress, h, method); err != nil {
						t.Fatal(err)
					}
				}
				if got := addresses(h); got[h.Addrs()[2]] != 3 || len(got) != 1 {
					t.Errorf("then, by address: %v", got)
				}
			})
		}
	}
}

// With every address gone the error names each, and nothing is tried twice.
func TestEveryAddressFails(t *testing.T) {
	h := newHub(t)
	e := newRig(t, egress.Options{Resolver: names{hubHost: three}}, trusting(h))
	h.SetFaults(hubtest.Faults{Reset: true})
	_, err := ask(t.Context(), e.Egress, h, http.MethodGet)
	if err == nil {
		t.Fatal("somebody answered")
	}
	for _, a := range h.Addrs() {
		if strings.Count(err.Error(), " "+a+": ") != 1 || addresses(h)[a] != 1 {
			t.Errorf("%s: %d requests; %v", a, addresses(h)[a], err)
		}
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("several lines: %v", err)
	}
}

// What changes something is sent once, whatever happens.
func TestUploadsAreNotRepeated(t *testing.T) {
	h := newHub(t)
	e := newRig(t, egress.Options{Resolver: names{hubHost: three}}, trusting(h))
	h.SetFaults(hubtest.Faults{Reset: true})
	ctx, trail := egress.WithTrail(t.Context())
	if _, err := ask(ctx, e.Egress, h, http.MethodPost); err == nil {
		t.Error("a reset went unnoticed")
	}
	if n := len(h.Requests()); n != 1 {
		t.Errorf("sent %d times", n)
	}
	if trail.Way() != "direct 127.0.0.1" {
		t.Errorf("went %q", trail.Way())
	}
}

// The last address may take its time, and so may one whose answer has begun.
func TestTheLastAddressMayBeSlow(t *testing.T) {
	h := newHub(t)
	e := newRig(t, egress.Options{Resolver: names{hubHost: three[:1]}, Silence: time.Millisecond}, trusting(h))
	h.SetFaults(hubtest.Faults{Kind: hubtest.Ping, Latency: 200 * time.Millisecond})
	if code, err := ask(t.Context(), e.Egress, h, http.MethodGet); code != 401 || err != nil {
		t.Errorf("%d, %v", code, err)
	}
}

// Connections in the pool that lead to an address which has stopped answering
// are not tried one by one.
func TestDeadPool(t *testing.T) {
	h := newHub(t)
	h.Push("library/a", "latest", hubtest.RandomImage(1, 1, 1<<10))
	e := newRig(t, egress.Options{Resolver: names{hubHost: three}, Silence: 150 * time.Millisecond}, trusting(h))
	h.SetFaults(hubtest.Faults{Latency: 50 * time.Millisecond})
	done := make(chan error)
	for range 4 {
		go func() { _, err := ask(t.Context(), e.Egress, h, http.MethodGet); done <- err }()
	}
	for range 4 {
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	}
	if got := addresses(h); got[h.Addrs()[0]] != 4 {
		t.Fatalf("requests by address: %v", got)
	}
	h.Reset()
	h.SetFaults(hubtest.Faults{Addr: three[0], Latency: time.Hour})
	if _, err := ask(t.Context(), e.Egress, h, http.MethodGet); err != nil {
		t.Fatal(err)
	}
	if got := addresses(h); got[h.Addrs()[0]] > 1 {
		t.Errorf("requests by address: %v", got)
	}
}

// On another network what was learned on the last one counts no more.
func TestNetworkChanged(t *testing.T) {
	h := newHub(t)
	e := newRig(t, egress.Options{Resolver: names{hubHost: three}}, trusting(h))
	h.Down(three[0])
	if _, err := ask(t.Context(), e.Egress, h, http.MethodGet); err != nil {
		t.Fatal(err)
	}
	if err := h.Up(); err != nil {
		t.Fatal(err)
	}
	e.NetworkChanged()
	ctx, trail := egress.WithTrail(t.Context())
	if _, err := ask(ctx, e.Egress, h, http.MethodGet); err != nil || trail.Way() != "direct 127.0.0.1" {
		t.Errorf("went %q, %v", trail.Way(), err)
	}
}

func TestPoisonIsNamed(t *testing.T) {
	h := newHub(t)
	e := newRig(t, egress.Options{Resolver: names{hubHost: three}}, trusting(h))
	h.SetFaults(hubtest.Faults{Addr: three[0], WrongName: true}, hubtest.Faults{Addr: three[1], WrongCert: true})
	for range 3 {
		if code, err := ask(t.Context(), e.Egress, h, http.MethodGet); code != 401 || err != nil {
			t.Fatalf("%d, %v", code, err)
		}
		e.Close() // so that each request needs a connection
	}
	list := e.Poisoned()
	if len(list) != 2 || list[0].Host != hubHost || list[0].Addr.String() != h.Addrs()[0] || len(list[0].CertNames) == 0 ||
		slices.Contains(list[0].CertNames, hubHost) || list[0].Seen.IsZero() || list[0].Pinned {
		t.Errorf("poisoned: %+v", list)
	}
	if n := strings.Count(e.log.String(), "poisoned"); n != 2 {
		t.Errorf("said %d times: %s", n, e.log)
	}
	// A certificate that fits is not poison, even of an authority nobody knows.
	e = newRig(t, egress.Options{Resolver: names{hubHost: three[2:]}})
	if _, err := ask(t.Context(), e.Egress, h, http.MethodGet); err == nil || len(e.Poisoned()) != 0 {
		t.Errorf("%v, %v", err, e.Poisoned())
	}
}
