package trust

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"pulley/internal/docker/machine"
)

// store is one place with trusted roots.
type store interface {
	where() Where
	// list has what is there and looks like Pulley's.
	list(ctx context.Context) ([]entry, error)
	// change is what makes the difference. With nothing to add or take out it makes the store take up what is there.
	change(d diff) []step
	// asRoot is a line for a root shell that does the same. pemFile may be "" when nothing is added.
	asRoot(pemFile string, d diff) string
	// folders are those that change would make.
	folders() []string
}

// entry is a certificate in a store.
type entry struct {
	cert    *cert
	trusted bool   // the store's own programs say so
	foreign bool   // somebody else put it there, in another way than we do
	loose   bool   // nothing keeps it there: the store's next change drops it, or somebody else's file holds it
	file    string // where it is, if it is a file
}

// step is one thing to do.
type step struct {
	text string // for a person
	do   func(ctx context.Context) error
}

// diff is between what is in a store and what should be.
type diff struct {
	want   []*cert // all that should be there
	add    []*cert
	mend   []*cert // there, but not trusted
	remove []entry
	had    []entry // ours, before
	made   []string
	good   []*cert // wanted and trusted, by whatever means
}

func (d diff) current() bool { return len(d.add)+len(d.mend)+len(d.remove) == 0 }

// compare says what w would change in a store.
func (w *work) compare(ctx context.Context, st store) (diff, error) {
	d := diff{want: w.want, made: w.book.Folders}
	entries, err := st.list(ctx)
	if err != nil {
		return d, err
	}
	for _, c := range w.want {
		i := slices.IndexFunc(entries, func(e entry) bool { return e.cert.same(c) })
		switch {
		case i < 0:
			d.add = append(d.add, c)
		case !entries[i].trusted:
			d.mend = append(d.mend, c)
		case entries[i].loose:
			d.add, d.good = append(d.add, c), append(d.good, c)
		default:
			d.good = append(d.good, c)
		}
	}
	for _, e := range entries {
		if e.foreign || !w.ours(e.cert) {
			continue
		}
		if !e.loose || len(w.want) == 0 {
			d.had = append(d.had, e)
		}
		if !slices.ContainsFunc(w.want, e.cert.same) {
			d.remove = append(d.remove, e)
		}
	}
	return d, nil
}

// install makes one store hold exactly what is wanted.
func (w *work) install(ctx context.Context, st store) Result {
	r := Result{Where: st.where()}
	d, err := w.compare(ctx, st)
	if err != nil {
		return r.fail(err)
	}
	if d.current() {
		r.Done, r.Detail = true, "trusted already"
		return r
	}
	if err := w.perform(ctx, st, d); err != nil {
		return r.fail(err)
	}
	r.Changed = true
	if d, err = w.compare(ctx, st); err == nil && !d.current() {
		err = fmt.Errorf("%s: it was changed, but still does not trust the local CAs; is one of them blocked there?", r.Store)
	}
	if err != nil {
		return r.fail(err)
	}
	r.Done, r.Detail = true, "trusted"
	return r
}

// uninstall takes out of one store what is ours; had says that there was something.
func (w *work) uninstall(ctx context.Context, st store) (r Result, had bool) {
	r = Result{Where: st.where()}
	d, err := w.compare(ctx, st)
	if err != nil {
		return r.fail(err), true
	}
	if len(d.remove) > 0 {
		if err := w.perform(ctx, st, d); err != nil {
			return r.fail(err), true
		}
		r.Changed, r.Detail = true, "no longer trusted"
	}
	entries, err := st.list(ctx)
	if err != nil {
		return r.fail(err), true
	}
	others := 0
	for _, e := range entries {
		switch {
		case e.foreign:
		case w.ours(e.cert):
			return r.fail(fmt.Errorf("%s: still trusts %s, which something else than Pulley put there", r.Store, e.cert.name)), true
		default:
			others++
		}
	}
	r.Done = true
	if others > 0 {
		r.Detail = fmt.Sprintf("%d of another Pulley's CAs stay; to take these out too: pulley ca untrust --all", others)
	}
	return r, len(d.had) > 0
}

// perform does what change says, or says who may.
func (w *work) perform(ctx context.Context, st store, d diff) error {
	for _, s := range st.change(d) {
		var err error
		if w.needsRoot(st) && w.facts.OS == machine.Linux {
			// Not tried: a folder that a group may write to (Debian's staff) would take files that nothing takes up.
			err = fs.ErrPermission
		} else {
			err = s.do(ctx)
		}
		if errors.Is(err, fs.ErrPermission) && st.where().Kind == System && !w.facts.Root {
			return &NeedRootError{Path: st.where().Path, Command: st.asRoot(w.pemFile, d), Windows: w.facts.OS == machine.Windows}
		}
		if err != nil {
			return fmt.Errorf("%s: %w", st.where().Store, err)
		}
	}
	return nil
}

func (r Result) fail(err error) Result {
	r.Err, r.Error, r.Command = err, err.Error(), byHand(err)
	return r
}

// state is how one store stands, and the files of ours in it.
func (w *work) state(ctx context.Context, st store) (Standing, []string) {
	s := Standing{Where: st.where(), Detail: "not trusted by " + st.where().Store + "; run: pulley ca trust"}
	d, err := w.compare(ctx, st)
	if err != nil {
		s.Detail = err.Error()
		return s, nil
	}
	var files []string
	for _, e := range d.had {
		if e.file != "" {
			files = append(files, e.file)
		}
	}
	for _, c := range d.good {
		s.SHA256 = append(s.SHA256, c.sha256())
	}
	s.Installed, s.Trusted = len(d.had) > 0, len(d.good) == len(w.want) && len(d.remove) == 0
	switch {
	case s.Trusted:
		s.Detail = "trusted by " + s.Store
	case s.Installed:
		s.Detail = s.Store + " trusts another state of the local CAs; run: pulley ca trust"
	}
	return s, files
}

// all are the stores of the machine that can be looked into.
func (w *work) all() []store {
	var stores []store
	switch w.facts.OS {
	case machine.Linux:
		if a := w.anchors(); a != nil {
			stores = append(stores, a)
		}
	case machine.Darwin:
		stores = w.keychains()
	case machine.Windows:
		stores = w.rootStores()
	}
	if !w.sudo && !w.NoBrowsers && w.tool("certutil") != "" {
		for _, db := range w.databases() {
			stores = append(stores, db)
		}
	}
	return stores
}

// targets are the stores that Install is for. Where a person has a store of their own it is that one, unless everybody's trusts
// the CAs already; root's is everybody's. The error says that there is none where engines look.
func (w *work) targets(ctx context.Context) ([]store, error) {
	var targets, mine []store
	for _, st := range w.all() {
		switch st.where().Kind {
		case System:
			targets = append(targets, st)
		case User, Browser:
			mine = append(mine, st)
		}
	}
	own := slices.IndexFunc(mine, func(st store) bool { return st.where().Kind == User })
	switch {
	case len(targets) == 0 && own < 0:
		return nil, &ByHandError{Platform: platformName(w.facts.OS), Do: w.help()}
	case own >= 0 && w.facts.Root:
		mine = slices.Delete(mine, own, own+1)
	case own >= 0:
		if d, err := w.compare(ctx, targets[0]); err == nil && d.current() {
			mine = slices.Delete(mine, own, own+1)
		} else {
			targets = nil
		}
	}
	return append(targets, mine...), nil
}

func platformName(os string) string {
	switch os {
	case machine.Linux:
		return "this distribution"
	case machine.Darwin:
		return "macOS"
	case machine.Windows:
		return "Windows"
	}
	return os
}

// help is for systems whose store is not known.
func (w *work) help() string {
	if w.facts.OS == machine.Linux {
		return "install the package ca-certificates, or add " + w.pemFile + " to the trusted roots as your distribution says"
	}
	return "add " + w.pemFile + " to the system's trusted roots"
}

// remember notes what will be put into stores.
func (w *work) remember(stores []store) error {
	var folders []string
	for _, st := range stores {
		folders = append(folders, st.folders()...)
	}
	return w.book.add(w.want, folders)
}

// run runs a program of the machine; what it writes to its standard error is the error's.
func (w *work) run(ctx context.Context, stdin []byte, args ...string) ([]byte, error) {
	return w.m.Run(ctx, machine.Command{Args: args, Stdin: stdin})
}

// command is a step that runs a program.
func (w *work) command(args ...string) step {
	return step{text: commandLine(args), do: func(ctx context.Context) error {
		_, err := w.run(ctx, nil, args...)
		return err
	}}
}

// exists says whether there is a file or folder.
func (w *work) exists(path string) bool {
	_, err := w.m.Stat(path)
	return err == nil
}

// tool is the path of a program on Linux or macOS; "" if there is none. The folders for root's programs are not on everybody's PATH.
func (w *work) tool(name string) string {
	if w.facts.OS == machine.Windows {
		return ""
	}
	dirs := append(strings.Split(w.m.Getenv("PATH"), ":"), "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/local/sbin", "/usr/local/bin",
		"/opt/homebrew/opt/nss/bin", "/usr/local/opt/nss/bin")
	for _, dir := range dirs {
		if !strings.HasPrefix(dir, "/") {
			continue
		}
		path := strings.TrimSuffix(dir, "/") + "/" + name
		if info, err := w.m.Stat(path); err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0 {
			return path
		}
	}
	return ""
}
