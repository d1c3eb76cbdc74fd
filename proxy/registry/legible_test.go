package registry_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// What clients, registries and mirrors say is shown on terminals: an event has no
// character in it that a terminal would act on, no line of its own making, and is no
// longer than a person reads.
func TestEventsAreLegible(t *testing.T) {
	r := newRoom(t, nil)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	const evil = "\x1b[2J\u009b31m\u202ex\r\n2026 forged"
	const coded = "%1b%5b2J%c2%9b31m%e2%80%aex%0d%0a2026%20forged"
	ask := func(url string, header http.Header) {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = header
		rsp, err := r.client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = rsp.Body.Close()
	}
	agent := http.Header{"User-Agent": {"evil\u009b31m\u202e" + strings.Repeat("é", 100)}}
	for _, host := range []string{"127.0.0.1", hubHost} {
		for _, path := range []string{coded + "/manifests/1", "library/a/manifests/" + coded, "library/a/blobs/" + coded, "library/a/tags/list?n=" + coded, strings.Repeat("a/", 10000) + "a/manifests/1", "library/a/manifests/" + strings.Repeat("x", 20000)} {
			ask("http://"+host+"/v2/"+path, agent)
		}
	}
	body, err := json.Marshal(map[string]any{"errors": []any{map[string]string{"code": "X" + evil, "message": evil}}})
	if err != nil {
		t.Fatal(err)
	}
	r.hub.SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Status: 403, Body: string(body)})
	ask("http://"+hubHost+"/v2/library/a/manifests/1", http.Header{"Authorization": {"Bearer x"}})
	ask("http://127.0.0.1/v2/library/a/manifests/1", nil)
	r.idle()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.events) < 10 {
		t.Errorf("%d events", len(r.events))
	}
	for _, e := range r.events {
		for name, s := range eventTexts(e) {
			if i := strings.IndexFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }); i >= 0 || len(s) > 2000 {
				t.Errorf("%s: %d bytes, %.100q", name, len(s), s)
			}
		}
	}
}

func eventTexts(e registry.Event) map[string]string {
	all := map[string]string{
		"agent": e.Agent, "method": e.Method, "repository": e.Repository, "reference": e.Reference, "digest": string(e.Digest),
		"source": e.Source, "way": e.Way, "note": e.Note, "err": e.Err,
	}
	for i, f := range e.Failed {
		all[fmt.Sprintf("failed[%d]", i)] = f.Source + f.Err
	}
	return all
}
