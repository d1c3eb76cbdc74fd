package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// door is a way in that a client may use.
type door string

const (
	mirror       door = "mirror"       // plain HTTP, the registry's own paths
	interception door = "interception" // CONNECT, then TLS by a local CA
	socks        door = "SOCKS5"       // the same behind SOCKS5
)

// product is something that people use, or a limit that no cache passes.
type product struct {
	name     string
	about    string // how it is set up, for the reader of the table
	upstream string // how it reaches the Hub; "" for what does not
	limit    bool
	doors    []door
	version  func(ctx context.Context) (string, error)

	// prepare makes what a person makes once, in an empty directory; it may be nil. launch starts the server over that
	// directory, and returns when it answers. A limit that is the Hub itself starts nothing.
	prepare func(ctx context.Context, b *bench, dir string) error
	launch  func(ctx context.Context, b *bench, dir string) (*server, error)
}

func (p *product) has(d door) bool { return slices.Contains(p.doors, d) }

// server is a product that runs.
type server struct {
	*product
	process *process // nil for the Hub
	dir     string
	ways    map[door]*way
}

// pid is of the first process, 0 for the Hub.
func (s *server) pid() int {
	if s.process == nil {
		return 0
	}
	return s.process.pid()
}

func (s *server) stop() error {
	if s.process == nil {
		return nil
	}
	return s.process.stop()
}

// products are all there are, in the order of the table.
func products() []*product {
	return []*product{pulley(), distribution2(), distribution3(), nginxCache(), squid(), nginxStatic(), goFiles(), direct()}
}

// ready prepares a product in a directory of its own.
func (b *bench) ready(ctx context.Context, p *product, name string) (dir string, err error) {
	dir = filepath.Join(b.dir, strings.NewReplacer(" ", "-", ",", "").Replace(name))
	if err := os.Mkdir(dir, 0o755); err != nil { //nolint:gosec // squid's own user passes through
		return "", err
	}
	if p.prepare != nil {
		err = p.prepare(ctx, b, dir)
	}
	return dir, err
}

// open prepares a product and starts it.
func (b *bench) open(ctx context.Context, p *product, name string) (*server, error) {
	dir, err := b.ready(ctx, p, name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	s, err := p.launch(ctx, b, dir)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	s.product, s.dir = p, dir
	return s, s.renew(ctx, b)
}

// renew gets new tokens, where a way needs them.
func (s *server) renew(ctx context.Context, b *bench) error {
	for d, w := range s.ways {
		if w.tokens == nil {
			continue
		}
		bearer, err := token(ctx, w.tokens)
		if err != nil {
			return fmt.Errorf("%s: %s: token: %w", s.name, d, err)
		}
		w.bearer = bearer
	}
	return nil
}

// find looks for a program where a root's PATH would have it.
func find(names ...string) (string, error) {
	for _, name := range names {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
		for _, dir := range []string{"/usr/sbin", "/sbin", "/usr/local/sbin"} {
			path := filepath.Join(dir, name)
			if st, err := os.Stat(path); err == nil && st.Mode()&0o111 != 0 {
				return path, nil
			}
		}
	}
	return "", fmt.Errorf("%s: not found; run: .ci/need bench", names[0])
}

// words is the output of a program, errors with what it said.
func words(ctx context.Context, name string, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, name, args...).CombinedOutput()
	text := strings.TrimSpace(string(out))
	if err != nil {
		return text, errors.Join(fmt.Errorf("%s: %w", name, err), errors.New(text))
	}
	return text, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line
}
