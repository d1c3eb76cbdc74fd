package machine_test

import (
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
)

// Who is not root and may write a file of somebody else's, by its group, leaves it theirs.
func TestWriteKeepsSomebodyElsesOwner(t *testing.T) {
	if os.Geteuid() != 0 {
		return // only root can make the file
	}
	l, dir := linux(t)
	name := filepath.Join(dir, "etc", "daemon.json")
	must(t, os.MkdirAll(filepath.Dir(name), 0o755))
	must(t, os.WriteFile(name, []byte("old"), 0o600))
	must(t, os.Chown(name, 12, 34))
	must(t, os.Chmod(name, 0o666))
	must(t, os.Chmod(filepath.Dir(name), 0o777))
	for d := dir; d != os.TempDir() && d != "/"; d = filepath.Dir(d) {
		must(t, os.Chmod(d, 0o755))
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and the thread ends with the goroutine: nobody else becomes nobody
		const nobody, same = 65534, ^uintptr(0)
		if _, _, e := syscall.RawSyscall(syscall.SYS_SETRESUID, same, nobody, same); e != 0 {
			done <- e
			return
		}
		_, err := l.WriteFile("/etc/daemon.json", []byte("new"), 0o600)
		done <- err
	}()
	must(t, <-done)
	info, err := os.Stat(name)
	must(t, err)
	if st := info.Sys().(*syscall.Stat_t); st.Uid != 12 || st.Gid != 34 || info.Mode() != 0o666 {
		t.Errorf("it is %v and belongs to %d:%d", info.Mode(), st.Uid, st.Gid)
	}
	if f, err := l.ReadFile("/etc/daemon.json"); err != nil || string(f.Data) != "new" {
		t.Errorf("%s, %v", f.Data, err)
	}
	if names, err := l.List("/etc"); err != nil || len(names) != 1 {
		t.Errorf("something was left: %v, %v", names, err)
	}
}
