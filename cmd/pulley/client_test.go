package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"testing"

	"pulley/internal/hubtest"
)

// pulling is a client of the mirror door in the middle of an image of one layer. It keeps what it got, as engines do.
type pulling struct {
	t     *testing.T
	base  string // URL of the repository
	layer hubtest.Layer
	hash  hash.Hash
	have  int64
}

func pull(t *testing.T, address, repository string, image hubtest.Image) *pulling {
	return &pulling{t: t, base: "http://" + address + "/v2/" + repository, layer: image.Layers[0], hash: sha256.New()}
}

// manifest is the first thing asked for.
func (p *pulling) manifest(reference string) {
	p.t.Helper()
	response, err := http.Get(p.base + "/manifests/" + reference)
	if err != nil {
		p.t.Fatal(err)
	}
	defer response.Body.Close()
	if body, err := io.ReadAll(response.Body); err != nil || response.StatusCode != http.StatusOK {
		p.t.Fatalf("manifest: %s %v: %s", response.Status, err, body)
	}
}

// read asks once for what is missing of the layer and reads up to offset until. during, if any, is called when the first
// byte has come.
func (p *pulling) read(until int64, during func()) error {
	request, err := http.NewRequest(http.MethodGet, p.base+"/blobs/"+p.layer.Digest.String(), nil)
	if err != nil {
		return err
	}
	want := http.StatusOK
	if p.have > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", p.have))
		want = http.StatusPartialContent
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != want {
		return fmt.Errorf("status %s", response.Status)
	}
	if during != nil && until > p.have {
		if err := p.take(response.Body, 1); err != nil {
			return err
		}
		during()
	}
	return p.take(response.Body, until-p.have)
}

func (p *pulling) take(from io.Reader, n int64) error {
	n, err := io.CopyN(p.hash, from, n)
	p.have += n
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// rest is what is missing by one request, with nothing wrong.
func (p *pulling) rest(during func()) {
	p.t.Helper()
	if err := p.read(p.layer.Content.Size(), during); err != nil {
		p.t.Fatalf("the client saw an error after %d bytes: %v", p.have, err)
	}
	p.check()
}

// check compares what came with what it should be.
func (p *pulling) check() {
	p.t.Helper()
	if got := hex.EncodeToString(p.hash.Sum(nil)); got != p.layer.Digest.Encoded() {
		p.t.Fatalf("wrong bytes: sha256 %s, want %s", got, p.layer.Digest.Encoded())
	}
}
