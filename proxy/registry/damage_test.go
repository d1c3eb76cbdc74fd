package registry_test

import (
	"bytes"
	"cmp"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"pulley/internal/hubtest"
)

// TestDamagedMemory: what is remembered of a tag and makes no sense any more counts
// as nothing.
func TestDamagedMemory(t *testing.T) {
	r := newRoom(t, nil)
	r.addMirror("one", hubtest.StyleHost, trusting)
	r.hub.Push("library/a", "1", hubtest.RandomImage(1, 1, 1000))
	r.hub.Down()
	wantStatus(t, "by the mirror's word", r.mirror("GET", "library/a/manifests/1").StatusCode, http.StatusOK)
	r.close()
	damaged := 0
	sum := regexp.MustCompile(`sha256:[0-9a-f]{64}`)
	err := filepath.WalkDir(filepath.Join(r.dir, "state", "tags"), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		damaged++
		return os.WriteFile(path, sum.ReplaceAll(b, []byte("nonsense")), 0o600)
	})
	if err != nil || damaged == 0 {
		t.Fatalf("%d damaged, %v", damaged, err)
	}
	r.open()
	got := r.mirror("GET", "library/a/manifests/1")
	if got.err != nil || got.StatusCode != http.StatusOK && got.code() == "" {
		t.Errorf("%d %s, %v", got.StatusCode, got.body, got.err)
	}
}

// TestABlobThatCannotBeReadToItsEnd: a pull does not fail for a disk that stops giving what it has, whether the whole blob is
// asked for, its end or a part of it. A file that was cut says so to who reads it, as a broken disk does.
func TestABlobThatCannotBeReadToItsEnd(t *testing.T) {
	const size, left = 48 << 20, 24 << 20
	for name, tc := range map[string]struct {
		header   []string
		from, to int64 // to 0: the end
	}{
		"whole":    {nil, 0, 0},
		"its end":  {[]string{"Range", "bytes=1000-"}, 1000, 0},
		"its part": {[]string{"Range", "bytes=1000-46000000"}, 1000, 46000001},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRoom(t, nil)
			d, body := r.layer(1, size)
			wantStatus(t, "cold", r.mirror("GET", "library/a/blobs/"+string(d)).StatusCode, http.StatusOK)
			r.idle()
			r.hub.Reset()
			got := r.reading(d, tc.header...)
			first := got.take(1000)
			if err := os.Truncate(filepath.Join(r.cache.Dir(), "blobs", "sha256", d.Encoded()), left); err != nil {
				t.Fatal(err)
			}
			rest, err := io.ReadAll(got.rsp.Body)
			want := body[tc.from:cmp.Or(tc.to, int64(len(body)))]
			if err != nil || !bytes.Equal(append(first, rest...), want) {
				t.Errorf("%d of %d bytes, %v", len(first)+len(rest), len(want), err)
			}
			for _, q := range r.hub.Requests() {
				if q.Kind == hubtest.CDN && q.Sent > size-left+mib {
					t.Errorf("%d bytes were fetched again for the %d that were missing", q.Sent, size-left)
				}
			}
		})
	}
}
