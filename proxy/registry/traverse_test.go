package registry_test

import (
	"bufio"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// Whatever a client writes into a path, by either door and however it is coded,
// nothing is read or written but below the cache's own folders, and nothing there has
// a name that a client made up.
func TestPathsLeadNowhereElse(t *testing.T) {
	r := newRoom(t, nil)
	d := string(r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000)))
	r.hub.Push("library/a", "2", hubtest.RandomImage(2, 1, 1000))
	files := func() (list []string) {
		err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
			if err == nil {
				list = append(list, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := files()
	up := []string{"..", "%2e%2e", "%2E.", "..%2f..", "..%5c..", "%252e%252e", "a/../..", "a%2f..%2f..", ".", "", "%00", "a%00", "a%0d%0aX:y", "~", "%7e", "C:", "con", "a:b", "a@sha256:x", "\xff\xfe", "%ff", "a%20b", "ａ", strings.Repeat("a/", 200) + "a"}
	var paths []string
	for _, bad := range up {
		paths = append(paths,
			"/v2/"+bad+"/manifests/1", "/v2/library/"+bad+"/manifests/1", "/v2/library/a/manifests/"+bad, "/v2/library/a/blobs/"+bad, "/v2/library/a/blobs/sha256:"+bad,
			"/v2/library/a/blobs/sha256:"+strings.Repeat("a", 60)+"/"+bad, "/v2/ghcr.io/"+bad+"/manifests/1", "/v2/library/a/manifests/"+d+bad, "/v2/"+bad+"/"+bad+"/tags/list",
			"/v2/library/a/manifests/1?ns="+bad, "/v2/library/a/manifests/1?ns=docker.io/../"+bad, "/v2/library/a/referrers/"+bad, "/v2/local/"+bad+"/blobs/uploads/", "/v2/"+bad)
	}
	for _, path := range paths {
		for _, host := range []string{"127.0.0.1", hubHost} {
			for _, method := range []string{"GET", "HEAD", "PUT"} {
				c, err := net.Dial("tcp", r.server.Listener.Addr().String())
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\nAccept: %s\r\nConnection: close\r\nContent-Length: 0\r\n\r\n", method, path, host, accepts)
				resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: method})
				if err != nil {
					t.Fatalf("%s %q at %s: %v", method, path, host, err)
				}
				_ = resp.Body.Close()
				_ = c.Close()
				if resp.StatusCode == http.StatusOK && method != "GET" && method != "HEAD" {
					t.Errorf("%s %q at %s: %s", method, path, host, resp.Status)
				}
			}
		}
	}
	r.idle()
	for _, path := range files() {
		rel, err := filepath.Rel(r.dir, path)
		if err != nil || slices.Contains(before, path) {
			continue
		}
		for part := range strings.SplitSeq(filepath.ToSlash(rel), "/") {
			ok := part != "" && !strings.ContainsAny(part, "%\\\x00\r\n ~") && part != ".." && part != "con" && strings.ToValidUTF8(part, "") == part
			if !ok || strings.Contains(rel, "refs/") && !strings.HasPrefix(strings.SplitAfterN(rel, "refs/", 2)[1], "docker.io") {
				t.Errorf("there is %s", rel)
			}
		}
	}
}

// A form that never comes is not waited for.
func TestTokenFormThatNeverComes(t *testing.T) {
	r := newRoom(t, nil)
	r.close()
	r.wait.Ask = 200 * time.Millisecond
	r.open()
	c, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	fmt.Fprintf(c, "POST /.pulley/token HTTP/1.1\r\nHost: %s\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 50\r\n\r\ngrant_type=", hubHost)
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusRequestTimeout {
		t.Errorf("%s", resp.Status)
	}
}
