//go:build e2e

package e2e

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/internal/hubtest"
)

// dockerd is driven over its API, as the docker command does it: one client for old and new.
type dockerd struct {
	sandbox *sandbox
	client  *http.Client
}

// openSystemDockerd gets proxies from the environment (the setting in daemon.json exists since 23.0) and the CA from the
// system's store: with graph drivers certs.d is not read for Docker Hub.
func openSystemDockerd(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	s.path("/usr/sbin:/usr/bin:/sbin:/bin")
	if w.proxyURL() != "" {
		s.proxy(w.proxyURL())
		s.trust(t, w.ca)
	}
	return openDockerd(t, s, w, "dockerd", map[string]any{})
}

// openNewDockerd gets both where a person would put them today: daemon.json and certs.d. With containerd's image store
// certs.d/docker.io counts for pulls and pushes, but `docker login` still looks into the system's store alone.
func openNewDockerd(t *testing.T, s *sandbox, w wiring) session {
	t.Helper()
	settings := map[string]any{}
	if proxy := w.proxyURL(); proxy != "" {
		settings["proxies"] = map[string]string{"http-proxy": proxy, "https-proxy": proxy}
		s.etc(t, "docker/certs.d/docker.io/ca.crt", string(w.ca))
		if w.login {
			s.trust(t, w.ca)
		}
	}
	return openDockerd(t, s, w, engineDir+"/dockerd", settings)
}

func openDockerd(t *testing.T, s *sandbox, w wiring, program string, settings map[string]any) session {
	t.Helper()
	s.etc(t, "docker/daemon.json", encode(t, settings))
	socket := s.file("docker.sock")
	p := startProcess(t, "dockerd", s.command(context.Background(), program,
		"--host", "unix://"+socket, "--data-root", s.file("data"), "--exec-root", s.file("exec"), "--pidfile", s.file("pid"),
		"--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none"))
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, "unix", socket)
	}}
	t.Cleanup(transport.CloseIdleConnections)
	d := &dockerd{s, &http.Client{Transport: transport}}
	p.wait(t, func() error {
		_, err := d.call(t, http.MethodGet, "/_ping", nil)
		return err
	})
	if w.mode == viaMirror {
		// As the README says it: a line in daemon.json and a reload, no restart.
		settings["registry-mirrors"] = []string{"http://" + w.addr}
		s.etc(t, "docker/daemon.json", encode(t, settings))
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		p.wait(t, func() error {
			var info struct{ RegistryConfig struct{ Mirrors []string } }
			if err := d.get(t, "/info", &info); err != nil {
				return err
			}
			if len(info.RegistryConfig.Mirrors) != 1 {
				return errors.New("the mirror is not in force")
			}
			return nil
		})
	}
	return d
}

func (d *dockerd) version(t *testing.T) string {
	t.Helper()
	var v struct{ Version string }
	if err := d.get(t, "/version", &v); err != nil {
		t.Fatal(err)
	}
	return v.Version
}

func (d *dockerd) pull(t *testing.T, name string, who *login) error {
	t.Helper()
	repository, tag := splitTag(name)
	query := url.Values{"fromImage": {repository}, "tag": {tag}}
	body, err := d.call(t, http.MethodPost, "/images/create?"+query.Encode(), d.auth(t, who))
	if err != nil {
		return err
	}
	return progress(body)
}

func (d *dockerd) push(t *testing.T, from, to string, who *login) error {
	t.Helper()
	if who != nil { // docker login
		body := encode(t, map[string]string{"username": who.user, "password": who.password, "serveraddress": hubServer})
		if _, err := d.send(t, http.MethodPost, "/auth", nil, body); err != nil {
			return err
		}
	}
	repository, tag := splitTag(to)
	query := url.Values{"repo": {repository}, "tag": {tag}}
	if _, err := d.call(t, http.MethodPost, "/images/"+from+"/tag?"+query.Encode(), nil); err != nil {
		return err
	}
	body, err := d.call(t, http.MethodPost, "/images/"+repository+"/push?tag="+tag, d.auth(t, who))
	if err != nil {
		return err
	}
	return progress(body)
}

// check reads the image back as `docker save` does: every layer must hash to its diff id (graph drivers) or every blob to
// its digest (containerd's store), and all of them be there.
func (d *dockerd) check(t *testing.T, name string, want hubtest.Image) {
	t.Helper()
	var image struct {
		ID          string
		RepoDigests []string
		RootFS      struct{ Layers []digest.Digest }
	}
	if err := d.get(t, "/images/"+name+"/json", &image); err != nil {
		t.Fatal(err)
	}
	child := own(want)
	if ids := []string{digest.FromBytes(child.Config).String(), child.Digest().String(), want.Digest().String()}; !slices.Contains(ids, image.ID) {
		t.Errorf("image id %s, want one of %v", image.ID, ids)
	}
	repository, _ := splitTag(name)
	repository = strings.TrimPrefix(strings.TrimPrefix(repository, "docker.io/"), "library/")
	if at := repository + "@" + want.Digest().String(); !slices.Contains(image.RepoDigests, at) {
		t.Errorf("repository digests %v, want %s", image.RepoDigests, at)
	}
	var diffs []digest.Digest
	for _, l := range child.Layers {
		diffs = append(diffs, l.DiffID)
	}
	if !slices.Equal(image.RootFS.Layers, diffs) {
		t.Errorf("layers %v, want %v", image.RootFS.Layers, diffs)
	}
	saved, err := d.call(t, http.MethodGet, "/images/get?names="+url.QueryEscape(name), nil)
	if err != nil {
		t.Fatal(err)
	}
	checkSaved(t, saved, child)
}

// sound also looks into containerd's store below it, where there is one; graph drivers keep layers unpacked, and those of
// no image are nowhere.
func (d *dockerd) sound(t *testing.T, failed string) {
	t.Helper()
	if err := d.get(t, "/images/"+failed+"/json", &struct{}{}); err == nil {
		t.Errorf("%s is there although its pull failed", failed)
	}
	checkFolder(t, d.sandbox.file("data/containerd/daemon/io.containerd.content.v1.content/blobs/sha256"))
}

// checkSaved looks for every layer of an image in a saved archive, as the tar or as the compressed blob, by its hash.
func checkSaved(t *testing.T, archive []byte, want hubtest.Image) {
	t.Helper()
	found := map[digest.Digest]bool{}
	r := tar.NewReader(bytes.NewReader(archive))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("saved image: %v", err)
		}
		body, err := io.ReadAll(r)
		if err != nil {
			t.Fatalf("saved image: %s: %v", h.Name, err)
		}
		sum := digest.FromBytes(body)
		if dir, base := path.Split(h.Name); dir == "blobs/sha256/" && base != "" && base != sum.Encoded() {
			t.Errorf("saved image: blob %s hashes to %s", base, sum)
		}
		found[sum] = true
	}
	if config := digest.FromBytes(want.Config); !found[config] {
		t.Errorf("saved image: config %s is missing", config)
	}
	for i, l := range want.Layers {
		if !found[l.Digest] && !found[l.DiffID] {
			t.Errorf("saved image: layer %d (%s) is missing", i, l.Digest)
		}
	}
}

// hubServer is the name under which docker keeps a login at Docker Hub.
const hubServer = "https://index.docker.io/v1/"

func (d *dockerd) auth(t *testing.T, who *login) http.Header {
	t.Helper()
	h := http.Header{}
	if who == nil {
		h.Set("X-Registry-Auth", base64.URLEncoding.EncodeToString([]byte("{}")))
		return h
	}
	h.Set("X-Registry-Auth", base64.URLEncoding.EncodeToString([]byte(encode(t, map[string]string{
		"username": who.user, "password": who.password, "serveraddress": hubServer,
	}))))
	return h
}

func (d *dockerd) get(t *testing.T, path string, into any) error {
	t.Helper()
	body, err := d.call(t, http.MethodGet, path, nil)
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

func (d *dockerd) call(t *testing.T, method, path string, header http.Header) ([]byte, error) {
	t.Helper()
	return d.send(t, method, path, header, "")
}

func (d *dockerd) send(t *testing.T, method, path string, header http.Header, body string) ([]byte, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(within(t), method, "http://docker"+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	for k, v := range header {
		req.Header[k] = v
	}
	if body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := d.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}
	if res.StatusCode >= 300 {
		return nil, fmt.Errorf("dockerd: %s %s: %s: %s", method, path, res.Status, bytes.TrimSpace(answer))
	}
	return answer, nil
}

// progress finds the error in the messages of a pull or push, which come with status 200.
func progress(body []byte) error {
	dec := json.NewDecoder(bytes.NewReader(body))
	for {
		var m struct{ Error string }
		if err := dec.Decode(&m); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("dockerd: progress: %w", err)
		}
		if m.Error != "" {
			return fmt.Errorf("dockerd: %s", m.Error)
		}
	}
}

// splitTag cuts "repository:tag" at its last colon.
func splitTag(name string) (repository, tag string) {
	i := strings.LastIndexByte(name, ':')
	return name[:i], name[i+1:]
}

func encode(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// remove takes an image from it, and what of that no other has.
func (d *dockerd) remove(t *testing.T, name string) {
	t.Helper()
	if _, err := d.call(t, http.MethodDelete, "/images/"+name, nil); err != nil {
		t.Fatal(err)
	}
}
