package trust

import (
	"context"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"pulley/internal/docker/machine"
)

// database is an NSS database: the roots of a Firefox profile, or of Chromium and its family on Linux. It is changed by NSS's own
// certutil; where that is not installed, databases are left alone. Windows's certutil is another program, and Firefox there reads
// the system's store (security.enterprise_roots.enabled), as it does on macOS since release 120.
type database struct {
	w    *work
	tool string
	dir  string
	of   string // whose it is
}

// databasePlaces are where databases lie below a person's home, "*" being any one name. snap and flatpak give each program a
// home of its own. Chromium has its database where XDG_DATA_HOME points, since version 146, unless it has an older one.
var databasePlaces = []struct{ pattern, of string }{
	{".pki/nssdb", "Chromium"},
	{".local/share/pki/nssdb", "Chromium"},
	{"snap/*/current/.pki/nssdb", "Chromium"},
	{"snap/*/current/.local/share/pki/nssdb", "Chromium"},
	{".var/app/*/.pki/nssdb", "Chromium"},
	{".var/app/*/data/pki/nssdb", "Chromium"},
	{".mozilla/firefox/*", "Firefox"},
	{".config/mozilla/firefox/*", "Firefox"},
	{"snap/firefox/common/.mozilla/firefox/*", "Firefox"},
	{".var/app/org.mozilla.firefox/.mozilla/firefox/*", "Firefox"},
	{".var/app/org.mozilla.firefox/config/mozilla/firefox/*", "Firefox"},
	{".librewolf/*", "LibreWolf"},
	{"Library/Application Support/Firefox/Profiles/*", "Firefox"},
}

// browsers stands for databases that were left alone.
var browsers = Where{Store: "browsers", Kind: Browser}

// databases are those of the person, whether or not there is a certutil for them.
func (w *work) databases() []*database {
	if w.facts.OS == machine.Windows || w.facts.Home == "" {
		return nil
	}
	tool := w.tool("certutil")
	var found []*database
	for _, p := range databasePlaces {
		dirs := w.glob(w.facts.Home, strings.Split(p.pattern, "/"))
		if data := w.m.Getenv("XDG_DATA_HOME"); path.IsAbs(data) && p.pattern == ".local/share/pki/nssdb" {
			dirs = []string{path.Join(data, "pki/nssdb")}
		}
		for _, dir := range dirs {
			if w.exists(dir + "/cert9.db") { // older ones, cert8.db, have no reader left
				found = append(found, &database{w: w, tool: tool, dir: dir, of: p.of})
			}
		}
	}
	return found
}

// leftAlone says why the person's databases are not looked into; "" if they are, if there are none, or if nobody asked.
func (w *work) leftAlone() string {
	switch {
	case w.NoBrowsers:
		return ""
	case w.sudo:
		return "left alone: what a person's browsers trust is not root's to say; run it again without sudo"
	case w.tool("certutil") == "" && len(w.databases()) > 0:
		return "left alone: certutil is missing, which changes what they trust; install libnss3-tools (Debian, Ubuntu), nss-tools (Fedora, Alpine) or nss (Arch, Homebrew)"
	}
	return ""
}

// glob lists the folders below dir that parts lead to.
func (w *work) glob(dir string, parts []string) []string {
	if len(parts) == 0 {
		return []string{dir}
	}
	if parts[0] != "*" {
		return w.glob(dir+"/"+parts[0], parts[1:])
	}
	names, err := w.m.List(dir)
	if err != nil {
		return nil
	}
	var dirs []string
	for _, name := range names {
		dirs = append(dirs, w.glob(dir+"/"+name, parts[1:])...)
	}
	return dirs
}

func (db *database) where() Where {
	name := path.Base(db.dir)
	if db.of == "Chromium" {
		name = db.dir
	}
	return Where{Store: db.of + " (" + name + ")", Kind: Browser, Path: db.dir}
}

func (db *database) folders() []string { return nil }

// nickname is one line of `certutil -L`: a name, and trust for TLS, mail and code.
var nickname = regexp.MustCompile(`(?m)^(.*\S)\s+[a-zA-Z]*,[a-zA-Z]*,[a-zA-Z]*\s*$`)

func (db *database) list(ctx context.Context) ([]entry, error) {
	out, err := db.w.run(ctx, nil, db.args("-L")...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", db.where().Store, err)
	}
	var entries []entry
	for _, m := range nickname.FindAllStringSubmatch(string(out), -1) {
		if !strings.Contains(m[1], commonName) {
			continue
		}
		found, err := db.named(ctx, m[1])
		if err != nil {
			return nil, err
		}
		entries = append(entries, found...)
	}
	return entries, nil
}

// named has the certificates of one nickname. One that we put there has its subject's common name for it: Firefox and Chromium
// call what a person imported otherwise.
func (db *database) named(ctx context.Context, nick string) ([]entry, error) {
	out, err := db.w.run(ctx, nil, db.args("-L", "-n", nick, "-a")...)
	if err != nil {
		return nil, fmt.Errorf("%s: %s: %w", db.where().Store, nick, err)
	}
	certs := lookAll(out)
	if len(certs) == 0 {
		return nil, nil
	}
	_, err = db.w.run(ctx, nil, db.args("-V", "-n", nick, "-u", "L")...) // L: an authority for TLS servers
	var no *machine.ExitError
	if err != nil && !errors.As(err, &no) {
		return nil, fmt.Errorf("%s: %w", db.where().Store, err)
	}
	var entries []entry
	for _, c := range certs {
		entries = append(entries, entry{cert: c, trusted: err == nil, foreign: nick != c.name || len(certs) > 1})
	}
	return entries, nil
}

// args are certutil's. An empty password file keeps it from asking at the terminal; a database without a password needs none.
func (db *database) args(args ...string) []string {
	return slices.Concat([]string{db.tool}, args[:1], []string{"-d", "sql:" + db.dir}, args[1:])
}

func (db *database) change(d diff) []step {
	var steps []step
	for _, c := range d.add {
		args := db.args("-A", "-n", c.name, "-t", "C,,", "-a", "-f", "/dev/null")
		steps = append(steps, step{text: commandLine(args), do: func(ctx context.Context) error {
			if out, err := db.w.run(ctx, nil, db.args("-L", "-n", c.name, "-a")...); err == nil && len(out) > 0 {
				return fmt.Errorf("%s is another certificate there; delete it in the browser's settings", c.name)
			}
			_, err := db.w.run(ctx, c.pem(), args...)
			if err != nil { // with a password it is in by now, and not trusted
				_, _ = db.w.run(ctx, nil, db.args("-D", "-n", c.name, "-f", "/dev/null")...)
			}
			return db.explain(err)
		}})
	}
	for _, c := range d.mend {
		args := db.args("-M", "-n", c.name, "-t", "C,,", "-f", "/dev/null")
		steps = append(steps, step{text: commandLine(args), do: func(ctx context.Context) error {
			_, err := db.w.run(ctx, nil, args...)
			return db.explain(err)
		}})
	}
	for _, e := range d.remove {
		args := db.args("-D", "-n", e.cert.name, "-f", "/dev/null")
		steps = append(steps, step{text: commandLine(args), do: func(ctx context.Context) error {
			_, err := db.w.run(ctx, nil, args...)
			return db.explain(err)
		}})
	}
	return steps
}

// explain says what helps where a person's password is needed, which Pulley does not ask for.
func (db *database) explain(err error) error {
	if err != nil && strings.Contains(err.Error(), "SEC_ERROR_BAD_PASSWORD") {
		return errors.New("a password protects its certificates; in the browser's settings, import the file that this writes: pulley ca export")
	}
	return err
}

// asRoot is not needed: a database is the person's own.
func (db *database) asRoot(string, diff) string { return "" }
