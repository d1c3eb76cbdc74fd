package cache_test

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"pulley/cache"
)

const victimSize = 8 << 20

// lossPerClaim is the most that a kill may cost of each range in flight.
const lossPerClaim = 1 << 20

// TestKilledProcessResumesAtTheByte fills a blob in another process that is
// killed (SIGKILL) again and again at random bytes. No more is lost each time
// than the journal's granularity, and in the end the bytes are right. Some were
// wrong at first: also the repair is killed.
func TestKilledProcessResumesAtTheByte(t *testing.T) {
	seed := rand.Uint64() % 1e6
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	dir := filepath.Join(t.TempDir(), "cache")
	had := int64(0)
	for round := 0; ; round++ {
		if round > 120 {
			t.Fatal("no progress")
		}
		wrote, done := killAfter(t, dir, seed, had, 1+rng.IntN(150))
		if done {
			break
		}
		had = wrote
	}
	c := open(t, cache.Options{Dir: dir})
	body := bytesOf(seed, victimSize)
	if !bytes.Equal(get(t, c, digest.FromBytes(body)), body) {
		t.Fatal("other bytes")
	}
	wantClean(t, c)
}

// killAfter lets the victim write a number of pieces and kills it. had is what
// the one before said it had.
func killAfter(t *testing.T, dir string, seed uint64, had int64, pieces int) (wrote int64, done bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PULLEY_TEST_VICTIM="+dir, fmt.Sprintf("PULLEY_TEST_SEED=%d", seed))
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		switch word, rest, _ := strings.Cut(lines.Text(), " "); word {
		case "have":
			_, _ = fmt.Sscan(rest, &wrote)
			if wrote < had-lossPerClaim { // more: it wrote on after the last line we read
				t.Fatalf("has %d bytes after a kill, had %d before", wrote, had)
			}
		case "wrote", "amended":
			_, _ = fmt.Sscan(rest, &wrote)
			if pieces--; pieces == 0 {
				return wrote, false
			}
		case "done":
			if rest != "<nil>" {
				t.Fatal(rest)
			}
			return wrote, true
		default:
			t.Fatal(lines.Text())
		}
	}
	t.Fatal("the other process ended early")
	return 0, false
}

// copyDir copies a cache directory as a kill at this moment would leave it,
// while it is at work. A journal names only what has been written, so journals
// are read before the files they speak of, and a download that ended or began
// meanwhile is left out: its journal and its file would not belong together.
func copyDir(t testing.TB, from string) string {
	t.Helper()
	to := t.TempDir()
	type journal struct {
		f    *os.File // open, so that its inode is not used again
		text []byte
	}
	journals := map[string]journal{}
	names, _ := filepath.Glob(filepath.Join(from, "partial", "sha256", "*.journal"))
	handed, _ := filepath.Glob(filepath.Join(from, "partial", "handed", "*", "*.journal"))
	names = append(names, handed...)
	for _, name := range names {
		f, err := os.Open(name)
		if err != nil {
			continue
		}
		defer func() { _ = f.Close() }()
		if text, err := io.ReadAll(f); err == nil {
			journals[name] = journal{f, text}
		}
	}
	err := filepath.WalkDir(from, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return nil //nolint:nilerr // it went away meanwhile
		}
		rel, _ := filepath.Rel(from, path)
		target := filepath.Join(to, rel)
		if e.IsDir() {
			return os.MkdirAll(target, 0o700)
		}
		if strings.HasSuffix(path, ".journal") {
			return nil
		}
		read := os.ReadFile
		if e.Name() == "cache.db" {
			read = readSettled
		}
		b, err := read(path)
		if err != nil {
			return nil //nolint:nilerr // the same
		}
		return os.WriteFile(target, b, 0o600)
	})
	for name, j := range journals {
		was, _ := j.f.Stat()
		if now, err := os.Stat(name); err == nil && os.SameFile(was, now) {
			rel, _ := filepath.Rel(from, name)
			err = os.WriteFile(filepath.Join(to, rel), j.text, 0o600)
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return to
}

// readSettled reads a database in which no transaction ends meanwhile: one that is under
// way writes only where the last one has nothing, and its first two pages at its end.
func readSettled(path string) (all []byte, err error) {
	pages := 2 * os.Getpagesize()
	for range 1000 {
		if all, err = os.ReadFile(path); err != nil {
			return nil, err
		}
		again, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		if pages = min(pages, len(all), len(again)); bytes.Equal(all[:pages], again[:pages]) {
			return all, nil
		}
	}
	return nil, errors.New("it is written all the time")
}

// TestAbandonedDirectory opens copies of a directory that nobody closed, at
// every stage of a download, with the journal torn at a random byte.
func TestAbandonedDirectory(t *testing.T) {
	body := bytesOf(300, 3<<20)
	d := digest.FromBytes(body)
	rng := rand.New(rand.NewPCG(3, 3))
	c := open(t, cache.Options{})
	f := join(t, c, d)
	reader(t, f, 0, -1, true)
	if err := f.SetSize(int64(len(body))); err != nil {
		t.Fatal(err)
	}
	cl := claim(t, f)
	for at := 0; at < len(body); at += 200 << 10 {
		write(t, cl, body[at:min(len(body), at+200<<10)])
		dir := copyDir(t, c.Dir())
		journal := filepath.Join(dir, "partial", "sha256", d.Encoded()+".journal")
		if rng.IntN(2) == 0 {
			_ = os.Truncate(journal, rng.Int64N(size(t, journal)))
		}
		if rng.IntN(4) == 0 {
			_ = os.Truncate(strings.TrimSuffix(journal, ".journal"), int64(rng.IntN(at+1)))
		}
		again := open(t, cache.Options{Dir: dir})
		f := join(t, again, d)
		if f.Have() > int64(at+200<<10) {
			t.Fatalf("%d bytes of %d", f.Have(), at)
		}
		named := int64(0)
		for _, p := range f.Provenance() {
			named += p.End - p.Off
		}
		if named != f.Have() {
			t.Fatalf("provenance of %d bytes of %d: %v", named, f.Have(), f.Provenance())
		}
		r := reader(t, f, 0, -1, true)
		go func() { _ = drive(f, body) }()
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, body) {
			t.Fatal(err)
		}
		<-f.Done()
		if !bytes.Equal(get(t, again, d, cache.Verified()), body) {
			t.Fatal("other bytes")
		}
		if err := again.Close(); err != nil {
			t.Fatal(err)
		}
	}
	f.Fail(nil)
}

// Blobs stored just before a kill are there after it, in the books too.
func TestAbandonedBooks(t *testing.T) {
	c := open(t, cache.Options{})
	var ds []digest.Digest
	for i := range 20 {
		ds = append(ds, put(t, c, bytesOf(uint64(310+i), 1000)))
		if i == 9 {
			if err := c.Flush(); err != nil {
				t.Fatal(err)
			}
			if err := c.Delete(ds[3]); err != nil {
				t.Fatal(err)
			}
		}
	}
	again := open(t, cache.Options{Dir: copyDir(t, c.Dir())})
	if st := again.Stat(); st.Blobs != 19 || st.Size != 19_000 {
		t.Fatalf("%+v", st)
	}
	for i, d := range ds {
		if has(t, again, d) != (i != 3) {
			t.Errorf("blob %d", i)
		}
	}
}
