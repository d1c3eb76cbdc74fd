package registry_test

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"pulley/internal/config"
	"pulley/internal/hubtest"
	"pulley/proxy/registry"
)

// layer pushes an image with one layer to library/a, has its manifest known, and
// returns the layer.
func (r *room) layer(seed uint64, size int64) (digest.Digest, []byte) {
	r.t.Helper()
	img := hubtest.RandomImage(seed, 1, size)
	r.hub.Push("library/a", "layer", img)
	d := r.hub.Push("library/a", "layer"+strconv.FormatUint(seed, 10), img)
	wantStatus(r.t, "manifest", r.mirror("GET", "docker.io/library/a/manifests/"+string(d)).StatusCode, http.StatusOK)
	l := img.Layers[0]
	return l.Digest, content(r.t, l.Content, 0, l.Content.Size())
}

// lying makes a mirror flip a byte of every blob, counted from the end if negative.
func lying(m *hubtest.Hub, at, size int64) {
	if at < 0 {
		at += size
	}
	m.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", WrongByte: hubtest.At(at)})
}

func (r *room) wantExpelled(name string, note string) {
	r.t.Helper()
	if x := r.standing(name).Expelled; x == nil || !strings.Contains(x.Why, "wrong bytes") {
		r.t.Errorf("%s is not expelled: %+v", name, x)
	}
	if !strings.Contains(note, name+": it sent wrong bytes") {
		r.t.Errorf("the event does not name the liar: %q", note)
	}
}

// TestALieIsNotServed: whatever one source lies about, whoever asks for whatever
// gets the right bytes or a broken transfer, and then the whole right blob.
func TestALieIsNotServed(t *testing.T) {
	for _, proven := range []bool{false, true} {
		for name, at := range map[string]int64{"early": 1000, "middle": 2 * mib, "late": -1000} {
			for _, wide := range []bool{false, true} {
				t.Run(name+map[bool]string{true: ", proven"}[proven]+map[bool]string{true: ", wide"}[wide], func(t *testing.T) {
					t.Parallel()
					for range 5 {
						if lied(t, at, proven, wide) {
							return
						}
					}
					t.Error("the liar was overtaken five times")
				})
			}
		}
	}
}

// lied has a blob fetched from a liar. Not true: on a busy machine the origin stepped in before the wrong byte came, and there was no lie.
func lied(t *testing.T, at int64, proven, wide bool) bool {
	const size = 4 * mib
	r := newRoom(t, nil)
	one := r.addMirror("one", hubtest.StyleHost)
	r.switchTo("one")
	if wide {
		r.set(func(c *config.Config) { c.Fetch.RangeMin = mib })
	}
	if proven {
		r.place("one").Prove()
	}
	d, want := r.layer(1, size)
	lying(one, at, int64(len(want)))
	got := r.do("GET", blobURL(d))
	e := r.blobEvent(d)
	r.idle()
	if wide && got.err == nil && same(got.body, want) && r.standing("one").Expelled == nil && r.originSent(d, at, int64(len(want))) {
		return false
	}
	switch {
	case got.err == nil:
		if got.StatusCode != http.StatusOK || !same(got.body, want) {
			t.Fatalf("%d, %d bytes that are not the blob", got.StatusCode, len(got.body))
		}
		if proven && at == 1000 {
			t.Error("it was given a wrong byte and ended as if all was well")
		}
	case !proven:
		t.Errorf("broken off after %d bytes, though none of them should have been shown: %v", len(got.body), got.err)
	case len(got.body) == len(want):
		t.Error("broken off after the last byte")
	}
	broken := got.err != nil
	if !broken {
		r.wantExpelled("one", e.Note)
	} else if r.standing("one").Expelled == nil {
		t.Error("the liar is not expelled")
	}
	from := "bytes=" + strconv.Itoa(len(got.body)) + "-"
	if !broken {
		from = "bytes=100-"
	}
	again := r.do("GET", blobURL(d), "Range", from)
	if broken {
		if again.StatusCode != http.StatusOK || !same(again.body, want) {
			t.Fatalf("resumed: %d, %d bytes, %v", again.StatusCode, len(again.body), again.err)
		}
		again = r.do("GET", blobURL(d), "Range", "bytes=100-")
	}
	if again.StatusCode != http.StatusPartialContent || !same(again.body, want[100:]) {
		t.Fatalf("then: %d, %d bytes, %v", again.StatusCode, len(again.body), again.err)
	}
	return true
}

// originSent reports whether the origin itself sent a byte of a blob, counted from the end if negative.
func (r *room) originSent(d digest.Digest, at, size int64) bool {
	if at < 0 {
		at += size
	}
	return slices.ContainsFunc(r.hub.Requests(), func(q hubtest.Request) bool {
		return q.Digest == d && q.Method == http.MethodGet && q.Off <= at && at < q.Off+q.Sent
	})
}

// TestALieIsNotShownToWhoeverCannotHeal: a client that would never recover from a
// wrong byte is shown none, of a mirror that has proved itself either, alone or
// beside a client that is shown them.
func TestALieIsNotShownToWhoeverCannotHeal(t *testing.T) {
	const size = 4 * mib
	for agent, heals := range map[string]bool{
		"containerd/1.6.20~ds1": false, "containerd/v2.4.2": false, "docker/29.1.3 go/go1.26 os/linux": false, "docker/library-import": false,
		"docker/20.10.24+dfsg1 go/go1.19": true, "containers/5.23.1 (github.com/containers/image)": true, "skopeo/1.9.3": true,
	} {
		for _, company := range []bool{false, true} {
			t.Run(agent+map[bool]string{true: ", in company"}[company], func(t *testing.T) {
				t.Parallel()
				r := newRoom(t, nil)
				one := r.addMirror("one", hubtest.StyleHost)
				r.switchTo("one")
				r.place("one").Prove()
				d, want := r.layer(1, size)
				hold := hubtest.Faults{Kind: hubtest.Blob, Method: "GET", Stall: hubtest.At(size - 200<<10), First: 1}
				lie := hubtest.Faults{Kind: hubtest.Blob, Method: "GET", WrongByte: hubtest.At(3 * mib)}
				other := make(chan struct{})
				if company {
					one.SetFaults(lie, hold)
					go func() {
						defer close(other)
						r.do("GET", blobURL(d), "User-Agent", "skopeo/1.9.3")
					}()
					r.until("the blob is on its way", func() bool { return one.BytesSent(d) > 3*mib+mib/2 })
					go func() { one.Release() }()
				} else {
					close(other)
					one.SetFaults(lie)
				}
				got := r.do("GET", blobURL(d), "User-Agent", agent)
				<-other
				switch {
				case got.err == nil && same(got.body, want):
				case !heals:
					t.Errorf("%d bytes, %v", len(got.body), got.err)
				case got.err == nil:
					t.Error("it was given wrong bytes and ended as if all was well")
				}
				r.idle()
				if r.standing("one").Expelled == nil {
					t.Error("the liar is not expelled")
				}
			})
		}
	}
}

// TestALieHarmsNobodyElse: those who were not given the wrong byte get what they
// asked for from the same download.
func TestALieHarmsNobodyElse(t *testing.T) {
	r := newRoom(t, nil)
	one := r.addMirror("one", hubtest.StyleHost)
	r.switchTo("one")
	r.place("one").Prove()
	d, want := r.layer(1, 8*mib)
	gate := hubtest.Faults{Kind: hubtest.Blob, Method: "GET", WrongByte: hubtest.At(2 * mib), Stall: hubtest.At(6 * mib)}
	one.SetFaults(gate)
	victim := r.reading(d, "User-Agent", "victim")
	victim.take(3 * mib)
	early := r.reading(d, "User-Agent", "early", "Range", "bytes=0-1048575")
	if got := early.take(mib); !same(got, want[:mib]) {
		t.Fatal("the front is wrong")
	}
	slow := r.reading(d, "User-Agent", "slow")
	if got := slow.take(mib); !same(got, want[:mib]) {
		t.Fatal("the front is wrong")
	}
	left := r.reading(d, "User-Agent", "left")
	left.take(3 * mib)
	left.hangUp()
	r.event(func(e registry.Event) bool { return e.Agent == "left" })
	resumed := r.reading(d, "User-Agent", "left", "Range", "bytes="+strconv.Itoa(3*mib)+"-")
	resumed.take(mib)
	wantStatus(t, "resumed before anybody knew", resumed.rsp.StatusCode, http.StatusPartialContent)

	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", WrongByte: hubtest.At(2 * mib)})
	one.Release()
	if rest, err := victim.rest(); err == nil {
		t.Errorf("the victim read %d bytes more to a good end", len(rest))
	}
	if rest, err := resumed.rest(); err == nil {
		t.Errorf("%d right bytes were put behind a wrong one, to a good end", len(rest))
	}
	if rest, err := early.rest(); err != nil || len(rest) != 0 {
		t.Errorf("early: %d bytes, %v", len(rest), err)
	}
	rest, err := slow.rest()
	if err == nil && !same(append(want[:mib:mib], rest...), want) {
		t.Errorf("slow: %d bytes that are not the blob's", len(rest))
	}
	r.idle()
	for agent, whole := range map[string]bool{"victim": true, "left": true, "early": false, "slow": err != nil} {
		got := r.do("GET", blobURL(d), "User-Agent", agent, "Range", "bytes=1000-")
		switch {
		case whole && (got.StatusCode != http.StatusOK || !same(got.body, want)):
			t.Errorf("%s resumes: %d, %d bytes", agent, got.StatusCode, len(got.body))
		case !whole && (got.StatusCode != http.StatusPartialContent || !same(got.body, want[1000:])):
			t.Errorf("%s resumes: %d, %d bytes", agent, got.StatusCode, len(got.body))
		}
	}
}

// TestALieIsRememberedOverDownloads: who was given a wrong byte by a download that
// was given up starts over when another one finds out.
func TestALieIsRememberedOverDownloads(t *testing.T) {
	r := newRoom(t, nil)
	one := r.addMirror("one", hubtest.StyleHost)
	r.switchTo("one")
	r.set(func(c *config.Config) { c.Fetch.Finish = config.FinishNever })
	r.place("one").Prove()
	d, want := r.layer(1, 8*mib)
	one.SetFaults(hubtest.Faults{Kind: hubtest.Blob, Method: "GET", WrongByte: hubtest.At(1000), Stall: hubtest.At(3 * mib)})
	s := r.reading(d, "User-Agent", "early")
	s.take(2 * mib)
	s.hangUp()
	r.idle()
	one.SetFaults()
	other := r.do("GET", blobURL(d), "User-Agent", "other")
	if other.err == nil && !same(other.body, want) {
		t.Fatal("wrong bytes to a good end")
	}
	r.idle()
	got := r.do("GET", blobURL(d), "User-Agent", "early", "Range", "bytes="+strconv.Itoa(2*mib)+"-")
	if got.StatusCode != http.StatusOK || !same(got.body, want) {
		t.Errorf("resumed: %d, %d bytes, %v", got.StatusCode, len(got.body), got.err)
	}
}

// TestALieAndNoOrigin: nothing is committed and nobody is given a wrong blob; the
// mirror that brought all of it is the liar, and the next one serves.
func TestALieAndNoOrigin(t *testing.T) {
	for _, proven := range []bool{false, true} {
		r := newRoom(t, nil)
		one, two := r.addMirror("one", hubtest.StyleHost), r.addMirror("two", hubtest.StyleHost)
		r.switchTo("one")
		if proven {
			r.place("one").Prove()
		}
		d, want := r.layer(1, 4*mib)
		lying(one, 1000, int64(len(want)))
		r.hub.Down()
		r.pass(time.Minute)
		got := r.do("GET", blobURL(d), "User-Agent", "victim")
		if got.err == nil && got.StatusCode == http.StatusOK {
			t.Fatalf("proven %v: %d bytes to a good end", proven, len(got.body))
		}
		r.idle()
		if r.standing("one").Expelled == nil {
			t.Errorf("proven %v: the mirror that brought every byte is not expelled", proven)
		}
		again := r.do("GET", blobURL(d), "User-Agent", "victim", "Range", "bytes="+strconv.Itoa(len(got.body))+"-")
		if proven && again.StatusCode != http.StatusOK || !proven && again.StatusCode/100 != 2 || again.err != nil {
			t.Fatalf("proven %v: resumed: %d, %d bytes, %v", proven, again.StatusCode, len(again.body), again.err)
		}
		if again.StatusCode == http.StatusOK && !same(again.body, want) {
			t.Errorf("proven %v: wrong bytes", proven)
		}
		if two.BytesSent(d) == 0 {
			t.Error("the other mirror was not asked")
		}
	}
}

// TestManyClientsAndALie: under load, nobody ends well with wrong bytes.
func TestManyClientsAndALie(t *testing.T) {
	r := newRoom(t, nil)
	r.set(func(c *config.Config) { c.Fetch.RangeMin = mib })
	one := r.addMirror("one", hubtest.StyleHost)
	r.addMirror("two", hubtest.StylePrefix)
	r.place("one").Prove()
	r.place("two").Prove()
	d, want := r.layer(1, 8*mib)
	lying(one, 5*mib, int64(len(want)))
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			header := []string{"User-Agent", "client " + strconv.Itoa(i)}
			off := 0
			if i%3 == 1 {
				off = i * 100_000
				header = append(header, "Range", "bytes="+strconv.Itoa(off)+"-")
			}
			got := r.do("GET", blobURL(d), header...)
			if got.err == nil && !same(got.body, want[off:]) {
				t.Errorf("client %d: %d wrong bytes to a good end", i, len(got.body))
			}
			if got.err != nil {
				again := r.do("GET", blobURL(d), "User-Agent", header[1], "Range", "bytes="+strconv.Itoa(off+len(got.body))+"-")
				if again.StatusCode != http.StatusOK || !same(again.body, want) {
					t.Errorf("client %d resumes: %d, %d bytes, %v", i, again.StatusCode, len(again.body), again.err)
				}
			}
		})
	}
	clients.Wait()
	r.idle()
	if n := one.BytesSent(d); n > 0 && r.standing("one").Expelled == nil {
		var brought bool
		for _, s := range one.Ranges(d) {
			brought = brought || s.Off <= 5*mib && 5*mib < s.End
		}
		if brought {
			t.Error("the liar is not expelled")
		}
	}
}
