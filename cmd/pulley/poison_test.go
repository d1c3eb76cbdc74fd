//go:build !darwin

package main

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"pulley/internal/control"
	"pulley/internal/waytest"

	"pulley/internal/hubtest"
)

// TestPoisonedName: the address that the system knows for a registry's host is somebody else's. The pull fails, status says
// why and what helps; what it says helps, at once, and the log says so.
//
// The host is localhost: the one name that every system knows, with no server to ask, at an address where a test may listen.
func TestPoisonedName(t *testing.T) {
	p := newTrip(t)
	resolver := waytest.DoH(t, map[string][]string{"localhost": {"0.0.0.0", "127.0.0.1", "127.0.0.2"}})
	_, port, _ := net.SplitHostPort(p.origin.Addr())
	p.settings.Roots = []string{resolver.Root}
	p.settings.More = fmt.Sprintf("[[registry]]\nname = \"lab.test\"\nhosts = [\"localhost:%s\"]\n", port)
	p.repository = "lab.test/" + p.repository
	p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", WrongName: true})
	p.start()

	const named = `localhost answers from 127\.0\.0\.1, an address it does not own \(DNS poisoned\)`
	if response, said := p.ask(p.repository + "/manifests/latest"); response.StatusCode < 500 {
		t.Fatalf("%s: %s", response.Status, said)
	}
	p.want("status", p.says("status"), `problem +`+named+`\n +try: pulley config set fetch\.doh https://`)
	p.logSays(` 50\d GET +manifest .*lab\.test/library/trip:latest.*localhost.*certificate`)

	p.says("config", "set", "fetch.doh", resolver.URL)
	p.pull(nil)
	p.logSays(` 200 GET +manifest .* from origin .*by direct 127\.0\.0\.2 \(doh\)`, ` 200 GET +blob .* from origin .*by direct 127\.0\.0\.2 \(doh\)`)
	status := p.says("status")
	p.want("status", status, `problem +`+named)
	if strings.Contains(status, "fetch.doh") {
		t.Errorf("it is in force already:\n%s", status)
	}
	var state control.State
	p.json(&state, "status")
	if !slices.ContainsFunc(state.Problems, func(q control.Problem) bool {
		return q.Kind == control.ProblemNetwork && strings.Contains(q.Text, "localhost answers from 127.0.0.1,")
	}) {
		t.Errorf("problems %+v", state.Problems)
	}
	if n := p.origin.Count("", "127.0.0.1/**"); n != 0 {
		t.Errorf("the poisoned address was sent %d requests", n)
	}
	for _, q := range resolver.Questions() {
		if !strings.HasPrefix(q, "localhost ") {
			t.Errorf("the resolver was asked %q", q)
		}
	}
}
