package machine

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxLinks is how many symbolic links are followed, as Linux does.
const maxLinks = 40

// follow is the real path of what a path of the machine means: links are the machine's as well.
func (l *Local) follow(path string) (string, error) {
	name := l.real(path)
	if l.Dir == "" {
		if real, err := filepath.EvalSymlinks(name); err == nil {
			return real, nil
		}
	}
	for range maxLinks { // one that leads nowhere, or in a test's folder
		to, err := os.Readlink(name)
		if err != nil {
			return name, nil //nolint:nilerr // no link: the file itself, or nothing
		}
		if filepath.IsAbs(to) {
			name = l.real(to)
		} else {
			name = filepath.Join(filepath.Dir(name), to)
		}
	}
	return "", &fs.PathError{Op: "open", Path: path, Err: errors.New("too many symbolic links")}
}

// WriteFile implements Machine.
func (l *Local) WriteFile(path string, data []byte, mode fs.FileMode) (made []string, err error) {
	name, err := l.follow(path)
	if err != nil {
		return nil, err
	}
	made, err = l.makeDirs(filepath.Dir(name))
	if err != nil {
		return made, l.told(path, err)
	}
	info, err := os.Stat(name)
	switch {
	case err == nil && !info.Mode().IsRegular():
		return made, &fs.PathError{Op: "write", Path: path, Err: errors.New("is no regular file")}
	case err == nil:
		mode = info.Mode().Perm()
		if mode&0o222 == 0 { // somebody meant that; root could write it all the same
			return made, &fs.PathError{Op: "write", Path: path, Err: fmt.Errorf("is read-only: %w", fs.ErrPermission)}
		}
		// A file that may not be written is not replaced either, though its folder would allow that.
		f, err := os.OpenFile(name, os.O_WRONLY, 0)
		if err != nil {
			return made, l.told(path, err)
		}
		_ = f.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return made, l.told(path, err)
	}
	return made, l.told(path, replace(name, data, mode, info))
}

// makeDirs makes what is missing of dir, a real path.
func (l *Local) makeDirs(dir string) (made []string, err error) {
	if _, err := os.Stat(dir); err == nil || filepath.Dir(dir) == dir {
		return nil, nil //nolint:nilerr // of the root itself there is nothing to make
	}
	if made, err = l.makeDirs(filepath.Dir(dir)); err != nil {
		return made, err
	}
	mode := fs.FileMode(0o755)
	if l.atHome(dir) {
		mode = 0o700
	}
	switch err := os.Mkdir(dir, mode); {
	case errors.Is(err, fs.ErrExist):
		return made, nil // somebody else was faster
	case err != nil:
		return made, err
	}
	made = append(made, l.own(dir))
	if err := os.Chmod(dir, mode); err != nil { // whatever the umask is: others are to read what is put there
		return made, err
	}
	return made, inherit(dir)
}

// atHome says whether a real path lies below the person's home.
func (l *Local) atHome(dir string) bool {
	home := l.Facts().Home
	if home == "" || filepath.Dir(home) == home { // none, or the root
		return false
	}
	home = l.real(home)
	if real, err := filepath.EvalSymlinks(home); err == nil && l.Dir == "" {
		home = real
	}
	return strings.HasPrefix(dir, home+string(filepath.Separator))
}

// replace writes a file beside its place and moves it there. old may be nil.
func replace(name string, data []byte, mode fs.FileMode, old fs.FileInfo) (err error) {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".pulley-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = os.Remove(f.Name())
		}
	}()
	_, err = f.Write(data)
	if err == nil {
		err = f.Chmod(mode)
	}
	if err == nil {
		err = own(f.Name(), old)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	if old != nil && !ownedAlike(f.Name(), old) { // somebody else's, or a group's: only root gives files away
		if err = os.WriteFile(name, data, mode); err == nil {
			err = os.Remove(f.Name())
		}
		return err
	}
	return os.Rename(f.Name(), name)
}
