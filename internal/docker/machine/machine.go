// Package machine is what the Docker side sees of a computer: its files, programs, variables and sockets. There is the
// one that this program runs on ([Local], in tests under a folder of its own and as if another system ran), and one behind
// ssh. Whoever finds, wires or examines engines is given a [Machine] and so works on any of them.
//
// It must not know engines, nor Pulley's settings and daemon.
package machine

import (
	"context"
	"io/fs"
	"net"
)

// Systems as [Facts] name them: GOOS values.
const (
	Linux   = "linux"
	Darwin  = "darwin"
	Windows = "windows"
)

// Facts do not change while a Machine is used.
type Facts struct {
	Name string // of a remote one, for people; "" is this machine
	OS   string // a GOOS value
	Arch string // a GOARCH value
	Home string // of the person
	User string // the person's name; behind sudo the one who called it
	UID  int    // the person's number; -1 where there are none
	Root bool   // whether what is done here is done as root, or as an administrator
}

// File is a file that was read.
type File struct {
	Path string // the file itself, where the name asked for was a symbolic link to it
	Data []byte
	Mode fs.FileMode // permission bits alone
}

// Command is a program to run.
type Command struct {
	Args  []string // the program, then its arguments; no shell is involved
	Stdin []byte
	Env   []string // NAME=value, besides the machine's own
}

// Machine is a computer. Paths are absolute and in the machine's own form. Methods may be called from several goroutines.
//
// Errors of files are, or wrap, *fs.PathError with fs.ErrNotExist and fs.ErrPermission where that is the cause; their paths
// are the machine's.
type Machine interface {
	Facts() Facts

	// Getenv is a variable of the person's environment.
	Getenv(name string) string

	// ReadFile follows symbolic links.
	ReadFile(path string) (File, error)

	// WriteFile replaces a file, or makes it with that mode, in one step: whoever reads sees the one or the other. An existing
	// file keeps its mode and owner, and a symbolic link stays one: what it points to is replaced. One whose owner could not be
	// kept like that is written where it is. Missing folders are made (0755; below Home 0700) and listed, outermost first.
	WriteFile(path string, data []byte, mode fs.FileMode) (made []string, err error)

	// Remove removes a file, or a folder that is empty.
	Remove(path string) error

	// List has the names in a folder, sorted.
	List(dir string) ([]string, error)

	// Stat follows symbolic links.
	Stat(path string) (fs.FileInfo, error)

	// Run runs a program to its end. The error of one that ended with a status other than 0 is an *ExitError; that of one that
	// is not there Is exec.ErrNotFound.
	Run(ctx context.Context, c Command) (stdout []byte, err error)

	// Dial connects to a socket of the machine: "unix", "tcp", or "npipe" on Windows.
	Dial(ctx context.Context, network, address string) (net.Conn, error)
}
