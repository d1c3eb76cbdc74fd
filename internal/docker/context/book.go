package context

import (
	"encoding/json"
	"errors"
	"fmt"
	"os/user"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/docker/cli/cli/context/docker"
	"github.com/docker/cli/cli/context/store"
	"github.com/fvbommel/sortorder"
)

// Default is the name of the context that is in no store: DOCKER_HOST, or the engine's own place on this machine.
const Default = "default"

// A Book is the contexts of one docker configuration folder. Methods may be called from several goroutines.
type Book struct {
	dir   string
	env   func(string) string
	store *store.ContextStore
}

// Open finds the folder as docker does: DOCKER_CONFIG, else .docker in the person's home. environ has the form of
// os.Environ. It reads and creates nothing.
func Open(environ []string) (*Book, error) {
	env := lookuper(environ)
	dir := env("DOCKER_CONFIG")
	if dir == "" {
		home := env(homeVariable)
		if home == "" {
			if me, err := user.Current(); err == nil { // as docker does, where HOME is not set
				home = me.HomeDir
			}
		}
		if home == "" {
			return nil, fmt.Errorf("docker's settings: %s is not set: no folder; set DOCKER_CONFIG to it", homeVariable)
		}
		dir = filepath.Join(home, ".docker")
	}
	return &Book{dir: dir, env: env, store: store.New(filepath.Join(dir, "contexts"), storeConfig())}, nil
}

// fields are a context's metadata. What other programs keep there stays as they wrote it.
type fields map[string]json.RawMessage

func storeConfig() store.Config {
	return store.NewConfig(func() any { return new(fields) },
		store.EndpointTypeGetter(docker.DockerEndpoint, func() any { return new(docker.EndpointMeta) }))
}

func lookuper(environ []string) func(string) string {
	return func(name string) string {
		for _, kv := range slices.Backward(environ) {
			if key, value, ok := strings.Cut(kv, "="); ok && sameVariable(key, name) {
				return value
			}
		}
		return ""
	}
}

// An Entry is one context as a person sees it.
type Entry struct {
	Name        string `json:"name"`
	Kind        Kind   `json:"kind"`
	Host        string `json:"host"` // its URL, without a password
	Description string `json:"description,omitempty"`
	Mark        *Mark  `json:"mark,omitempty"`
	TLS         bool   `json:"tls,omitempty"`  // it has a CA or a client certificate of its own
	Wins        bool   `json:"wins,omitempty"` // it is the one that docker uses
	Why         string `json:"why,omitempty"`  // of the one that wins: see Winner
	Error       string `json:"error,omitempty"`
}

// List has every context in docker's order, the default one included. Where the one that wins does not exist, it is there
// with an Error.
func (b *Book) List() ([]Entry, error) {
	all, err := b.store.List()
	if err != nil {
		return nil, fmt.Errorf("docker's contexts in %s: %w; repair or remove that file", b.dir, err)
	}
	winner, err := b.Winner("")
	if err != nil {
		return nil, err
	}
	list := []Entry{b.standard()}
	for _, m := range all {
		list = append(list, b.entry(m))
	}
	found := false
	for i := range list {
		if list[i].Name == winner.Name {
			list[i].Wins, list[i].Why, found = true, winner.Why, true
		}
	}
	if !found {
		list = append(list, Entry{Name: winner.Name, Wins: true, Why: winner.Why, Error: winner.Error})
	}
	slices.SortFunc(list, func(a, b Entry) int {
		if sortorder.NaturalLess(a.Name, b.Name) {
			return -1
		}
		return 1
	})
	return list, nil
}

// Get is one context.
func (b *Book) Get(name string) (Entry, error) {
	if name == Default {
		return b.standard(), nil
	}
	m, err := b.load(name)
	if err != nil {
		return Entry{}, err
	}
	return b.entry(m), nil
}

// ErrNotFound is in the errors about contexts that do not exist.
var ErrNotFound = errors.New("no such context")

func (b *Book) load(name string) (store.Metadata, error) {
	m, err := b.store.GetMetadata(name)
	if errdefs.IsNotFound(err) {
		return m, fmt.Errorf("%s: %w; see: pulley context ls", name, ErrNotFound)
	}
	if err != nil {
		return m, fmt.Errorf("%w; repair or remove that file", err)
	}
	return m, nil
}

func (b *Book) entry(m store.Metadata) Entry {
	e := Entry{Name: m.Name, Kind: Unknown, Mark: markOf(m), Description: describe(m)}
	endpoint, err := docker.EndpointFromContext(m)
	if err != nil {
		e.Error = "it has no docker endpoint; give it one: pulley context update " + m.Name + " --host URL"
		return e
	}
	e.Host, e.Kind = redact(endpoint.Host), kindOf(endpoint.Host)
	files, err := b.store.ListTLSFiles(m.Name)
	if err != nil {
		e.Error = err.Error()
	}
	e.TLS = len(files[docker.DockerEndpoint]) > 0
	return e
}

// standard is the default context.
func (b *Book) standard() Entry {
	endpoint, err := b.standardEndpoint()
	e := Entry{Name: Default, Host: redact(endpoint.Host), Kind: kindOf(endpoint.Host), TLS: endpoint.TLSData != nil, Description: "this machine's engine"}
	if b.env("DOCKER_HOST") != "" {
		e.Description = "what DOCKER_HOST says"
	}
	if err != nil {
		e.Error = err.Error()
	}
	return e
}

func metadata(m store.Metadata) fields {
	f, _ := m.Metadata.(fields)
	return f
}

func describe(m store.Metadata) (text string) {
	if err := json.Unmarshal(metadata(m)["Description"], &text); err != nil {
		return ""
	}
	return text
}
