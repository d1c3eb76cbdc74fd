package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// family is a process and those that it started, theirs too. It looks at every process there is, so it is asked for once
// before something is measured, not while.
func family(pid int) []int {
	children := map[int][]int{}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, stat := range stats {
		text, _ := os.ReadFile(stat)
		_, after, _ := strings.Cut(string(text), ") ")
		fields := strings.Fields(after) // from the third of proc_pid_stat(5) on: state, parent
		child, err := strconv.Atoi(filepath.Base(filepath.Dir(stat)))
		if err != nil || len(fields) < 2 {
			continue
		}
		if parent, err := strconv.Atoi(fields[1]); err == nil {
			children[parent] = append(children[parent], child)
		}
	}
	all := []int{pid}
	for i := 0; i < len(all); i++ {
		all = append(all, children[all[i]]...)
	}
	return all
}

// cpu is the processor time, in user and kernel, that a family used so far: those that run by their clocks
// (clock_getcpuclockid(3), in nanoseconds where /proc/PID/stat counts hundredths of a second), those that have ended by
// cutime and cstime of their parent.
func cpu(family []int) time.Duration {
	var sum time.Duration
	for _, pid := range family {
		const clockProcess = 2 // CPUCLOCK_SCHED, of the whole process
		var at unix.Timespec
		if unix.ClockGettime(int32(^pid)<<3|clockProcess, &at) == nil { //nolint:gosec // process ids are below 2²²
			sum += time.Duration(at.Nano())
		}
		sum += ended(pid)
	}
	return sum
}

// ended is what the children used that a process has waited for (proc_pid_stat(5), fields 16 and 17).
func ended(pid int) time.Duration {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, after, _ := strings.Cut(string(text), ") ")
	fields := strings.Fields(after)
	if len(fields) < 15 {
		return 0
	}
	const tick = 10 * time.Millisecond // USER_HZ is 100 wherever Go runs
	user, _ := strconv.Atoi(fields[13])
	system, _ := strconv.Atoi(fields[14])
	return time.Duration(user+system) * tick
}

// ownCPU is the client's processor time, and the Hub's, which lives in the same process.
func ownCPU() time.Duration {
	var use unix.Rusage
	_ = unix.Getrusage(unix.RUSAGE_SELF, &use)
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// memory is what a family holds that is no file's, in MiB: anonymous pages, and shared memory without a name, as nginx's
// zones are (proc_pid_smaps(5)). Pages of a program, or of a file that is mapped, are the system's to take back wherever the
// file is; on tmpfs the sums in /proc/PID/status would have them as shared memory. What several workers share counts once.
func memory(family []int) (float64, error) {
	var anonymous, shared int
	seen := false
	for _, pid := range family {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/smaps", pid))
		if err != nil || len(maps) == 0 {
			continue // it has just ended
		}
		seen = true
		own, of := held(string(maps))
		anonymous += own
		shared = max(shared, of)
	}
	if !seen {
		return 0, errors.New("memory: no such process")
	}
	return float64(anonymous+shared) / 1024, nil
}

// held adds up a process's maps, in KiB: what is its own, and what it shares that is no file's.
func held(maps string) (anonymous, shared int) {
	resident, nameless := 0, false
	for line := range strings.Lines(maps) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"): // a range, its rights, offset, device, inode and name
			nameless = len(fields) < 6 || strings.HasPrefix(fields[5], "/dev/zero") || strings.HasPrefix(fields[5], "/SYSV") ||
				strings.HasPrefix(fields[5], "/memfd:") || strings.HasPrefix(fields[5], "/dev/shm/")
		case len(fields) < 2:
		case fields[0] == "Rss:":
			resident, _ = strconv.Atoi(fields[1])
		case fields[0] == "Anonymous:":
			kib, _ := strconv.Atoi(fields[1])
			anonymous += kib
			if nameless {
				shared += resident - kib
			}
		}
	}
	return anonymous, shared
}

// pinSelf keeps this process on some processors.
func pinSelf(first, last int) error {
	var set unix.CPUSet
	for i := first; i <= last; i++ {
		set.Set(i)
	}
	tasks, err := filepath.Glob("/proc/self/task/*")
	for _, task := range tasks {
		if tid, bad := strconv.Atoi(filepath.Base(task)); bad == nil {
			err = errors.Join(err, unix.SchedSetaffinity(tid, &set))
		}
	}
	return err
}

// ready makes the machine the same for whoever is measured next: everything written is on disk, and as much memory as a
// cold turn fills is free and at hand. A virtual machine's host takes back what is free for long, and giving it again
// costs whoever touches it first more than everything else that it does with a byte.
func ready() error {
	unix.Sync()
	const most = 512 * mib
	touched, err := unix.Mmap(-1, 0, most, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_POPULATE)
	if err != nil {
		return fmt.Errorf("%d MiB of memory: %w", most/mib, err)
	}
	return unix.Munmap(touched)
}

// fileSystem names the kind of file system that a directory is on (statfs(2)).
func fileSystem(dir string) string {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return "an unknown file system"
	}
	names := map[int64]string{
		unix.TMPFS_MAGIC: "tmpfs", unix.EXT4_SUPER_MAGIC: "ext4", unix.XFS_SUPER_MAGIC: "xfs", unix.BTRFS_SUPER_MAGIC: "btrfs",
		unix.OVERLAYFS_SUPER_MAGIC: "overlayfs",
	}
	if name := names[int64(fs.Type)]; name != "" { //nolint:unconvert // int32 on some
		return name
	}
	return fmt.Sprintf("a file system of type %#x", fs.Type)
}
