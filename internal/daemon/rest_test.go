package daemon_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/hubtest"
)

// A registry that wants to be left alone, without a word of a pull limit, is shown with the time when that ends.
func TestStateSaysWhoAsksToBeLeftAlone(t *testing.T) {
	for name, fault := range map[string]hubtest.Faults{
		"429": {Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"7200"}}},
		"503": {Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"7200"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, nil)
			r.hub.Push("library/app", "latest", anImage(80, 1000))
			fault.Kind = hubtest.Manifest
			r.hub.SetFaults(fault)
			if status, body := r.get(t, "/v2/library/app/manifests/latest"); status == http.StatusOK {
				t.Fatalf("%d %.200s", status, body)
			}
			at := func(d time.Duration) string {
				return "docker.io asks to be left alone until " + time.Now().Add(d).Format("15:04") + "; what is cached still pulls"
			}
			problems := r.State().Problems
			if !slices.ContainsFunc(problems, func(p control.Problem) bool {
				return p.Kind == control.ProblemLimit && (p.Text == at(2*time.Hour) || p.Text == at(2*time.Hour-time.Minute))
			}) {
				t.Errorf("%+v", problems)
			}
		})
	}
	r := start(t, nil)
	for _, name := range []string{"one", "two"} {
		r.hub.Push("library/"+name, "latest", anImage(81, 1000))
	}
	r.hub.SetRateLimit(1)
	for _, name := range []string{"one", "two"} {
		_, _ = r.get(t, "/v2/library/"+name+"/manifests/latest")
	}
	if limits := r.State().Limits; len(limits) != 1 || limits[0].Remaining != 0 {
		t.Errorf("%+v", limits)
	}
	if problems := r.State().Problems; slices.ContainsFunc(problems, func(p control.Problem) bool { return strings.Contains(p.Text, "left alone") }) {
		t.Errorf("the pull limit says it already: %+v", problems)
	}
}
