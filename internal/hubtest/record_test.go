package hubtest_test

import (
	"slices"
	"testing"

	"pulley/internal/hubtest"
)

func TestSpans(t *testing.T) {
	for _, one := range []struct{ in, union, twice hubtest.Spans }{
		{nil, nil, nil},
		{hubtest.Spans{{0, 5}}, hubtest.Spans{{0, 5}}, nil},
		{hubtest.Spans{{5, 9}, {0, 5}}, hubtest.Spans{{0, 9}}, nil},
		{hubtest.Spans{{0, 5}, {7, 9}}, hubtest.Spans{{0, 5}, {7, 9}}, nil},
		{hubtest.Spans{{0, 6}, {4, 9}}, hubtest.Spans{{0, 9}}, hubtest.Spans{{4, 6}}},
		{hubtest.Spans{{0, 9}, {0, 9}, {2, 3}}, hubtest.Spans{{0, 9}}, hubtest.Spans{{0, 9}}},
		{hubtest.Spans{{0, 9}, {1, 2}, {2, 3}, {5, 6}}, hubtest.Spans{{0, 9}}, hubtest.Spans{{1, 3}, {5, 6}}},
	} {
		if got := one.in.Union(); !slices.Equal(got, one.union) {
			t.Errorf("union of %v is %v, want %v", one.in, got, one.union)
		}
		if got := one.in.Twice(); !slices.Equal(got, one.twice) {
			t.Errorf("twice of %v is %v, want %v", one.in, got, one.twice)
		}
	}
	if !(hubtest.Spans{{5, 9}, {0, 5}}).Once(9) || (hubtest.Spans{{0, 8}}).Once(9) || (hubtest.Spans{{0, 9}, {3, 4}}).Once(9) {
		t.Error("Once is wrong")
	}
}

func TestCount(t *testing.T) {
	h := hubtest.Start(t)
	c := client(t, h)
	do(t, c, "GET", registry+"/v2/library/alpine/manifests/1?ns=a%2fb", "", "Referer", "https://x/", "Accept", "a/b, c/d;q=1", "Range", "bytes=1-")
	do(t, c, "HEAD", registry+"/v2/library/alpine/manifests/%31", "Bearer")
	do(t, c, "GET", "https://auth.docker.io/token", "")
	for _, one := range []struct {
		method, pattern string
		want            int
	}{
		{"", "", 3}, {"GET", "", 2}, {"GET", "/v2/library/alpine/manifests/*", 1}, {"", "/v2/**/manifests/*", 2}, {"", "/v2/*", 0},
		{"", "auth.docker.io/token", 1}, {"", "registry-1.docker.io/**", 2}, {"", "**/token", 1}, {"", "/v2/library/alpine/manifests/1", 1},
	} {
		if got := h.Count(one.method, one.pattern); got != one.want {
			t.Errorf("%s %s: %d, want %d", one.method, one.pattern, got, one.want)
		}
	}
	r := h.Requests()[0]
	if r.Query != "ns=a%2fb" || r.Referer != "https://x/" || r.Range != "bytes=1-" || !slices.Equal(r.Accept, []string{"a/b", "c/d;q=1"}) ||
		r.Authorization != "" || r.Kind != hubtest.Manifest || r.Repository != "library/alpine" {
		t.Errorf("recorded %+v", r)
	}
	if r := h.Requests()[1]; r.Path != "/v2/library/alpine/manifests/%31" || r.Authorization != "Bearer" || r.Sent != 0 {
		t.Errorf("recorded %+v", r)
	}
	accepted, open := h.Connections()
	if accepted != 2 || open != 2 {
		t.Errorf("%d connections accepted, %d open, want 2 and 2", accepted, open)
	}
	h.Reset()
	if len(h.Requests()) != 0 || h.Count("", "") != 0 {
		t.Error("Reset left something")
	}
}
