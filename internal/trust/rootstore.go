package trust

import (
	"context"
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// rootStore is a Root store of Windows: the machine's, or the person's own, to which Windows adds the machine's when it is read.
// It is changed by Windows's certutil; Windows asks the person in a window before theirs changes.
type rootStore struct {
	w    *work
	kind Kind
	tool string
}

// rootStores are both.
func (w *work) rootStores() []store {
	root := w.m.Getenv("SystemRoot")
	if root == "" {
		root = `C:\Windows`
	}
	tool := root + `\System32\certutil.exe` // NSS has a program of that name, too
	return []store{
		&rootStore{w: w, kind: System, tool: tool},
		&rootStore{w: w, kind: User, tool: tool},
	}
}

func (r *rootStore) where() Where {
	if r.kind == System {
		return Where{Store: "the machine's Root store", Kind: System, Path: `Cert:\LocalMachine\Root`}
	}
	return Where{Store: "your Root store", Kind: User, Path: `Cert:\CurrentUser\Root`}
}

func (r *rootStore) folders() []string { return nil }

func (r *rootStore) args(args ...string) []string {
	if r.kind == User {
		return slices.Concat([]string{r.tool, "-user"}, args)
	}
	return append([]string{r.tool}, args...)
}

// list reads the person's own store as Windows shows it, the machine's included: what is in either is trusted.
func (r *rootStore) list(ctx context.Context) ([]entry, error) {
	certs, err := r.read(ctx)
	if err != nil {
		return nil, err
	}
	var machine []*cert
	if r.kind == User {
		if machine, err = (&rootStore{w: r.w, kind: System, tool: r.tool}).read(ctx); err != nil {
			return nil, err
		}
	}
	var entries []entry
	for _, c := range certs {
		entries = append(entries, entry{cert: c, trusted: true, foreign: slices.ContainsFunc(machine, c.same)})
	}
	return entries, nil
}

// divider stands between certificates in certutil's words, which are in the system's language; a SHA-1 is in none.
var (
	divider = regexp.MustCompile(`(?m)^=+.*=+\s*$`)
	hash    = regexp.MustCompile(`(?i)\b(?:[0-9a-f]{2} ?){19}[0-9a-f]{2}\b`)
)

// read has what looks like Pulley's: certutil's list says which ones may be, and each is then read itself.
func (r *rootStore) read(ctx context.Context) ([]*cert, error) {
	out, err := r.w.run(ctx, nil, r.args("-store", "Root")...)
	if err != nil {
		return nil, err
	}
	var certs []*cert
	for _, part := range divider.Split(string(out), -1) {
		if !strings.Contains(part, commonName) {
			continue
		}
		for _, h := range hash.FindAllString(part, -1) {
			c, err := r.export(ctx, strings.ToUpper(strings.ReplaceAll(h, " ", "")))
			if err != nil {
				return nil, err
			}
			if c != nil && !slices.ContainsFunc(certs, c.same) {
				certs = append(certs, c)
			}
		}
	}
	return certs, nil
}

// export reads one certificate by its thumbprint; nil if it is none of ours.
func (r *rootStore) export(ctx context.Context, thumbprint string) (*cert, error) {
	file, err := r.w.temporary()
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.w.m.Remove(file) }()
	if _, err := r.w.run(ctx, nil, r.args("-f", "-store", "Root", thumbprint, file)...); err != nil {
		return nil, err
	}
	f, err := r.w.m.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if c, ok := look(f.Data); ok && c.thumbprint() == thumbprint {
		return c, nil
	}
	return nil, nil
}

func (r *rootStore) change(d diff) []step {
	var steps []step
	for _, c := range append(d.add, d.mend...) {
		steps = append(steps, step{text: strings.Join(r.args("-addstore", "Root", "<"+c.name+">"), " "), do: func(ctx context.Context) error {
			return r.w.withFile(ctx, c, func(file string) error {
				_, err := r.w.run(ctx, nil, r.args("-addstore", "Root", file)...)
				return err
			})
		}})
	}
	for _, e := range d.remove {
		args := r.args("-delstore", "Root", e.cert.thumbprint())
		s := step{text: strings.Join(args, " "), do: r.w.command(args...).do}
		if r.kind == System && !r.w.facts.Root {
			s.do = refuse
		}
		steps = append(steps, s)
	}
	return steps
}

// refuse stands for what only root may do, where trying would not say so.
func refuse(context.Context) error { return fs.ErrPermission }

func (r *rootStore) asRoot(_ string, d diff) string {
	var lines []string
	for _, e := range d.remove {
		lines = append(lines, "certutil -delstore Root "+e.cert.thumbprint())
	}
	return strings.Join(lines, " && ")
}
