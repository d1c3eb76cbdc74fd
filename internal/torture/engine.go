//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// question is one request that is judged.
type question struct {
	repo     *repo
	manifest bool
	ref      string // tag or digest
	head     bool
	off, n   int64 // n > 0: that range of a blob
	leave    int64 // ≥ 0: hang up after so many bytes
}

// answer is what came of it.
type answer struct {
	question
	door         string
	user         string
	begun, ended time.Time
	status       int
	header       http.Header
	body         []byte // of a manifest, or of an error
	got          int64  // bytes of the body
	wrong        int64  // offset of the first wrong byte of a blob, -1 none
	err          error  // the transport's
	left         bool   // we hung up
}

func (q question) String() string {
	what, method := "blobs/", http.MethodGet
	if q.manifest {
		what = "manifests/"
	}
	if q.head {
		method = http.MethodHead
	}
	text := method + " " + q.repo.String() + "/" + what + short(q.ref)
	if q.n > 0 {
		text += fmt.Sprintf(" [%d,%d)", q.off, q.off+q.n)
	}
	if q.leave >= 0 {
		text += fmt.Sprintf(" left after %d", q.leave)
	}
	return text
}

func short(ref string) string {
	if d := digest.Digest(ref); d.Validate() == nil {
		return ref[:19]
	}
	return ref
}

func (a *answer) String() string {
	who := a.user
	if who == "" {
		who = "nobody"
	}
	text := fmt.Sprintf("%s at %s: %s: %d, %d bytes in %s", who, a.door, a.question, a.status, a.got, a.ended.Sub(a.begun).Round(time.Millisecond))
	if a.err != nil {
		text += ", " + a.err.Error()
	}
	if a.status >= 300 || a.status == 0 {
		text += " " + strings.TrimSpace(string(a.body[:min(len(a.body), 300)]))
	}
	if warning := a.header.Get("Warning"); warning != "" {
		text += " (" + warning + ")"
	}
	return text
}

// whole says that an answer came to its end as a success.
func (a *answer) whole() bool {
	return a.err == nil && !a.left && (a.status == http.StatusOK || a.status == http.StatusPartialContent)
}

// ask is one request, read to its end and compared byte by byte with what upstream has.
func (c *engine) ask(ctx context.Context, q question) *answer {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	a := &answer{question: q, door: c.door.name, user: c.user, begun: time.Now(), wrong: -1}
	defer func() { a.ended = time.Now(); c.w.book.count(a) }()
	path, header, method := "blobs/"+q.ref, http.Header{}, http.MethodGet
	if q.manifest {
		path = "manifests/" + q.ref
		header.Set("Accept", accept)
	}
	if q.n > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-%d", q.off, q.off+q.n-1))
	}
	if q.head {
		method = http.MethodHead
	}
	res, err := c.do(ctx, q.repo, method, path, header, nil)
	if err != nil {
		a.err = err
		return a
	}
	defer res.Body.Close()
	a.status, a.header = res.StatusCode, res.Header
	if q.manifest || res.StatusCode/100 != 2 {
		a.body, a.err = io.ReadAll(io.LimitReader(res.Body, 8<<20))
		a.got = int64(len(a.body))
		return a
	}
	if q.head {
		return a
	}
	want, ok := c.w.model.blob(q.repo, digest.Digest(q.ref))
	if !ok {
		want = hubtest.Bytes(nil)
	}
	if q.n > 0 && res.StatusCode == http.StatusPartialContent {
		want = io.NewSectionReader(want, q.off, q.n)
	}
	a.read(res.Body, want)
	return a
}

// read takes a body and compares it.
func (a *answer) read(body io.Reader, want hubtest.Content) {
	buf, right := make([]byte, 32<<10), make([]byte, 32<<10)
	for a.leave < 0 || a.got < a.leave {
		p := buf
		if a.leave >= 0 {
			p = buf[:min(int64(len(buf)), a.leave-a.got)]
		}
		n, err := body.Read(p)
		k, _ := want.ReadAt(right[:n], a.got)
		if a.wrong < 0 && !bytes.Equal(p[:n], right[:k]) {
			a.wrong = a.got + int64(firstDiff(p[:n], right[:k]))
		}
		a.got += int64(n)
		if errors.Is(err, io.EOF) {
			if a.wrong < 0 && a.got < want.Size() {
				a.wrong = a.got // short, and said to be whole
			}
			return
		}
		if err != nil {
			a.err = err
			return
		}
	}
	a.left = true
}

func firstDiff(a, b []byte) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	return min(len(a), len(b))
}
