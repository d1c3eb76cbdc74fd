package main

import "testing"

// Memory is what is nobody's file, wherever files are: a program on tmpfs is shared memory by /proc/PID/status.
func TestMemoryIsNoFiles(t *testing.T) {
	const maps = `00400000-00800000 r-xp 00000000 00:25 7 /mnt/bench/pulley
Rss:                4000 kB
Anonymous:             0 kB
VmFlags: rd ex mr mw me
00800000-00900000 rw-p 00400000 00:25 7 /mnt/bench/pulley
Rss:                 300 kB
Anonymous:           200 kB
c000000000-c000400000 rw-p 00000000 00:00 0
Rss:                1000 kB
Anonymous:          1000 kB
7f0000000000-7f0000a00000 rw-s 00000000 00:01 9 /dev/zero (deleted)
Rss:                 500 kB
Anonymous:             0 kB
7f0001000000-7f0001a00000 rw-s 00000000 00:25 8 /mnt/bench/index.db
Rss:                  70 kB
Anonymous:             0 kB
7ffd00000000-7ffd00021000 rw-p 00000000 00:00 0 [stack]
Rss:                  30 kB
Anonymous:            30 kB
`
	if anonymous, shared := held(maps); anonymous != 1230 || shared != 500 {
		t.Errorf("%d KiB of its own, %d shared; want 1230 and 500", anonymous, shared)
	}
	if own, err := memory([]int{1 << 30}); err == nil {
		t.Errorf("a process that is not there holds %f MiB", own)
	}
}
