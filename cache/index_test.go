package cache_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"pulley/cache"
)

// What waits for index.json alone does not wait with it: it is written seldom where that takes long.
func TestIndexKeepsNothingWaiting(t *testing.T) {
	disk := &cache.FaultyDisk{Quick: true, Before: func(op, path string) error {
		if op == "rename" && filepath.Base(path) == "index.json" {
			<-time.After(500 * time.Millisecond) // and so not again for 25 s
		}
		return nil
	}}
	c := open(t, cache.Options{}.WithDisk(disk))
	first := small(t, c, debian, "one", bytesOf(1160, 100))
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	small(t, c, debian, "two", bytesOf(1161, 100)) // which index.json does not have
	file := filepath.Join(c.Dir(), "refs", "docker.io", "library", "debian", "one")
	written := func() string {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	for round := range 2 {
		before, deadline := written(), time.Now().Add(15*time.Second)
		tag, err := c.Tag(debian, "one")
		if err != nil {
			t.Fatal(err)
		}
		tag.Checked = time.Now()
		if err := c.SetTag(tag); err != nil || tag.Digest != first {
			t.Fatal(tag, err)
		}
		for written() == before {
			if time.Now().After(deadline) {
				t.Fatalf("round %d: that a tag was checked is not written", round)
			}
			<-time.After(20 * time.Millisecond)
		}
	}
}
