package hubtest

import (
	"cmp"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

func cmpDigest(a, b digest.Digest) int { return cmp.Compare(a, b) }

func cutParams(mediaType string) (string, string, bool) {
	a, b, ok := strings.Cut(mediaType, ";")
	return strings.TrimSpace(a), b, ok
}

// upload is a blob that is being pushed, in a file of the hub's directory.
type upload struct {
	id   string
	repo string
	site *Site

	mu   sync.Mutex // held over a request that writes
	file *os.File
	sum  hash.Hash
	size int64
}

func (u *upload) drop() {
	_ = u.file.Close()
	_ = os.Remove(u.file.Name())
}

func (h *Hub) serveUpload(w *response, r *http.Request, t target) {
	if _, ok := h.authorize(w, r, t, "push"); !ok {
		return
	}
	if t.ref == "" {
		if r.Method != http.MethodPost {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		h.startUpload(w, r, t)
		return
	}
	h.mu.Lock()
	u := h.uploads[t.ref]
	h.mu.Unlock()
	if u == nil || u.repo != t.repo || u.site != t.site {
		fail(w, http.StatusNotFound, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry")
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	switch r.Method {
	case http.MethodGet:
		u.status(w, http.StatusNoContent)
	case http.MethodPatch:
		if u.append(w, r) {
			u.status(w, http.StatusAccepted)
		}
	case http.MethodPut:
		if u.append(w, r) {
			h.finishUpload(w, r, u)
		}
	case http.MethodDelete:
		h.forget(u)
		u.drop()
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

// startUpload answers POST: a mount, a whole blob, or the place to send one to.
func (h *Hub) startUpload(w *response, r *http.Request, t target) {
	q := r.URL.Query()
	if d := digest.Digest(q.Get("mount")); d != "" && h.mount(r, t, q.Get("from"), d) {
		h.record.update(func() { w.entry.Digest = d })
		created(w, t.repo, d)
		return
	}
	f, err := os.CreateTemp(h.dir, "upload-")
	if err != nil {
		fail(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	u := &upload{id: rand.Text(), repo: t.repo, site: t.site, file: f, sum: sha256.New()}
	u.mu.Lock()
	defer u.mu.Unlock()
	h.mu.Lock()
	h.uploads[u.id] = u
	h.mu.Unlock()
	if q.Get("digest") == "" {
		u.status(w, http.StatusAccepted)
		return
	}
	if u.append(w, r) {
		h.finishUpload(w, r, u)
		return
	}
	h.forget(u)
	u.drop()
}

// mount takes a blob over from another repository that the client may pull from.
func (h *Hub) mount(r *http.Request, t target, from string, d digest.Digest) bool {
	may := t.site.Auth == Open
	switch t.site.Auth {
	case Basic:
		user, _, _ := r.BasicAuth()
		may = len(t.site.grants(user, from, []string{"pull"})) > 0
	case Bearer:
		_, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		c, ok := h.verify(token, "access", t.site.Service)
		may = ok && c.allows(from, "pull")
	}
	c := t.site.Blob(from, d)
	if !may || c == nil {
		return false
	}
	t.site.AddContentAs(t.repo, d, c)
	return true
}

func created(w http.ResponseWriter, repo string, d digest.Digest) {
	w.Header().Set("Location", "/v2/"+repo+"/blobs/"+d.String())
	w.Header().Set("Docker-Content-Digest", d.String())
	w.WriteHeader(http.StatusCreated)
}

// status says how far an upload is. Range is inclusive, and so has no way to say "nothing": registries send 0-0.
func (u *upload) status(w http.ResponseWriter, code int) {
	state := url.Values{"_state": {strconv.FormatInt(u.size, 10)}}
	w.Header().Set("Location", "/v2/"+u.repo+"/blobs/uploads/"+u.id+"?"+state.Encode())
	w.Header().Set("Range", fmt.Sprintf("0-%d", max(0, u.size-1)))
	w.Header().Set("Docker-Upload-Uuid", u.id)
	w.WriteHeader(code)
}

// append takes the request's body; false: it has answered.
func (u *upload) append(w http.ResponseWriter, r *http.Request) bool {
	if cr := r.Header.Get("Content-Range"); cr != "" {
		from, _, _ := strings.Cut(strings.TrimPrefix(cr, "bytes "), "-")
		if n, err := strconv.ParseInt(strings.TrimSpace(from), 10, 64); err != nil || n != u.size {
			u.status(w, http.StatusRequestedRangeNotSatisfiable)
			return false
		}
	}
	n, err := io.CopyBuffer(io.MultiWriter(u.file, u.sum), r.Body, make([]byte, 256<<10))
	u.size += n
	if err != nil {
		panic(http.ErrAbortHandler) // the client is gone; what came stays for its next PATCH
	}
	return true
}

func (h *Hub) finishUpload(w *response, r *http.Request, u *upload) {
	want := digest.Digest(r.URL.Query().Get("digest"))
	got := digest.NewDigest(digest.SHA256, u.sum)
	h.forget(u)
	if want != got {
		u.drop()
		fail(w, http.StatusBadRequest, "DIGEST_INVALID", "provided digest did not match uploaded content")
		return
	}
	if err := u.file.Close(); err != nil {
		fail(w, http.StatusInternalServerError, "UNKNOWN", err.Error())
		return
	}
	h.record.update(func() { w.entry.Digest = got })
	u.site.AddContentAs(u.repo, got, &fileContent{path: u.file.Name(), size: u.size, digest: got})
	created(w, u.repo, got)
}

func (h *Hub) forget(u *upload) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.uploads, u.id)
}
