package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// fileTimeout bounds what is done with one file.
const fileTimeout = 2 * time.Minute

// follow is sh for: p is the file that $p leads to, which need not be there.
const follow = `n=0
while [ -L "$p" ]; do
  n=$((n+1))
  [ $n -le 40 ] || { echo 'too many symbolic links' >&2; exit 1; }
  t=$(readlink "$p") || exit 1
  case $t in /*) p=$t ;; *) p=${p%/*}/$t ;; esac
done
[ ! -e "$p" ] || p=$(readlink -f "$p") || exit 1
`

// read prints "mode\0path\0", then what is in the file.
const read = follow + `m=$(stat -L -c %a "$p") || exit 1
[ -f "$p" ] || { echo 'is no regular file' >&2; exit 1; }
[ -r "$p" ] || { echo 'Permission denied' >&2; exit 1; }
printf '%s\0%s\0' "$m" "$p"
exec cat "$p"
`

// write prints the folders that it makes, a NUL after each. It puts the new file in place only if all of it has arrived.
const write = follow + `me=$(id -u)
made() {
  [ -d "$1" ] && return 0
  [ -n "$1" ] || return 0
  made "${1%/*}" || return 1
  case $1 in "$home"/*) mkdir -m 700 "$1" ;; *) mkdir -m 755 "$1" ;; esac || return 1
  printf '%s\0' "$1"
  up=${1%/*}
  [ "$me" != 0 ] || chown "$(stat -c %u:%g "${up:-/}")" "$1"
}
d=${p%/*}
made "$d" || exit 1
o=$(stat -c %u:%g "${d:-/}") || exit 1
[ "$me" = 0 ] || o=
if [ -e "$p" ]; then
  [ -f "$p" ] || { echo 'is no regular file' >&2; exit 1; }
  m=$(stat -c %a "$p") && o=$(stat -c %u:%g "$p") || exit 1
  case $(stat -c %A "$p") in *w*) ;; *) echo 'is read-only' >&2; exit 1 ;; esac
fi
t=$(mktemp "$d/.${p##*/}.pulley-XXXXXX") || exit 1
trap 'rm -f "$t"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$t" || exit 1
[ "$(wc -c <"$t")" -eq "$size" ] || { echo 'the connection broke while it was written' >&2; exit 1; }
[ -z "$o" ] || chown "$o" "$t" || exit 1
chmod "$m" "$t" || exit 1
sync "$t" 2>/dev/null || sync
mv -f "$t" "$p" || exit 1
trap - EXIT
`

const remove = `if [ -d "$p" ] && [ ! -L "$p" ]; then exec rmdir "$p"; fi
exec rm "$p"
`

// list prints the names, a NUL after each.
const list = `ls -a "$p" >/dev/null || exit 1
[ -d "$p" ] || { echo 'not a directory' >&2; exit 1; }
cd "$p" || exit 1
for f in * .[!.]* ..?*; do
  if [ -e "$f" ] || [ -L "$f" ]; then printf '%s\0' "$f"; fi
done
`

// status prints the raw mode, hexadecimal, size, time and owner.
const status = `exec stat -L -c '%f %s %Y %u %g' "$p"
`

// onFile runs a script on a file, as root if the person may not.
func (s *SSH) onFile(op, name, script string, stdin []byte) (out []byte, err error) {
	if !path.IsAbs(name) || strings.ContainsRune(name, 0) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	ctx, cancel := context.WithTimeout(context.Background(), fileTimeout)
	defer cancel()
	script = "p=" + quote(path.Clean(name)) + "\n" + script
	r, err := s.shell(ctx, false, script, stdin)
	if err == nil && r.refused() && s.maySudo() {
		out = r.stdout
		r, err = s.shell(ctx, true, script, stdin)
	}
	if err != nil {
		return out, &fs.PathError{Op: op, Path: name, Err: err}
	}
	out = slices.Concat(out, r.stdout)
	if r.status == 0 {
		return out, nil
	}
	why := strings.TrimSpace(r.stderr)
	switch {
	case strings.Contains(why, "No such file"):
		err = fs.ErrNotExist
	case r.refused():
		err = fs.ErrPermission
		if s.facts.UID != 0 {
			err = fmt.Errorf("%w: %w", fs.ErrPermission, s.byHand(map[string]string{"write": "tee", "remove": "rm", "list": "ls -a"}[op]+" "+quote(name)))
		}
	case strings.Contains(why, "is read-only"):
		err = fmt.Errorf("is read-only: %w", fs.ErrPermission)
	default:
		lines := strings.Split(why, "\n")
		err = errors.New(lines[len(lines)-1])
	}
	return out, &fs.PathError{Op: op, Path: name, Err: err}
}

// ReadFile implements Machine. The command lines of processes are read all at once, and remembered for a moment: who looks
// for a program looks at each of them.
func (s *SSH) ReadFile(name string) (File, error) {
	if cmdline.MatchString(name) {
		return s.processes.file(s, name)
	}
	out, err := s.onFile("open", name, read, nil)
	if err != nil {
		return File{}, err
	}
	parts := bytes.SplitN(out, []byte{0}, 3)
	if len(parts) < 3 {
		return File{}, &fs.PathError{Op: "open", Path: name, Err: errors.New("not understood")}
	}
	mode, err := strconv.ParseUint(string(parts[0]), 8, 32)
	if err != nil {
		return File{}, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return File{Path: string(parts[1]), Data: parts[2], Mode: fs.FileMode(mode).Perm()}, nil
}

var cmdline = regexp.MustCompile(`^/proc/[0-9]+/cmdline$`)

// cmdlines prints, for each process that there is, its file's name and what is in it: nothing for the kernel's own and for
// those that ended.
const cmdlines = `for f in /proc/[0-9]*/cmdline; do
  printf '\001\002%s\003' "$f"
  cat "$f" 2>/dev/null
done
`

// linesFresh is how long command lines are remembered.
const linesFresh = time.Second

// commandLines are those of all processes, by the files' names.
type commandLines struct {
	mu    sync.Mutex
	read  time.Time
	files map[string][]byte
}

func (c *commandLines) file(s *SSH, name string) (File, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.read) > linesFresh {
		ctx, cancel := context.WithTimeout(context.Background(), fileTimeout)
		defer cancel()
		r, err := s.shell(ctx, false, cmdlines, nil)
		if err != nil {
			return File{}, &fs.PathError{Op: "open", Path: name, Err: err}
		}
		c.files, c.read = map[string][]byte{}, time.Now()
		for part := range bytes.SplitSeq(r.stdout, []byte("\001\002")) {
			if file, data, ok := bytes.Cut(part, []byte("\003")); ok {
				c.files[string(file)] = data
			}
		}
	}
	data, ok := c.files[name]
	if !ok {
		return File{}, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return File{Path: name, Data: data, Mode: 0o444}, nil
}

// WriteFile implements Machine.
func (s *SSH) WriteFile(name string, data []byte, mode fs.FileMode) (made []string, err error) {
	script := fmt.Sprintf("home=%s\nsize=%d\nm=%o\n%s", quote(s.facts.Home), len(data), mode.Perm(), write)
	out, err := s.onFile("write", name, script, data)
	return fields(out), err
}

// fields are texts that end in NUL.
func fields(out []byte) (list []string) {
	for field := range bytes.SplitSeq(out, []byte{0}) {
		if len(field) > 0 {
			list = append(list, string(field))
		}
	}
	return list
}

// Remove implements Machine.
func (s *SSH) Remove(name string) error {
	_, err := s.onFile("remove", name, remove, nil)
	return err
}

// List implements Machine.
func (s *SSH) List(dir string) ([]string, error) {
	out, err := s.onFile("list", dir, list, nil)
	names := fields(out)
	slices.Sort(names)
	return names, err
}

// Stat implements Machine. Sys of what it returns is an Owner.
func (s *SSH) Stat(name string) (fs.FileInfo, error) {
	out, err := s.onFile("stat", name, status, nil)
	if err != nil {
		return nil, err
	}
	var raw uint32
	var seconds int64
	f := far{name: path.Base(name)}
	if _, err := fmt.Sscanf(string(out), "%x %d %d %d %d", &raw, &f.size, &seconds, &f.owner.UID, &f.owner.GID); err != nil {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: err}
	}
	f.time, f.mode = time.Unix(seconds, 0), fs.FileMode(raw&0o777)
	f.mode |= map[uint32]fs.FileMode{ // S_IFMT, inode(7)
		0o040000: fs.ModeDir, 0o010000: fs.ModeNamedPipe, 0o140000: fs.ModeSocket, 0o020000: fs.ModeDevice | fs.ModeCharDevice, 0o060000: fs.ModeDevice,
	}[raw&0o170000]
	for bit, mode := range map[uint32]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if raw&bit != 0 {
			f.mode |= mode
		}
	}
	return f, nil
}

// Owner is whose a file of another machine is.
type Owner struct{ UID, GID int }

// far is a file of another machine.
type far struct {
	name  string
	size  int64
	mode  fs.FileMode
	time  time.Time
	owner Owner
}

func (f far) Name() string       { return f.name }
func (f far) Size() int64        { return f.size }
func (f far) Mode() fs.FileMode  { return f.mode }
func (f far) ModTime() time.Time { return f.time }
func (f far) IsDir() bool        { return f.mode.IsDir() }
func (f far) Sys() any           { return f.owner }
