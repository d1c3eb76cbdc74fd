package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"

	"pulley/internal/control"
	"pulley/internal/control/client"
	"pulley/internal/control/server"
)

// images is what a test makes of the requests about images.
type images struct {
	gc     func(context.Context, control.GC) (control.Freed, error)
	verify func(context.Context, control.Verify, func(control.Verifying)) (control.Verified, error)
	pull   func(context.Context, control.Pull, func(control.Pulling)) (control.Pulled, error)
	export func(context.Context, control.Export, io.Writer) error
	imp    func(context.Context, io.Reader, func(control.Importing)) (control.Imported, error)
}

func (images) Images() ([]control.Image, error) {
	return []control.Image{{Registry: "r", Repository: "a", Tag: "1"}, {Registry: "r", Repository: "b", Digest: "sha256:x"}}, nil
}
func (images) PinImage(image string, on bool) (control.Image, error) {
	if image == "nothing" {
		return control.Image{}, fmt.Errorf("nothing: not in the cache: %w", server.ErrRefused)
	}
	return control.Image{Repository: image, Pinned: on}, nil
}
func (images) RemoveImage(image string) (control.Freed, error) {
	return control.Freed{Bytes: 5, Images: []string{image}}, nil
}
func (i *images) GC(ctx context.Context, g control.GC) (control.Freed, error) { return i.gc(ctx, g) }
func (i *images) Verify(ctx context.Context, v control.Verify, p func(control.Verifying)) (control.Verified, error) {
	return i.verify(ctx, v, p)
}
func (i *images) Pull(ctx context.Context, v control.Pull, p func(control.Pulling)) (control.Pulled, error) {
	return i.pull(ctx, v, p)
}
func (i *images) FetchMissing(ctx context.Context, e control.Export, p func(control.Pulling)) (control.Pulled, error) {
	p(control.Pulling{Image: e.Images[0], What: "layer"})
	return control.Pulled{Images: []control.PulledImage{{Image: e.Images[0]}}}, nil
}
func (i *images) Export(ctx context.Context, e control.Export, w io.Writer) error {
	return i.export(ctx, e, w)
}
func (i *images) Import(ctx context.Context, r io.Reader, p func(control.Importing)) (control.Imported, error) {
	return i.imp(ctx, r, p)
}

func TestImages(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		ctx := t.Context()
		if l, err := c.Images(ctx); err != nil || len(l) != 2 || l[0].Name() != "r/a:1" || l[1].Name() != "r/b@sha256:x" {
			t.Errorf("Images: %v, %v", l, err)
		}
		if i, err := c.PinImage(ctx, "a", true); err != nil || !i.Pinned || i.Repository != "a" {
			t.Errorf("PinImage: %+v, %v", i, err)
		}
		var said *client.Error
		if _, err := c.PinImage(ctx, "nothing", true); !errors.As(err, &said) || said.Text != "nothing: not in the cache" || said.Status != 422 {
			t.Errorf("PinImage of nothing: %v", err)
		}
		if r, err := c.RemoveImage(ctx, "a"); err != nil || r.Bytes != 5 {
			t.Errorf("RemoveImage: %+v, %v", r, err)
		}
		f.gc = func(_ context.Context, g control.GC) (control.Freed, error) {
			if g.Keep == nil || *g.Keep != 0 || g.Free != 7 {
				t.Errorf("asked for %+v", g)
			}
			return control.Freed{Bytes: 9}, nil
		}
		keep := int64(0)
		if r, err := c.GC(ctx, control.GC{Keep: &keep, Free: 7}); err != nil || r.Bytes != 9 {
			t.Errorf("GC: %+v, %v", r, err)
		}
	})
}

// The latest of each thing arrives, and then the result.
func TestLongRequestTellsHowFarItIs(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		f.pull = func(_ context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
			if p.Credentials["ghcr.io"] != "Basic Zm9vOmJhcg==" {
				t.Error("the credentials did not arrive")
			}
			for n := range int64(1000) {
				progress(control.Pulling{Image: "a", Digest: "1", What: "layer", Have: n, Size: 999})
				progress(control.Pulling{Image: "a", Digest: "2", What: "layer", Have: n, Size: 999})
			}
			return control.Pulled{Images: []control.PulledImage{{Image: "a", Error: "half of it is missing"}}}, nil
		}
		last, before := map[string]int64{}, map[string]int64{}
		request := control.Pull{Images: []control.PullImage{{Image: "a"}}, Credentials: map[string]control.Secret{"ghcr.io": "Basic Zm9vOmJhcg=="}}
		result, err := c.Pull(t.Context(), request, func(p control.Pulling) {
			if p.Have < last[p.Digest] {
				t.Errorf("%s went back from %d to %d", p.Digest, last[p.Digest], p.Have)
			}
			before[p.Digest], last[p.Digest] = last[p.Digest], p.Have
		})
		if err != nil || len(result.Images) != 1 || result.Images[0].Error != "half of it is missing" {
			t.Errorf("%+v, %v", result, err)
		}
		if last["1"] != 999 || last["2"] != 999 {
			t.Errorf("last heard %v", last)
		}
		if r, err := c.FetchMissing(t.Context(), control.Export{Images: []string{"x"}}, nil); err != nil || r.Images[0].Image != "x" {
			t.Errorf("FetchMissing: %+v, %v", r, err)
		}
	})
}

func TestLongRequestThatFails(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		var said *client.Error
		refuse := fmt.Errorf("no: %w", server.ErrRefused)
		f.verify = func(context.Context, control.Verify, func(control.Verifying)) (control.Verified, error) {
			return control.Verified{}, refuse
		}
		if _, err := c.Verify(t.Context(), control.Verify{}, nil); !errors.As(err, &said) || said.Text != "no" || said.Status != 422 {
			t.Errorf("at once: %v", err)
		}
		heard := make(chan struct{}, 1)
		f.verify = func(_ context.Context, _ control.Verify, progress func(control.Verifying)) (control.Verified, error) {
			progress(control.Verifying{Blobs: 1})
			<-heard
			return control.Verified{}, errors.New("the disk is gone")
		}
		if _, err := c.Verify(t.Context(), control.Verify{}, func(control.Verifying) { heard <- struct{}{} }); !errors.As(err, &said) || said.Text != "the disk is gone" {
			t.Errorf("in the middle: %v", err)
		}
		// one that dies says nothing more, and the client does
		f.verify = func(_ context.Context, _ control.Verify, progress func(control.Verifying)) (control.Verified, error) {
			progress(control.Verifying{Blobs: 1})
			<-heard
			panic(http.ErrAbortHandler)
		}
		if _, err := c.Verify(t.Context(), control.Verify{}, func(control.Verifying) { heard <- struct{}{} }); err == nil || !strings.Contains(err.Error(), "before it was done") {
			t.Errorf("a stream that was cut: %v", err)
		}
	})
}

// Whoever goes away stops the work, also one whose progress nobody hears.
func TestClientThatGoesAwayStopsTheWork(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		stopped := make(chan error, 1)
		f.pull = func(ctx context.Context, _ control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
			progress(control.Pulling{What: "layer"})
			<-ctx.Done()
			progress(control.Pulling{What: "manifest"})
			stopped <- ctx.Err()
			return control.Pulled{}, ctx.Err()
		}
		ctx, stop := context.WithCancel(t.Context())
		_, err := c.Pull(ctx, control.Pull{}, func(control.Pulling) { stop() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("the client: %v", err)
		}
		if err := <-stopped; !errors.Is(err, context.Canceled) {
			t.Errorf("the work: %v", err)
		}
	})
}

func TestDaemonThatEndsSaysSo(t *testing.T) {
	ln := &memory{conns: make(chan net.Conn), done: make(chan struct{})}
	f := newFake()
	running, end := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- server.New(f, nil).Serve(running, ln) }()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		ln.conns <- theirs
		return ours, nil
	}}
	c := client.NewWith(transport)
	defer c.Close()
	f.pull = func(ctx context.Context, _ control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
		progress(control.Pulling{What: "layer"})
		<-ctx.Done()
		return control.Pulled{}, ctx.Err()
	}
	_, err := c.Pull(t.Context(), control.Pull{}, func(control.Pulling) { end() })
	if err == nil || !strings.Contains(err.Error(), "the daemon is ending") {
		t.Errorf("the client: %v", err)
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestExport(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, raw *http.Transport) {
		tar := bytes.Repeat([]byte("tar "), 1<<18)
		f.export = func(_ context.Context, e control.Export, w io.Writer) error {
			if len(e.Images) != 1 || e.Images[0] != "a" || !e.All {
				t.Errorf("asked for %+v", e)
			}
			_, err := w.Write(tar)
			return err
		}
		var got bytes.Buffer
		ask := control.Export{Images: []string{"a"}, All: true}
		if err := c.Export(t.Context(), ask, &got); err != nil || !bytes.Equal(got.Bytes(), tar) {
			t.Errorf("%d bytes, %v", got.Len(), err)
		}
		var said *client.Error
		f.export = func(context.Context, control.Export, io.Writer) error {
			return fmt.Errorf("a: not complete: %w", server.ErrRefused)
		}
		if err := c.Export(t.Context(), ask, io.Discard); !errors.As(err, &said) || said.Text != "a: not complete" || said.Status != 422 {
			t.Errorf("before it began: %v", err)
		}
		f.export = func(_ context.Context, _ control.Export, w io.Writer) error {
			_, err := w.Write(tar)
			return errors.Join(err, errors.New("the disk is gone"))
		}
		if err := c.Export(t.Context(), ask, io.Discard); !errors.As(err, &said) || said.Text != "the disk is gone" {
			t.Errorf("in the middle: %v", err)
		}
		f.export = func(_ context.Context, _ control.Export, w io.Writer) error {
			_, _ = w.Write(tar)
			panic(http.ErrAbortHandler)
		}
		if err := c.Export(t.Context(), ask, io.Discard); err == nil || !strings.Contains(err.Error(), "before it was done") {
			t.Errorf("cut: %v", err)
		}
		full := errors.New("no space left")
		f.export = func(ctx context.Context, _ control.Export, w io.Writer) error {
			for {
				if _, err := w.Write(tar); err != nil {
					return err
				}
			}
		}
		if err := c.Export(t.Context(), ask, failing{full}); !errors.Is(err, full) {
			t.Errorf("nowhere to write to: %v", err)
		}
	})
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
func (f failing) Read([]byte) (int, error)  { return 0, f.err }

// endless is a tar that goes on until nobody reads it.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestImport(t *testing.T) {
	overBoth(t, func(t *testing.T, f *fake, c *client.Client, _ *http.Transport) {
		const large = maxJSON * 3
		f.imp = func(_ context.Context, r io.Reader, progress func(control.Importing)) (control.Imported, error) {
			n, err := io.Copy(io.Discard, r)
			progress(control.Importing{Bytes: n})
			return control.Imported{Images: []string{"a"}, Bytes: n}, err
		}
		var seen int64
		result, err := c.Import(t.Context(), io.LimitReader(endless{}, large), func(p control.Importing) { seen = p.Bytes })
		if err != nil || result.Bytes != large || seen != large || result.Images[0] != "a" {
			t.Errorf("%+v, %d seen, %v", result, seen, err)
		}
		// one that is told how far it is before it has sent all
		told := make(chan struct{})
		f.imp = func(_ context.Context, r io.Reader, progress func(control.Importing)) (control.Imported, error) {
			progress(control.Importing{Blobs: 1})
			_, err := io.Copy(io.Discard, r)
			return control.Imported{}, err
		}
		first := sync.OnceFunc(func() { close(told) })
		if _, err := c.Import(t.Context(), waits{told}, func(control.Importing) { first() }); err != nil {
			t.Errorf("in the middle: %v", err)
		}
		// a reason is heard over a tar that goes on, and a file that cannot be read is the reason
		f.imp = func(_ context.Context, r io.Reader, _ func(control.Importing)) (control.Imported, error) {
			_, _ = io.CopyN(io.Discard, r, 1000)
			return control.Imported{}, fmt.Errorf("not a tar: %w", server.ErrRefused)
		}
		var said *client.Error
		if _, err := c.Import(t.Context(), endless{}, nil); !errors.As(err, &said) || said.Text != "not a tar" {
			t.Errorf("broken: %v", err)
		}
		f.imp = func(_ context.Context, r io.Reader, _ func(control.Importing)) (control.Imported, error) {
			_, err := io.Copy(io.Discard, r)
			return control.Imported{}, err
		}
		rotten := errors.New("input/output error")
		if _, err := c.Import(t.Context(), failing{rotten}, nil); !errors.Is(err, rotten) {
			t.Errorf("a file that cannot be read: %v", err)
		}
	})
}

// maxJSON is more than any other request may have.
const maxJSON = 4 << 20

// waits ends when it is told.
type waits struct{ told chan struct{} }

func (w waits) Read([]byte) (int, error) {
	<-w.told
	return 0, io.EOF
}

func TestSecretsDoNotPrint(t *testing.T) {
	s := control.Pull{Credentials: map[string]control.Secret{"ghcr.io": "Basic Zm9vOmJhcg=="}}
	var log bytes.Buffer
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s.Credentials["ghcr.io"], "all", s)
	if out := fmt.Sprintf("%v %+v %#v %s", s, s, s, s.Credentials) + log.String(); strings.Contains(out, "Zm9v") {
		t.Error(out)
	}
}
