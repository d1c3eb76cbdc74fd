// Package trust puts Pulley's local CAs into the stores that programs take their trusted roots from, takes them out again
// and says how things stand: the system's store on Linux (update-ca-certificates, p11-kit), the keychains of macOS, the
// Root stores of Windows, and the NSS databases of browsers.
//
// A store is found by the tools and folders that are there, on a [machine.Machine], so that every platform's commands can be
// tested on any of them. What is in a store is compared by certificate, never by name alone: only certificates that look
// like Pulley's, are where Pulley puts them and are remembered as put there are ever taken out. A folder's file "trusted"
// beside the CAs is that memory.
//
// It must not know how the CAs are made or what they are used for: it is given a PEM file.
package trust

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"pulley/internal/docker/machine"
)

// Kind says whose programs look into a store.
type Kind string

// Kinds of stores. Engines look into the first two, unless they bring their own roots.
const (
	System  Kind = "system"  // everybody's on this machine
	User    Kind = "user"    // all programs of one person
	Browser Kind = "browser" // browsers of one person, which do not look elsewhere
)

// Where names a store.
type Where struct {
	Store string `json:"store"` // for people: "system (update-ca-certificates)"
	Kind  Kind   `json:"kind"`
	Path  string `json:"path,omitempty"` // folder, keychain or database
}

// Standing is how one store stands.
type Standing struct {
	Where
	Installed bool   `json:"installed"` // something of ours is in it
	Trusted   bool   `json:"trusted"`   // it trusts exactly what the PEM file holds: looked up, not assumed
	Detail    string `json:"detail"`    // one line for a person
	// SHA256 are those certificates of the PEM file that it trusts, whoever put them there, in hexadecimal.
	SHA256 []string `json:"sha256,omitempty"`
}

// Status says how all stores stand. Its own fields are those of the store that engines look into.
type Status struct {
	Installed bool     // something of ours is in the store
	Current   bool     // and it is exactly what the PEM file holds
	Files     []string // what is ours in the store, where it consists of files
	Detail    string   // one line for a person
	Stores    []Standing
}

// Result is what became of one store.
type Result struct {
	Where
	Done    bool   `json:"done"`              // it stands as was asked
	Changed bool   `json:"changed"`           // and did not before
	Detail  string `json:"detail,omitempty"`  // one line for a person
	Command string `json:"command,omitempty"` // does it, for a person who may: one line for a shell
	Err     error  `json:"-"`
	Error   string `json:"error,omitempty"` // Err in words
}

// Store is the whole of a machine's trust stores. The zero value is this machine's, and takes every Pulley's CAs for its own.
// Methods must not run concurrently on the same machine.
type Store struct {
	// Machine is the computer; nil is this one.
	Machine machine.Machine
	// Dir is the folder of the CAs, on the computer that this program runs on. What was put into stores is remembered there,
	// and nothing else is taken out. "" is the PEM file's folder where there is one, and otherwise no memory: then All holds.
	Dir string
	// All takes what looks like a Pulley's CA for ours even if Dir does not remember it.
	All bool
	// NoBrowsers leaves the browsers' databases alone: no engine looks there.
	NoBrowsers bool
}

// Install makes all stores trust the certificates of pemFile, and no others of ours. A store that fails does not keep it
// from the others: the error is of all that failed, a *NeedRootError or *ByHandError among them where that is the cause.
func (s Store) Install(ctx context.Context, pemFile string) error {
	results, err := s.Apply(ctx, pemFile)
	if err != nil {
		return err
	}
	return Failed(results)
}

// Uninstall takes out all that Install put in. It is no error if there is nothing.
func (s Store) Uninstall(ctx context.Context) error {
	results, err := s.Withdraw(ctx)
	if err != nil {
		return err
	}
	return Failed(results)
}

// Apply is Install, store by store. The error says that none was touched.
func (s Store) Apply(ctx context.Context, pemFile string) ([]Result, error) {
	w, err := s.work(pemFile)
	if err != nil {
		return nil, err
	}
	stores, err := w.targets(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.remember(stores); err != nil {
		return nil, err
	}
	results := make([]Result, 0, len(stores))
	for _, st := range stores {
		results = append(results, w.install(ctx, st))
	}
	if why := w.leftAlone(); why != "" {
		results = append(results, Result{Where: browsers, Detail: why})
	}
	return results, nil
}

// Withdraw is Uninstall, store by store. Stores that hold nothing of ours are left out.
func (s Store) Withdraw(ctx context.Context) ([]Result, error) {
	w, err := s.work("")
	if err != nil {
		return nil, err
	}
	results, clean := []Result{}, !s.NoBrowsers
	for _, st := range w.all() {
		r, had := w.uninstall(ctx, st)
		clean = clean && r.Err == nil
		if had || r.Err != nil || r.Detail != "" {
			results = append(results, r)
		}
	}
	if why := w.leftAlone(); why != "" && (len(w.book.Certificates) > 0 || w.All || w.Dir == "") {
		results = append(results, Result{Where: browsers, Detail: why})
		clean = false
	}
	if clean {
		w.book.forget()
	}
	return results, nil
}

// Deed is one thing that Install would do.
type Deed struct {
	Where
	What string `json:"what"`           // a command, or what is done: for people
	Root bool   `json:"root,omitempty"` // only root, or an administrator, may: What is the command for them

	who string
}

// Lines say deeds, a line each.
func Lines(deeds []Deed) []string {
	lines := make([]string, len(deeds))
	for i, d := range deeds {
		lines[i] = d.Store + ": " + d.What
		if d.Root {
			lines[i] = d.Store + ": as " + d.who + ": " + d.What
		}
	}
	return lines
}

// Deeds are what Install would do, none when there is nothing to do.
func (s Store) Deeds(pemFile string) ([]Deed, error) {
	ctx := context.Background()
	w, err := s.work(pemFile)
	if err != nil {
		return nil, err
	}
	stores, err := w.targets(ctx)
	if err != nil {
		return nil, err
	}
	var deeds []Deed
	for _, st := range stores {
		d, err := w.compare(ctx, st)
		if err != nil {
			return deeds, err
		}
		if d.current() {
			continue
		}
		if w.needsRoot(st) {
			deeds = append(deeds, Deed{Where: st.where(), What: st.asRoot(w.pemFile, d), Root: true, who: w.superuser()})
			continue
		}
		for _, step := range st.change(d) {
			deeds = append(deeds, Deed{Where: st.where(), What: step.text})
		}
	}
	return deeds, nil
}

// Status compares the stores with pemFile. A store that cannot be read says so in its own Detail.
func (s Store) Status(pemFile string) (Status, error) {
	ctx := context.Background()
	w, err := s.work(pemFile)
	if err != nil {
		return Status{}, err
	}
	status := Status{Detail: "not trusted by the system; run: pulley ca trust"}
	for _, st := range w.all() {
		state, files := w.state(ctx, st)
		status.Stores = append(status.Stores, state)
		if state.Kind == Browser {
			continue
		}
		status.Files = append(status.Files, files...)
		if state.Trusted && !status.Current || state.Installed && !status.Installed {
			status.Detail = state.Detail
		}
		status.Installed = status.Installed || state.Installed
		status.Current = status.Current || state.Trusted
	}
	if _, err := w.targets(ctx); err != nil {
		status.Detail = err.Error()
	}
	return status, nil
}

// Install is Store.Install for this machine.
func Install(pemFile string) error { return Store{}.Install(context.Background(), pemFile) }

// Uninstall is Store.Uninstall for this machine, and takes out the CAs of every Pulley.
func Uninstall() error { return Store{}.Uninstall(context.Background()) }

// State is Store.Status for this machine.
func State(pemFile string) (Status, error) { return Store{}.Status(pemFile) }

// work is one call of a Store's methods.
type work struct {
	Store
	m       machine.Machine
	facts   machine.Facts
	sudo    bool // root is a person behind sudo, whose own stores are not root's to write
	pemFile string
	want    []*cert
	book    *ledger
}

func (s Store) work(pemFile string) (*work, error) {
	w := &work{Store: s, m: s.Machine}
	if w.m == nil {
		w.m = &machine.Local{}
	}
	w.facts = w.m.Facts()
	w.sudo = w.facts.Root && w.facts.UID > 0
	if pemFile != "" {
		abs, err := filepath.Abs(pemFile)
		if err != nil {
			return nil, fmt.Errorf("trust store: %w", err)
		}
		w.pemFile = abs
		if w.Dir == "" {
			w.Dir = filepath.Dir(abs)
		}
		if w.want, err = certificates(abs); err != nil {
			return nil, err
		}
	}
	var err error
	w.book, err = openLedger(w.Dir)
	return w, err
}

// ours says whether a certificate was put into stores by us.
func (w *work) ours(c *cert) bool {
	return w.All || w.Dir == "" || w.book.has(c) || slices.ContainsFunc(w.want, c.same)
}

// needsRoot says whether a store is out of this process's reach.
func (w *work) needsRoot(st store) bool { return st.where().Kind == System && !w.facts.Root }

func (w *work) superuser() string {
	if w.facts.OS == machine.Windows {
		return "administrator"
	}
	return "root"
}

// Failed is one error, and one line, of all that failed; nil if none did.
func Failed(results []Result) error {
	var all severalError
	for _, r := range results {
		if r.Err != nil {
			all = append(all, r.Err)
		}
	}
	switch len(all) {
	case 0:
		return nil
	case 1:
		return all[0]
	}
	return all
}

// severalError stays one line.
type severalError []error

func (e severalError) Error() string {
	words := make([]string, len(e))
	for i, err := range e {
		words[i] = err.Error()
	}
	return strings.Join(words, "; ")
}

func (e severalError) Unwrap() []error { return e }

// NeedRootError says that a store belongs to root, or to the administrator.
type NeedRootError struct {
	Path    string // what could not be written
	Command string // does the same as root; one line for a shell
	Windows bool   // the shell is an administrator's prompt
}

func (e *NeedRootError) Error() string {
	if e.Windows {
		return fmt.Sprintf("system trust store: %s is the administrator's; in an administrator's prompt run: %s", e.Path, e.Command)
	}
	return fmt.Sprintf("system trust store: %s is root's; run: %s", e.Path, e.Command)
}

// ByHandError says that this platform's store is not Pulley's to change.
type ByHandError struct {
	Platform string
	Do       string // what to do, a command where there is one
}

func (e *ByHandError) Error() string {
	return fmt.Sprintf("system trust store: not automatic on %s; by hand: %s", e.Platform, e.Do)
}

// byHand reports whether err leaves the rest to a person who knows how.
func byHand(err error) string {
	var root *NeedRootError
	if errors.As(err, &root) {
		return root.Command
	}
	return ""
}
