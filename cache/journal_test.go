package cache

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

var (
	testKey  = key{1, 2, 3}
	testBoot = bootMark("this start")
)

func sampleJournal() []byte {
	b := header(testKey, testBoot)
	b = appendRecord(b, testKey, kindSize, 1000, 0)
	b = appendRecord(b, testKey, kindRange, 0, 100)
	b = appendRecord(b, testKey, kindRange, 500, 600)
	b = appendRecord(b, testKey, kindSync, int64(len(b)), 0)
	return appendRecord(b, testKey, kindRange, 100, 200)
}

func TestJournalToleratesTornEnd(t *testing.T) {
	whole := sampleJournal()
	want := [][]span{nil, nil, {{0, 100}}, {{0, 100}, {500, 600}}, {{0, 100}, {500, 600}}, {{0, 200}, {500, 600}}}
	for n := range len(whole) + 1 {
		for _, tail := range [][]byte{nil, {0}, bytes.Repeat([]byte{0xff}, 40)} {
			p, ok := parseJournal(append(slices.Clip(whole[:n]), tail...), testKey, testBoot)
			if n < journalHeader {
				if ok {
					t.Fatalf("%d bytes are taken for a journal", n)
				}
				continue
			}
			records := (n - journalHeader) / journalRecord
			if !ok || !slices.Equal(p.have.s, want[records]) {
				t.Fatalf("%d bytes: %v %v, want %v", n, ok, p.have.s, want[records])
			}
			if size := p.size; (records >= 1) != (size == 1000) {
				t.Fatalf("%d bytes: size %d", n, size)
			}
		}
	}
}

var sampleParts = []Part{
	{0, 100, "docker.io", false},
	{100, 200, "a mirror with a rather long name", true},
	{200, 300, "a mirror with a rather long name", false},
	{300, 400, "", false},
	{400, 500, "", true},
	{500, 600, "sixteen bytes!!!", true},
}

// memFile is a journal's file in memory.
type memFile struct {
	file
	b []byte
}

func (m *memFile) WriteAt(p []byte, off int64) (int, error) {
	m.b = append(m.b[:off], p...)
	return len(p), nil
}

func sourcedJournal(t testing.TB, ps ...Part) []byte {
	t.Helper()
	m := &memFile{b: header(testKey, testBoot)}
	j := &journal{key: testKey, f: m, length: int64(len(m.b)), names: map[string]uint16{}}
	for _, p := range ps {
		if err := j.part(p); err != nil {
			t.Fatal(err)
		}
	}
	return m.b
}

func TestJournalKnowsWhoBroughtWhat(t *testing.T) {
	whole := sourcedJournal(t, sampleParts...)
	p, ok := parseJournal(whole, testKey, testBoot)
	if !ok || p.good != int64(len(whole)) || !slices.Equal(p.parts, sampleParts) || p.have.total != 600 {
		t.Fatalf("%v %+v", ok, p)
	}
	// Torn anywhere, what is left is true.
	for n := journalHeader; n < len(whole); n++ {
		p, ok := parseJournal(whole[:n], testKey, testBoot)
		if !ok || len(p.parts) > len(sampleParts) || !slices.Equal(p.parts, sampleParts[:len(p.parts)]) {
			t.Fatalf("%d bytes: %v", n, p.parts)
		}
	}
	// The same ranges again, as after an Amend: the last word counts.
	again := sourcedJournal(t, append(slices.Clone(sampleParts), Part{50, 350, "docker.io", true})...)
	want := []Part{{0, 50, "docker.io", false}, {50, 350, "docker.io", true}, {350, 400, "", false}, {400, 500, "", true}, {500, 600, "sixteen bytes!!!", true}}
	if p, _ := parseJournal(again, testKey, testBoot); !slices.Equal(p.parts, want) {
		t.Fatalf("%v", p.parts)
	}
}

// Ranges written before there were sources are nobody's, and withheld.
func TestJournalWithoutSources(t *testing.T) {
	p, ok := parseJournal(sampleJournal(), testKey, testBoot)
	if want := []Part{{0, 200, "", true}, {500, 600, "", true}}; !ok || !slices.Equal(p.parts, want) {
		t.Fatalf("%v %v", ok, p.parts)
	}
}

// A source that cannot be written down is nobody; a range of a source that was
// never named is no record.
func TestJournalOfUnnamedSources(t *testing.T) {
	long := strings.Repeat("x", maxName+1)
	b := sourcedJournal(t, Part{0, 10, long, false}, Part{10, 20, long[1:], false})
	if p, _ := parseJournal(b, testKey, testBoot); !slices.Equal(p.parts, []Part{{0, 10, "", true}, {10, 20, long[1:], false}}) {
		t.Fatalf("%v", p.parts)
	}
	b = sourcedJournal(t, Part{0, 10, "a", false})
	good := len(b)
	b = appendRecord(b, testKey, kindRange|flagOpen|2<<sourceShift, 10, 20)
	b = appendRecord(b, testKey, kindRange, 20, 30)
	if p, ok := parseJournal(b, testKey, testBoot); !ok || p.good != int64(good) || !slices.Equal(p.parts, []Part{{0, 10, "a", false}}) {
		t.Fatalf("%v %+v", ok, p)
	}
}

func TestJournalOfAnotherBlobOrFlippedBit(t *testing.T) {
	whole := append(sampleJournal(), sourcedJournal(t, sampleParts...)[journalHeader:]...)
	if _, ok := parseJournal(whole, key{9}, testBoot); ok {
		t.Fatal("another blob's journal was taken")
	}
	for i := range whole {
		b := slices.Clone(whole)
		b[i] ^= 4
		p, ok := parseJournal(b, testKey, testBoot)
		if i < journalHeader {
			if ok {
				t.Fatalf("byte %d of the header flipped and taken", i)
			}
			continue
		}
		if p.good > int64(i) {
			t.Fatalf("byte %d flipped, %d bytes taken", i, p.good)
		}
	}
}

// After a power loss the journal may name bytes that never reached the disk:
// only what was synced holds.
func TestJournalOfAnotherStartHoldsAsFarAsSynced(t *testing.T) {
	whole := sampleJournal()
	p, ok := parseJournal(whole, testKey, bootMark("the next start"))
	if want := []span{{0, 100}, {500, 600}}; !ok || !slices.Equal(p.have.s, want) {
		t.Fatalf("%v %v, want %v", ok, p.have.s, want)
	}
	unsynced := whole[:journalHeader+3*journalRecord]
	if p, _ := parseJournal(unsynced, testKey, bootMark("the next start")); p.have.total != 0 {
		t.Fatalf("unsynced ranges %v were taken", p.have.s)
	}
	if p, _ := parseJournal(unsynced, testKey, bootMark("this start")); p.have.total != 200 {
		t.Fatalf("ranges of this start: %v", p.have.s)
	}
}

func FuzzJournal(f *testing.F) {
	f.Add(sampleJournal())
	f.Add(sampleJournal()[:journalHeader+30])
	f.Add([]byte(journalMagic))
	f.Add(sourcedJournal(f, sampleParts...))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, boot := range [][16]byte{testBoot, bootMark("other")} {
			p, ok := parseJournal(b, testKey, boot)
			if !ok {
				continue
			}
			if p.good < journalHeader || p.good > int64(len(b)) || p.size < -1 {
				t.Fatalf("%+v of %d bytes", p, len(b))
			}
			var named ranges
			for i, s := range p.parts {
				if s.Off >= s.End || (i > 0 && (p.parts[i-1].End > s.Off || p.parts[i-1].End == s.Off && p.parts[i-1].like(s))) {
					t.Fatalf("parts %v", p.parts)
				}
				named.add(s.Off, s.End)
			}
			if !slices.Equal(named.s, p.have.s) || named.total != p.have.total {
				t.Fatalf("parts %v of %v", p.parts, p.have.s)
			}
			for i, s := range p.have.s {
				if s.off < 0 || s.off >= s.end || (i > 0 && p.have.s[i-1].end >= s.off) || (p.size >= 0 && s.end > p.size) {
					t.Fatalf("%v of size %d", p.have.s, p.size)
				}
			}
		}
	})
}

func FuzzRefFile(f *testing.F) {
	f.Add([]byte(`{"reference":"docker.io/library/debian:latest","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855","size":3}`))
	f.Add([]byte(`{"reference":"localhost:5000/a/../b:x","digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := parseRef(b)
		if err != nil {
			return
		}
		n, tag, d, ok := parseReference(r.Reference)
		if !ok || (tag == "") == (d == "") || n.check() != nil {
			t.Fatalf("%q: %v %q %q %v", r.Reference, n, tag, d, ok)
		}
		if tag != "" {
			if ref, err := n.tagged(tag); err != nil || ref != r.Reference {
				t.Fatalf("%q became %q, %v", r.Reference, ref, err)
			}
		}
	})
}

func FuzzManifest(f *testing.F) {
	f.Add([]byte(`{"schemaVersion":2,"config":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"layers":[]}`))
	f.Add([]byte(`{"schemaVersion":2,"manifests":[{"digest":"sha256:1","platform":{"os":"unknown"}}]}`))
	f.Add([]byte(`{"schemaVersion":1,"fsLayers":[{"blobSum":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if l, err := parseManifest(b); err == nil && l.mediaType == "" {
			t.Fatal("a manifest without a type")
		}
	})
}
