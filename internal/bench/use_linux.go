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

// memory is what a family holds that is no file's, in MiB: anonymous pages and shared memory (proc_pid_status(5), RssAnon
// and RssShmem). Pages of a shared zone that several workers have touched count once.
func memory(family []int) (float64, error) {
	var anonymous, shared int
	seen := false
	for _, pid := range family {
		status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			continue // it has just ended
		}
		seen = true
		most := 0
		for line := range strings.Lines(string(status)) {
			fields := strings.Fields(line)
			if len(fields) < 2 {
				continue
			}
			kib, _ := strconv.Atoi(fields[1])
			switch fields[0] {
			case "RssAnon:":
				anonymous += kib
			case "RssShmem:":
				most = kib
			}
		}
		shared = max(shared, most)
	}
	if !seen {
		return 0, errors.New("memory: no such process")
	}
	return float64(anonymous+shared) / 1024, nil
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
