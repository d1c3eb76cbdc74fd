package trust

import (
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pulley/internal/docker/machine"
)

// distributions are what is there on each, and what is run.
var distributions = []struct {
	name, tool string
	folders    []string
	family     int
	add, drop  string
}{
	{"openSUSE", "/usr/sbin/update-ca-certificates", []string{"/etc/pki/trust/anchors"}, 0, "/usr/sbin/update-ca-certificates", "/usr/sbin/update-ca-certificates --fresh"},
	{"Fedora", "/usr/bin/update-ca-trust", []string{"/etc/pki/ca-trust/source/anchors"}, 1, "/usr/bin/update-ca-trust extract", "/usr/bin/update-ca-trust extract"},
	{"Arch", "/usr/bin/update-ca-trust", []string{"/etc/ca-certificates/trust-source/anchors"}, 2, "/usr/bin/update-ca-trust", "/usr/bin/update-ca-trust"},
	{"Arch with p11-kit alone", "/usr/bin/trust", []string{"/etc/ca-certificates/trust-source/anchors"}, 2, "/usr/bin/trust extract-compat", "/usr/bin/trust extract-compat"},
	{"Debian", "/usr/sbin/update-ca-certificates", []string{"/usr/local/share/ca-certificates"}, 3, "/usr/sbin/update-ca-certificates", "/usr/sbin/update-ca-certificates --fresh"},
	{"Debian without the folder", "/usr/sbin/update-ca-certificates", nil, 3, "/usr/sbin/update-ca-certificates", "/usr/sbin/update-ca-certificates --fresh"},
	{"Debian with a stray folder of Fedora's", "/usr/sbin/update-ca-certificates", []string{"/etc/pki/ca-trust/source/anchors"}, 3, "/usr/sbin/update-ca-certificates", "/usr/sbin/update-ca-certificates --fresh"},
}

// on is a computer with one of them.
func on(t *testing.T, i int, facts machine.Facts) *computer {
	t.Helper()
	d := distributions[i]
	facts.OS = machine.Linux
	c := newComputer(t, facts)
	c.file(d.tool, "")
	for _, f := range d.folders {
		c.folder(f)
	}
	f := families[d.family]
	c.updates(f)
	if _, err := c.programs[path.Base(d.tool)](machine.Command{}); err != nil {
		t.Fatal(err)
	}
	return c
}

const debian = 4

func TestDistributions(t *testing.T) {
	for i, d := range distributions {
		t.Run(d.name, func(t *testing.T) {
			c := on(t, i, machine.Facts{Root: true})
			a := newAuthority(t, "docker.io", "10.0.0.1")
			store := Store{Machine: c, Dir: a.dir}
			dir := families[d.family].dir
			bare := c.tree()
			state := func(installed, current bool) {
				t.Helper()
				status, err := store.Status(a.File())
				if err != nil || status.Installed != installed || status.Current != current || len(status.Stores) != 1 || status.Stores[0].Path != dir {
					t.Errorf("%+v, %v", status, err)
				}
				if current && (len(status.Files) != len(a.certs()) || len(status.Stores[0].SHA256) != len(a.certs())) {
					t.Errorf("%+v", status)
				}
			}
			state(false, false)

			plan, err := planned(store, a.File())
			if err != nil || len(plan) != len(a.certs())+1 || !strings.HasSuffix(plan[len(plan)-1], ": "+d.add) {
				t.Errorf("plan: %q, %v", plan, err)
			}
			sameTree(t, c.tree(), bare)
			for range 2 { // the second time there is nothing to do
				if err := store.Install(t.Context(), a.File()); err != nil {
					t.Fatal(err)
				}
			}
			if ran := c.takeRan(); !slices.Equal(ran, []string{d.add}) {
				t.Errorf("ran %q", ran)
			}
			state(true, true)
			names, _ := c.List(dir)
			if len(a.names()) != 3 || !slices.Equal(names, a.names()) {
				t.Errorf("files: %q", names)
			}
			for _, name := range names {
				f, err := c.ReadFile(dir + "/" + name)
				if block, rest := pem.Decode(f.Data); err != nil || f.Mode != 0o644 || block == nil || len(rest) > 0 {
					t.Errorf("%s: %v %v", name, f, err)
				}
			}
			if plan, err := planned(store, a.File()); err != nil || len(plan) > 0 {
				t.Errorf("plan: %q, %v", plan, err)
			}

			a.replaced("docker.io")
			state(true, false)
			if err := store.Install(t.Context(), a.File()); err != nil {
				t.Fatal(err)
			}
			if ran := c.takeRan(); !slices.Equal(ran, []string{d.drop}) {
				t.Errorf("ran %q", ran)
			}
			if names, _ := c.List(dir); !slices.Equal(names, a.names()) {
				t.Errorf("files after the rotation: %q, want %q", names, a.names())
			}
			state(true, true)

			for range 2 {
				if err := store.Uninstall(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			if ran := c.takeRan(); !slices.Equal(ran, []string{d.drop}) {
				t.Errorf("ran %q", ran)
			}
			sameTree(t, c.tree(), bare)
			if _, err := os.Stat(filepath.Join(a.dir, ledgerName)); err == nil {
				t.Error("the memory stays")
			}
		})
	}
}

// The command that a person is told must do what Install and Uninstall do.
func TestTheCommandForRootWorks(t *testing.T) {
	for i, d := range distributions {
		t.Run(d.name, func(t *testing.T) {
			c := on(t, i, machine.Facts{UID: 1000})
			if i%2 == 0 { // the folder may be a group's that the person is in, what is made of it is root's
				c.denied = []string{"/"}
			}
			a := newAuthority(t, "docker.io", "10.0.0.1")
			store := Store{Machine: c, Dir: a.dir}
			bare := c.tree()
			asRoot := func(err error) {
				t.Helper()
				var need *NeedRootError
				if !errors.As(err, &need) || strings.Contains(err.Error(), "\n") {
					t.Fatalf("%v", err)
				}
				tool := path.Base(d.tool)
				if !strings.Contains(need.Command, " && sudo "+tool) {
					t.Errorf("%s", need.Command)
				}
				line := strings.ReplaceAll(need.Command, families[d.family].dir, filepath.Join(c.Dir, families[d.family].dir))
				if strings.Contains(line, " rmdir ") {
					line = strings.NewReplacer(" /usr/local/share", " "+filepath.Join(c.Dir, "/usr/local/share"), " /usr/local", " "+filepath.Join(c.Dir, "/usr/local")).Replace(line)
				}
				line = strings.NewReplacer("sudo "+tool, "true", "sudo ", "").Replace(line)
				if out, err := exec.CommandContext(t.Context(), "sh", "-c", "umask 077; "+line).CombinedOutput(); err != nil {
					t.Fatalf("%s: %v: %s", line, err, out)
				}
				if _, err := c.programs[tool](machine.Command{}); err != nil {
					t.Fatal(err)
				}
			}
			asRoot(store.Install(t.Context(), a.File()))
			if ran := c.takeRan(); len(ran) > 0 {
				t.Errorf("ran %q", ran)
			}
			sure := func() {
				t.Helper()
				if err := store.Install(t.Context(), a.File()); err != nil { // needs no root: it is done
					t.Error(err)
				}
				for _, name := range a.names() {
					if f, err := c.ReadFile(families[d.family].dir + "/" + name); err != nil || f.Mode != 0o644 {
						t.Errorf("%s: %v, %v", name, f.Mode, err)
					}
				}
				if status, err := store.Status(a.File()); err != nil || !status.Current {
					t.Errorf("%+v, %v", status, err)
				}
			}
			sure()
			a.replaced("docker.io")
			plan, err := planned(store, a.File())
			if err != nil || len(plan) != 1 || !strings.Contains(plan[0], "as root: sudo awk") {
				t.Errorf("%q, %v", plan, err)
			}
			asRoot(store.Install(t.Context(), a.File()))
			sure()
			asRoot(store.Uninstall(t.Context()))
			if err := store.Uninstall(t.Context()); err != nil {
				t.Error(err)
			}
			sameTree(t, c.tree(), bare)
		})
	}
}

// foreign are files in the store's folder that are not ours, though they look so.
func foreign(a, other *authority) map[string]string {
	mine := a.certs()[0]
	return map[string]string{
		"pulley.crt":                   string(mine.pem()),
		"pulley-2.crt":                 "somebody else's",
		"pulley-corp.crt":              "somebody else's",
		"pulley-0123456789abcdef.crt":  "nonsense",
		"pulley-0123456789ABCDEF.crt":  string(mine.pem()),
		"pulley-fedcba9876543210.crt":  string(mine.pem()),                                    // ours, under another name
		other.names()[0]:               string(mine.pem()),                                    // ours, under somebody else's
		other.certs()[1].file() + ".x": string(other.certs()[1].pem()),                        // no such name
		"x" + other.certs()[0].file():  string(other.certs()[0].pem()),                        // the same
		other.certs()[1].file():        string(other.certs()[1].pem()) + string(a.PEM()),      // more than one
		"pulley-00000000000000aa.crt":  "# note\n" + string(other.certs()[0].pem()) + "note ", // with notes
	}
}

func TestForeignFilesAreNotTouched(t *testing.T) {
	a, other := newAuthority(t, "docker.io"), newAuthority(t, "ghcr.io")
	c := on(t, debian, machine.Facts{Root: true})
	dir := families[3].dir
	for name, content := range foreign(a, other) {
		c.file(dir+"/"+name, content)
	}
	links := newAuthority(t, "quay.io")
	c.file("/opt/"+links.names()[0], string(links.certs()[0].pem()))
	for _, name := range links.names() { // links with such names, also to such files, are a person's
		if err := os.Symlink("/opt/"+links.names()[0], filepath.Join(c.Dir, dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	c.folder(dir + "/pulley-1111111111111111.crt")
	_, _ = c.programs["update-ca-certificates"](machine.Command{})
	before := c.tree()
	store := Store{Machine: c, Dir: a.dir}
	if err := store.Install(t.Context(), a.File()); err != nil {
		t.Fatal(err)
	}
	// The person's own files hold our CA: it is still trusted, and we say so instead of taking them.
	if err := store.Uninstall(t.Context()); err == nil || !strings.Contains(err.Error(), "something else") {
		t.Errorf("%v", err)
	}
	sameTree(t, c.tree(), before)
}

func TestAForeignFileInOurPlaceIsNotOverwritten(t *testing.T) {
	a := newAuthority(t, "docker.io")
	for _, put := range []func(c *computer, name string){
		func(c *computer, name string) { c.file(name, "somebody else's") },
		func(c *computer, name string) { c.folder(name) },
		func(c *computer, name string) {
			c.file("/opt/theirs", "somebody else's")
			if err := os.Symlink("/opt/theirs", filepath.Join(c.Dir, name)); err != nil {
				t.Fatal(err)
			}
		},
	} {
		c := on(t, debian, machine.Facts{Root: true})
		name := families[3].dir + "/" + a.names()[0]
		put(c, name)
		_, _ = c.programs["update-ca-certificates"](machine.Command{})
		before := c.tree()
		store := Store{Machine: c, Dir: a.dir}
		if err := store.Install(t.Context(), a.File()); err == nil || !strings.Contains(err.Error(), name+" is not Pulley's") {
			t.Errorf("%v", err)
		}
		if status, err := store.Status(a.File()); err != nil || status.Current {
			t.Errorf("%+v, %v", status, err)
		}
		if err := store.Uninstall(t.Context()); err != nil {
			t.Error(err)
		}
		sameTree(t, c.tree(), before)
	}
}

// FuzzForeignFile puts any file into the folder: it is ours only if it is byte for byte what we write there.
func FuzzForeignFile(f *testing.F) {
	data, err := os.ReadFile("testdata/ca.crt") // of two Pulleys
	if err != nil {
		f.Fatal(err)
	}
	ours := lookAll(data)
	for i, c := range ours {
		f.Add(c.file(), c.pem())
		f.Add(c.file(), ours[(i+1)%len(ours)].pem())
		f.Add(c.file(), append(c.pem(), c.pem()...))
		f.Add(strings.ToUpper(c.file()), c.pem())
	}
	f.Add("pulley-0123456789abcdef.crt", []byte("x"))
	f.Add("pulley.crt", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"))
	c := newComputer(f, machine.Facts{OS: machine.Linux, Root: true})
	c.file("/usr/sbin/update-ca-certificates", "")
	dir := c.folder(families[3].dir)
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		if name != path.Base(name) || strings.ContainsAny(name, "/\x00") || name == "." || name == ".." || len(name) > 100 {
			return
		}
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, content, 0o600); err != nil {
			return
		}
		defer os.Remove(file)
		w, err := Store{Machine: c}.work("")
		if err != nil {
			t.Fatal(err)
		}
		entries, err := w.anchors().list(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := slices.ContainsFunc(ours, func(c *cert) bool {
			return c.file() == name && strings.TrimSpace(string(c.pem())) == strings.TrimSpace(strings.ReplaceAll(string(content), "\r", ""))
		})
		for _, e := range entries { // another wrapping of the same certificate is the same
			if !want && (e.cert.file() != name || !slices.ContainsFunc(ours, e.cert.same)) {
				t.Errorf("%q is taken for ours", name)
			}
		}
		if want && len(entries) != 1 {
			t.Errorf("%q is not taken for ours", name)
		}
	})
}

// Two Pulleys on one machine, of two people or in two folders, leave each other's CAs alone.
func TestAnotherPulleysStay(t *testing.T) {
	c := on(t, debian, machine.Facts{Root: true})
	bare := c.tree()
	a, b := newAuthority(t, "docker.io"), newAuthority(t, "docker.io")
	for _, x := range []*authority{a, b, a} {
		if err := (Store{Machine: c}).Install(t.Context(), x.File()); err != nil {
			t.Fatal(err)
		}
	}
	for _, x := range []*authority{a, b} {
		if status, err := (Store{Machine: c}).Status(x.File()); err != nil || !status.Current || len(status.Files) != len(x.certs()) {
			t.Errorf("%+v, %v", status, err)
		}
	}
	results, err := Store{Machine: c, Dir: a.dir}.Withdraw(t.Context())
	if err != nil || Failed(results) != nil || len(results) != 1 || !strings.Contains(results[0].Detail, "untrust --all") {
		t.Errorf("%+v, %v", results, err)
	}
	if status, err := (Store{Machine: c}).Status(b.File()); err != nil || !status.Current {
		t.Errorf("%+v, %v", status, err)
	}
	if err := (Store{Machine: c, Dir: a.dir, All: true}).Uninstall(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameTree(t, c.tree(), bare)
}

// A store that was left half done, by a kill or a program that failed, is put right by the next call.
func TestHalfDoneIsPutRight(t *testing.T) {
	c := on(t, debian, machine.Facts{Root: true})
	bare := c.tree()
	a := newAuthority(t, "docker.io")
	store := Store{Machine: c, Dir: a.dir}
	works := c.programs["update-ca-certificates"]
	fails := func(machine.Command) ([]byte, error) {
		return nil, &machine.ExitError{Program: "update-ca-certificates", Status: 1, Stderr: "one\nno space left\n"}
	}
	c.programs["update-ca-certificates"] = fails
	if err := store.Install(t.Context(), a.File()); err == nil || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("%v", err)
	}
	if status, err := store.Status(a.File()); err != nil || !status.Installed || status.Current {
		t.Errorf("%+v, %v", status, err)
	}
	c.programs["update-ca-certificates"] = works
	if err := store.Install(t.Context(), a.File()); err != nil {
		t.Error(err)
	}
	if status, err := store.Status(a.File()); err != nil || !status.Current {
		t.Errorf("%+v, %v", status, err)
	}
	c.programs["update-ca-certificates"] = fails
	if err := store.Uninstall(t.Context()); err == nil {
		t.Error("no error")
	}
	c.programs["update-ca-certificates"] = works
	if err := store.Uninstall(t.Context()); err != nil {
		t.Error(err)
	}
	sameTree(t, c.tree(), bare)

	// A program that runs and does nothing, as with a certificate that is blocked, is not believed.
	c.programs["update-ca-certificates"] = func(machine.Command) ([]byte, error) { return nil, nil }
	if err := store.Install(t.Context(), a.File()); err == nil || !strings.Contains(err.Error(), "still does not trust") {
		t.Errorf("%v", err)
	}
}
