package cache_test

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pulley/cache"
)

// Who asks for a tag while the check times of many are written waits for one of them
// at most, however slow the disk.
func TestTagIsNotKeptWaitingByAllCheckTimes(t *testing.T) {
	const tags = 50
	var written atomic.Int64
	var armed atomic.Bool
	begun := make(chan struct{})
	disk := &cache.FaultyDisk{Before: func(op, path string) error {
		if op == "rename" && armed.Load() && strings.Contains(path, "refs") {
			if written.Add(1) == 1 {
				close(begun)
			}
			<-time.After(10 * time.Millisecond)
		}
		return nil
	}}
	c := open(t, cache.Options{}.WithDisk(disk).In(t.TempDir()))
	d := small(t, c, debian, "t0", bytesOf(7300, 100))
	for i := range tags {
		setTag(t, c, debian, "t"+strings.Repeat("x", i), d)
		setTag(t, c, debian, "t"+strings.Repeat("x", i), d) // checked again
	}
	armed.Store(true)
	flushed := make(chan error, 1)
	go func() { flushed <- c.Flush() }()
	<-begun
	wantTag(t, c, debian, "t0", d)
	if n := written.Load(); n > 5 {
		t.Errorf("it waited for %d others", n)
	}
	if err := <-flushed; err != nil {
		t.Fatal(err)
	}
	if n := written.Load(); n < tags {
		t.Fatalf("%d of %d were written", n, tags)
	}
}
