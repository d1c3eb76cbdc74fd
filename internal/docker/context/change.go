package context

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"

	dockercontext "github.com/docker/cli/cli/context"
	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
)

// A Change is what Create and Update are told. What is nil stays as it is.
type Change struct {
	Host          *string // ssh://user@host[:port][/socket], tcp://host:port, unix:///path, npipe:////./pipe/name
	Description   *string
	CA, Cert, Key *string // PEM files to be copied in, for tcp; "" takes out what is there
	Mark          *Mark   // without a word: no mark
}

// Create adds a context that does not exist yet.
func (b *Book) Create(name string, c Change) error {
	if err := b.free(name); err != nil {
		return err
	}
	if c.Host == nil {
		return fmt.Errorf("%s: no address; give ssh://user@host, tcp://host:2376 or unix:///path", name)
	}
	return b.apply(store.Metadata{Name: name}, dockercontext.TLSData{}, c, func() error { return b.store.Remove(name) })
}

// Update changes one. Its TLS files go when its new address has no use for them.
func (b *Book) Update(name string, c Change) error {
	if name == Default {
		return errDefault
	}
	m, err := b.load(name)
	if err != nil {
		return err
	}
	tls, err := b.tls(name)
	if err != nil {
		return err
	}
	return b.apply(m, tls, c, func() error { return b.put(m, &tls) })
}

// tls are a context's files, if it has any.
func (b *Book) tls(name string) (dockercontext.TLSData, error) {
	tls, err := dockercontext.LoadTLSData(b.store, name, docker.DockerEndpoint)
	if err != nil || tls == nil {
		return dockercontext.TLSData{}, err
	}
	return *tls, nil
}

var errDefault = errors.New("default: it is what the environment says and has no entry to change; create another: pulley context create NAME URL")

// ErrInUse is in the error about removing the context that docker uses.
var ErrInUse = errors.New("docker uses it")

// Removable is whether Remove would remove a context.
func (b *Book) Removable(name string, force bool) error {
	if name == Default {
		return errDefault
	}
	if _, err := b.load(name); errors.Is(err, ErrNotFound) || err != nil && !force {
		return err
	}
	if force {
		return nil
	}
	winner, err := b.Winner("")
	if err != nil {
		return err
	}
	current, err := b.current()
	if err != nil {
		return err
	}
	switch {
	case current == name:
		return fmt.Errorf("%s: %w; first: pulley context use %s, or add --force", name, ErrInUse, Default)
	case winner.Name == name:
		return fmt.Errorf("%s: %w, because of %s; first: %s, or add --force", name, ErrInUse, winner.Why, Unset(winner.Why))
	}
	return nil
}

// Remove removes one and its TLS files. The one that wins, or that config.json names, only goes by force; config.json then
// names none. By force goes also one whose file cannot be read.
func (b *Book) Remove(name string, force bool) error {
	if err := b.Removable(name, force); err != nil {
		return err
	}
	current, err := b.current()
	if err != nil {
		return err
	}
	if current == name {
		if err := b.setCurrent(""); err != nil {
			return err
		}
	}
	if err := b.store.Remove(name); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// free wants a name that docker allows and nobody has.
func (b *Book) free(name string) error {
	if name == Default {
		return errDefault
	}
	if err := store.ValidateContextName(name); err != nil {
		return fmt.Errorf("%q: no name for a context; use two or more letters, digits and _ . + -", name)
	}
	_, err := b.load(name)
	switch {
	case err == nil:
		return fmt.Errorf("%s: it exists already; try: pulley context update %s", name, name)
	case errors.Is(err, ErrNotFound):
		return nil
	}
	return err
}

// apply checks everything first, so that a refused change leaves the context as it was; one that cannot be written is taken
// back.
func (b *Book) apply(m store.Metadata, tls dockercontext.TLSData, c Change, back func() error) error {
	refuse := func(err error) error { return fmt.Errorf("%s: %w", m.Name, err) }
	endpoint, _ := m.Endpoints[docker.DockerEndpoint].(docker.EndpointMeta)
	if c.Host != nil {
		if err := checkHost(*c.Host); err != nil {
			return refuse(err)
		}
		endpoint.Host = *c.Host
	}
	files := c.CA != nil || c.Cert != nil || c.Key != nil
	if scheme(endpoint.Host) != "tcp" {
		if given(c.CA) || given(c.Cert) || given(c.Key) {
			return refuse(errors.New("certificates are for tcp:// only; leave --ca, --cert and --key out"))
		}
		files = files || tls.CA != nil || tls.Cert != nil || tls.Key != nil
		tls = dockercontext.TLSData{}
	}
	if err := errors.Join(readPEM("--ca", c.CA, &tls.CA), readPEM("--cert", c.Cert, &tls.Cert), readPEM("--key", c.Key, &tls.Key)); err != nil {
		return refuse(err)
	}
	if (tls.Cert == nil) != (tls.Key == nil) {
		return refuse(errors.New("a certificate needs its key, and a key its certificate; give --cert and --key"))
	}
	if err := checkEndpoint(endpoint, &tls); err != nil {
		return refuse(err)
	}
	if err := annotate(&m, c); err != nil {
		return refuse(err)
	}
	m.Endpoints = maps.Clone(m.Endpoints)
	if m.Endpoints == nil {
		m.Endpoints = map[string]any{}
	}
	m.Endpoints[docker.DockerEndpoint] = endpoint
	changed := &tls
	if !files {
		changed = nil
	}
	if err := b.put(m, changed); err != nil {
		return refuse(errors.Join(err, back()))
	}
	return nil
}

// put writes a context, and its TLS files unless they are nil.
func (b *Book) put(m store.Metadata, tls *dockercontext.TLSData) error {
	if err := b.store.CreateOrUpdate(m); err != nil || tls == nil {
		return err
	}
	return b.store.ResetEndpointTLSMaterial(m.Name, docker.DockerEndpoint, tls.ToStoreTLSData())
}

// annotate changes description and mark; a context's other fields stay.
func annotate(m *store.Metadata, c Change) error {
	f := maps.Clone(metadata(*m))
	if f == nil {
		f = fields{}
	}
	put := func(key string, v any) error {
		raw, err := json.Marshal(v)
		f[key] = raw
		return err
	}
	if c.Description != nil {
		delete(f, "Description")
		if *c.Description != "" {
			if err := put("Description", *c.Description); err != nil {
				return err
			}
		}
	}
	if c.Mark != nil {
		mark := *c.Mark
		delete(f, markKey)
		if mark.Word != "" {
			if err := mark.check(); err != nil {
				return err
			}
			if err := put(markKey, mark); err != nil {
				return err
			}
		}
	}
	m.Metadata = f
	return nil
}

var errAddress = errors.New("its address cannot be read; use ssh://user@host, tcp://host:2376 or unix:///path")

// checkHost wants an address that docker takes. What is wrong with it is said without showing a password.
func checkHost(host string) error {
	u, err := url.Parse(host)
	if err != nil {
		return errAddress
	}
	if _, secret := u.User.Password(); secret {
		return errors.New("a password has no place in an address that is kept in a file; use a key or a certificate")
	}
	switch u.Scheme {
	case "ssh":
		return nil // docker's own parser looks at it
	case "tcp":
		if u.Hostname() == "" || u.Port() == "" {
			return fmt.Errorf("%s: tcp:// wants a host and a port, 2376 with certificates as a rule", redact(host))
		}
	case "unix":
		if u.Host != "" || !filepath.IsAbs(u.Path) {
			return fmt.Errorf("%s: unix:// wants an absolute path: unix:///var/run/docker.sock", redact(host))
		}
	case "npipe":
	default:
		return fmt.Errorf("%s: no address of an engine; use ssh://user@host, tcp://host:2376 or unix:///path", redact(host))
	}
	return nil
}

// checkEndpoint has docker's own client look at an endpoint.
func checkEndpoint(meta docker.EndpointMeta, tls *dockercontext.TLSData) error {
	ep := docker.Endpoint{EndpointMeta: meta}
	if tls.CA != nil || tls.Cert != nil {
		ep.TLSData = tls
	}
	c, err := dial(ep)
	if err != nil {
		return err
	}
	return c.Close()
}

func given(path *string) bool { return path != nil && *path != "" }

// readPEM reads a file into a place, or empties the place.
func readPEM(flag string, path *string, into *[]byte) error {
	if path == nil {
		return nil
	}
	*into = nil
	if *path == "" {
		return nil
	}
	text, err := os.ReadFile(*path)
	if err != nil {
		return fmt.Errorf("%s: %w", flag, err)
	}
	*into = text
	return nil
}
