package cache_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"pulley/cache"
)

// What was read once is served from memory, and not once its file is seen to be another
// one: neither a manifest that was changed behind our back nor a tag that somebody
// rewrote in place.
func TestWhatIsReadAgainHolds(t *testing.T) {
	dir := t.TempDir()
	later := func() time.Time { return time.Now().Add(time.Hour) } // files are old enough to be told apart
	c := open(t, cache.Options{Dir: dir, Now: later})
	body := []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
	d := put(t, c, body)
	n := cache.Name{Registry: "docker.io", Repository: "library/debian"}
	must(t, c.SetTag(cache.Tag{Name: n, Tag: "latest", Digest: d, MediaType: "a/b", Size: int64(len(body))}))
	must(t, c.Flush())

	for range 3 {
		got, mediaType, err := c.Manifest(d)
		if err != nil || string(got) != string(body) || mediaType != "application/vnd.oci.image.index.v1+json" {
			t.Fatalf("Manifest = %q, %q, %v", got, mediaType, err)
		}
		if tag, err := c.Tag(n, "latest"); err != nil || tag.Digest != d || tag.MediaType != "a/b" {
			t.Fatalf("Tag = %+v, %v", tag, err)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _, _, _ = c.Manifest(d) }); n > 8 {
		t.Errorf("a manifest that was read before takes %v allocations", n)
	}

	checked := later()
	must(t, c.SetTag(cache.Tag{Name: n, Tag: "latest", Digest: d, MediaType: "a/b", Size: int64(len(body)), Checked: checked}))
	if tag, err := c.Tag(n, "latest"); err != nil || !tag.Checked.Equal(checked) {
		t.Errorf("Tag after it was checked again = %+v, %v, want checked %v", tag, err, checked)
	}

	ref := filepath.Join(dir, "refs", "docker.io", "library", "debian", "latest")
	must(t, c.Flush())
	other := put(t, c, []byte(`{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[ ]}`))
	must(t, os.WriteFile(ref, fmt.Appendf(nil, `{"reference":"docker.io/library/debian:latest","digest":%q}`, other), 0o600))
	eventually(t, "Tag is what somebody wrote", func() bool {
		tag, err := c.Tag(n, "latest")
		return err == nil && tag.Digest == other
	})
	must(t, os.Remove(ref))
	eventually(t, "Tag is gone with its file", func() bool {
		_, err := c.Tag(n, "latest")
		return err != nil
	})

	blob := blobPath(c, d)
	must(t, os.Chmod(blob, 0o600))
	must(t, os.WriteFile(blob, append(body, ' '), 0o600))
	eventually(t, "a manifest whose file was changed is none", func() bool {
		_, _, err := c.Manifest(d)
		return err != nil
	})
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits for what is looked at every few milliseconds.
func eventually(t *testing.T, what string, f func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !f(); runtime.Gosched() {
		if time.Now().After(end) {
			t.Fatalf("not so: %s", what)
		}
	}
}
