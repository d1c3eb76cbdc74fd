package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	dockerconfig "github.com/docker/cli/cli/config"
)

// logins are the credentials of mirrors, from where their `auth` says:
//
//	env:NAME   the variable's value: "user:password", or a token
//	file:PATH  the same, from a file
//	docker     docker's own entry for the mirror's host, credential helpers included
//
// They are read again after loginLife, and when a mirror does not take them.
type logins struct {
	getenv func(string) string
	docker string // folder of docker's config.json, "" its own choice
	now    func() time.Time

	mu   sync.Mutex
	held map[loginKey]login
}

type loginKey struct{ auth, host string }

type login struct {
	id    Identity
	err   error
	until time.Time
}

const (
	loginLife   = time.Minute
	helperLimit = 20 * time.Second // a helper may ask the person to unlock a key ring
	maxLogin    = 64 << 10
)

func newLogins(getenv func(string) string, docker string, now func() time.Time) *logins {
	if getenv == nil {
		getenv = os.Getenv
	}
	return &logins{getenv: getenv, docker: docker, now: now, held: map[loginKey]login{}}
}

// of returns the identity that a mirror at host is asked with. The error names
// where it should have come from and no secret.
func (l *logins) of(ctx context.Context, auth, host string) (Identity, error) {
	if auth == "" {
		return Anonymous(), nil
	}
	key := loginKey{auth, host}
	l.mu.Lock()
	have, ok := l.held[key]
	l.mu.Unlock()
	if ok && l.now().Before(have.until) {
		return have.id, have.err
	}
	id, err := l.read(ctx, auth, host)
	if err != nil {
		err = fmt.Errorf("auth = %q: %w", auth, err)
	}
	if ctx.Err() == nil {
		l.mu.Lock()
		l.held[key] = login{id, err, l.now().Add(loginLife)}
		l.mu.Unlock()
	}
	return id, err
}

// problem is why the last reading came to nothing, "" if it did not.
func (l *logins) problem(auth, host string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if have, ok := l.held[loginKey{auth, host}]; ok && have.err != nil && l.now().Before(have.until) {
		return have.err.Error()
	}
	return ""
}

// forget has them read again.
func (l *logins) forget(auth, host string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.held, loginKey{auth, host})
}

func (l *logins) read(ctx context.Context, auth, host string) (Identity, error) {
	if name, ok := strings.CutPrefix(auth, "env:"); ok {
		value := l.getenv(name)
		if value == "" {
			return Identity{}, errors.New("the daemon's environment has no such variable")
		}
		return parseLogin(value)
	}
	if path, ok := strings.CutPrefix(auth, "file:"); ok {
		f, err := os.Open(path)
		if err != nil {
			return Identity{}, err
		}
		defer func() { _ = f.Close() }()
		b, err := io.ReadAll(io.LimitReader(f, maxLogin))
		if err != nil {
			return Identity{}, err
		}
		return parseLogin(string(b))
	}
	if auth == "docker" {
		return l.fromDocker(ctx, host)
	}
	return Identity{}, errors.New(`not "env:NAME", "file:PATH" or "docker"`)
}

// parseLogin reads "user:password" or a token.
func parseLogin(text string) (Identity, error) {
	text = strings.TrimSpace(text)
	if text == "" || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r == 0x7f }) {
		return Identity{}, errors.New(`not one line of "user:password" or a token`)
	}
	if user, password, ok := strings.Cut(text, ":"); ok {
		return basicIdentity(user, password), nil
	}
	return Client("Bearer " + text), nil
}

func basicIdentity(user, password string) Identity {
	r := http.Request{Header: http.Header{}}
	r.SetBasicAuth(user, password)
	return Client(r.Header.Get("Authorization"))
}

// fromDocker asks docker's configuration. A helper is a program of the person's
// that cannot be told to hurry: it is left behind when it takes too long.
func (l *logins) fromDocker(ctx context.Context, host string) (Identity, error) {
	type result struct {
		id  Identity
		err error
	}
	done := make(chan result, 1)
	go func() {
		id, err := l.askDocker(host)
		done <- result{id, err}
	}()
	t := time.NewTimer(helperLimit)
	defer t.Stop()
	select {
	case r := <-done:
		return r.id, r.err
	case <-ctx.Done():
		return Identity{}, context.Cause(ctx)
	case <-t.C:
		return Identity{}, errors.New("docker's credential helper does not answer; unlock its key ring")
	}
}

func (l *logins) askDocker(host string) (Identity, error) {
	file, err := dockerconfig.Load(l.docker)
	if err != nil {
		return Identity{}, errors.New("docker's config.json cannot be read")
	}
	a, err := file.GetAuthConfig(host)
	switch {
	case err != nil: // a helper's own words may hold anything
		return Identity{}, fmt.Errorf("docker's credential helper fails; try: docker login %s", host)
	case a.IdentityToken != "":
		return Identity{refresh: a.IdentityToken}, nil
	case a.RegistryToken != "":
		return Client("Bearer " + a.RegistryToken), nil
	case a.Username != "":
		return basicIdentity(a.Username, a.Password), nil
	}
	return Identity{}, fmt.Errorf("docker has no login for it; try: docker login %s", host)
}
