package cache_test

import (
	"context"
	"fmt"
	"os"
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

// victim fills one blob in pieces from two ends and says on stdout how much of
// each it has written, until it is killed.
func victim(dir string) {
	seed, _ := strconv.Atoi(os.Getenv("PULLEY_TEST_SEED"))
	body := bytesOf(uint64(seed), victimSize)
	c, err := cache.Open(cache.Options{Dir: dir})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	f, _, err := c.Join(digest.FromBytes(body))
	if err != nil {
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
			fmt.Println("done", f.Commit())
			return
		}
		for at := cl.Off; at < cl.End; {
			n, err := cl.Write(body[at:min(cl.End, at+10_000)])
			at += int64(n)
			if err != nil {
				break
			}
			fmt.Println("wrote", f.Have())
		}
		cl.Release()
	}
}
