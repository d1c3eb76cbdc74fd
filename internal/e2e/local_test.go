//go:build e2e

package e2e

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pulley/internal/hubtest"
)

// TestOwnImages: every engine pushes an image to local/, and another one that has nothing pulls it from there, with
// nobody upstream. Then it is deleted.
func TestOwnImages(t *testing.T) {
	results := newTable(string(viaName))
	t.Run("engines", func(t *testing.T) {
		for _, e := range engines {
			t.Run(e.name, func(t *testing.T) {
				t.Parallel()
				began := time.Now()
				pushOwn(t, e)
				if !t.Failed() {
					results.ran(e.name, string(viaName), fmt.Sprintf("ok %.1fs", time.Since(began).Seconds()))
				}
			})
		}
	})
	results.complete(t)
}

func pushOwn(t *testing.T, e engine) {
	r := newRig(t, "1h")
	image := another("own " + e.name)
	r.hub.Push("library/app", "1", image)
	w := r.wiring(t, viaName)
	s := e.open(t, newSandbox(t), w)
	if err := s.pull(t, w.name("library/app", "1"), nil); err != nil {
		t.Fatal(err)
	}
	r.hub.Down()
	to := w.name("local/my/app", "1")
	for range 2 { // the second time there is nothing to send
		if err := s.push(t, w.name("library/app", "1"), to, nil); err != nil {
			t.Fatal(err)
		}
	}
	pushed := r.tag(t, "local/my/app", "1")
	other := newSandbox(t)
	fresh := e.open(t, other, w)
	if err := fresh.pull(t, to, nil); err != nil {
		t.Fatal(err)
	}
	// Engines may compress again, so the manifest may differ; skopeo and containerd push what they hold.
	if pushed == image.Digest() {
		fresh.check(t, to, image)
	}
	if err := fresh.pull(t, w.name("local/other", "1"), nil); err == nil {
		t.Error("an image that nobody pushed was pulled")
	}
	// skopeo deletes by digest, whatever pushed.
	bin := newSandbox(t)
	if _, err := bin.run(t, "skopeo", "delete", "--tls-verify=false", "docker://"+to); err != nil {
		t.Fatal(err)
	}
	if got := status(t, http.MethodGet, "http://"+r.addr+"/v2/local/my/app/manifests/1"); got != http.StatusNotFound {
		t.Errorf("deleted, and still there: %d", got)
	}
}

// TestOwnImagesSurvive: an own image is there after a kill, an upload that was going on is not, and leaves nothing.
func TestOwnImagesSurvive(t *testing.T) {
	r := newRig(t, "1h")
	image := another("survives")
	r.hub.Push("library/app", "1", image)
	w := r.wiring(t, viaName)
	s := openSkopeo(t, newSandbox(t), w)
	if err := s.pull(t, w.name("library/app", "1"), nil); err != nil {
		t.Fatal(err)
	}
	to := w.name("local/app", "1")
	if err := s.push(t, w.name("library/app", "1"), to, nil); err != nil {
		t.Fatal(err)
	}
	uploads := "http://" + r.addr + "/v2/local/app/blobs/uploads/"
	res, err := http.Post(uploads, "", nil)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	at, err := res.Location()
	if err != nil {
		t.Fatal(err)
	}
	body := hubtest.RandomImage(9, 1, 8<<20).Layers[0].Content
	if got := send(t, http.MethodPatch, at.String(), io.NewSectionReader(body, 0, 4<<20)); got != http.StatusAccepted {
		t.Fatal(got)
	}
	tmp := filepath.Join(r.home, "cache", "tmp")
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 1 {
		t.Fatalf("the upload is not where this test looks: %v %v", left, err)
	}
	r.kill(t)
	r.hub.Down()
	r.up(t)
	if left, err := os.ReadDir(tmp); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if got := send(t, http.MethodPatch, at.String(), strings.NewReader("more")); got != http.StatusNotFound {
		t.Errorf("an upload of before the kill: %d", got)
	}
	fresh := openSkopeo(t, newSandbox(t), w)
	if err := fresh.pull(t, to, nil); err != nil {
		t.Fatal(err)
	}
	fresh.check(t, to, image)
}

func status(t *testing.T, method, url string) int {
	t.Helper()
	return send(t, method, url, nil)
}

func send(t *testing.T, method, url string, body io.Reader) int {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}
