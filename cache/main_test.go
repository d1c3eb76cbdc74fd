package cache_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/opencontainers/go-digest"
	"go.uber.org/goleak"

	"pulley/cache"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("PULLEY_TEST_VICTIM"); dir != "" {
		victim(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// drawn is what a random test draws from, SEED if it is to be repeated, and how many
// rounds it makes: N, or its own number.
func drawn(t *testing.T, rounds int) (seed uint64, n int) {
	t.Helper()
	seed, n = rand.Uint64(), rounds
	if s, err := strconv.ParseUint(os.Getenv("SEED"), 10, 64); err == nil {
		seed = s
	}
	if s, err := strconv.Atoi(os.Getenv("N")); err == nil {
		n = s
	}
	t.Logf("SEED=%d N=%d", seed, n)
	return seed, n
}

// victim fills one blob in pieces, some of them a liar's, and puts it right when
// its digest breaks. It says on stdout how much it has written, until it is
// killed, and at its start whether it knows whose the wrong bytes are that it
// finds.
func victim(dir string) {
	seed, _ := strconv.Atoi(os.Getenv("PULLEY_TEST_SEED"))
	body := bytesOf(uint64(seed), victimSize)
	c, err := cache.Open(cache.Options{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	f, _, err := c.Join(digest.FromBytes(body))
	if errors.Is(err, cache.ErrStored) { // the one before was killed before it could say so
		fmt.Println("done", nil)
		return
	}
	if err != nil {
		fmt.Println("error", err)
		return
	}
	if err := onlyLies(c, f, body); err != nil {
		fmt.Println("error", err)
		return
	}
	fmt.Println("have", f.Have())
	if _, err := f.Reader(context.Background(), 0, -1, true); err != nil {
		fmt.Println("error", err)
		return
	}
	_ = f.SetSize(int64(len(body)))
	for {
		cl, err := f.ClaimAtMost(context.Background(), victimSize/3)
		if err != nil {
			victimRepair(f, body)
			return
		}
		for at := cl.Off; at < cl.End; {
			p := body[at:min(cl.End, at+10_000)]
			src := []testSource{honest, stranger, liar, traitor}[at/10_000%4]
			if src.lies {
				p = wrongAt(p, int(at)%len(p))
			}
			cl.From(src.name, src.withhold)
			n, err := cl.Write(p)
			at += int64(n)
			if err != nil {
				break
			}
			fmt.Println("wrote", f.Have())
		}
		cl.Release()
	}
}

// victimRepair amends everything that is not the origin's, slowly, and commits.
func victimRepair(f *cache.Fill, body []byte) {
	var de *cache.DigestError
	err := f.Commit()
	for _, p := range f.Provenance() {
		if !errors.As(err, &de) {
			break
		}
		for at := p.Off; at < p.End && p.Source != honest.name; at += 10_000 {
			if _, err := f.Amend(body[at:min(p.End, at+10_000)], at, honest.name); err != nil {
				fmt.Println("error", err)
				return
			}
			fmt.Println("amended", f.Have())
		}
	}
	fmt.Println("done", f.Commit())
}

// onlyLies is an error if something is wrong in the file that is not known to be
// a liar's.
func onlyLies(c *cache.Cache, f *cache.Fill, body []byte) error {
	file, err := os.ReadFile(filepath.Join(c.Dir(), "partial", "sha256", f.Digest().Encoded()))
	if err != nil {
		return err
	}
	for _, p := range f.Provenance() {
		if !bytes.Equal(file[p.Off:p.End], body[p.Off:p.End]) && p.Source != liar.name && p.Source != traitor.name {
			return fmt.Errorf("wrong bytes are ascribed to %+v", p)
		}
	}
	return nil
}
