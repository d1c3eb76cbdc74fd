package trust

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pulley/internal/docker/machine"
)

// These tests use NSS's own certutil and vfychain (Debian: libnss3-tools; .ci/need installs it).

// person has a home with browsers.
type person struct {
	t    *testing.T
	home string
	m    *machine.Local // the real one: databases are files of the real programs
}

func newPerson(t *testing.T, facts machine.Facts) *person {
	t.Helper()
	p := &person{t: t, home: t.TempDir()}
	facts.OS, facts.Home = machine.Linux, p.home
	p.m = &machine.Local{As: &facts}
	return p
}

func (p *person) run(name string, args ...string) (string, error) {
	p.t.Helper()
	cmd := exec.CommandContext(p.t.Context(), name, args...)
	cmd.Stdin = strings.NewReader("")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func (p *person) must(name string, args ...string) string {
	p.t.Helper()
	out, err := p.run(name, args...)
	if err != nil {
		p.t.Fatalf("%s %q: %v: %s", name, args, err, out)
	}
	return out
}

// database makes one below the home.
func (p *person) database(place string) string {
	p.t.Helper()
	dir := filepath.Join(p.home, place)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		p.t.Fatal(err)
	}
	p.must("certutil", "-N", "-d", "sql:"+dir, "--empty-password")
	return dir
}

func (p *person) nicknames(dir string) []string {
	p.t.Helper()
	var names []string
	for _, m := range nickname.FindAllStringSubmatch(p.must("certutil", "-L", "-d", "sql:"+dir), -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return names
}

// store is the person's databases alone: the system's store is another test's.
func (p *person) store(a *authority) *work {
	p.t.Helper()
	w, err := Store{Machine: p.m, Dir: a.dir}.work(a.File())
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

func (p *person) install(a *authority) []Result {
	p.t.Helper()
	w := p.store(a)
	if err := w.remember(nil); err != nil {
		p.t.Fatal(err)
	}
	var results []Result
	for _, db := range w.databases() {
		results = append(results, w.install(p.t.Context(), db))
	}
	return results
}

func (p *person) uninstall(a *authority) []Result {
	p.t.Helper()
	w, err := Store{Machine: p.m, Dir: a.dir}.work("")
	if err != nil {
		p.t.Fatal(err)
	}
	var results []Result
	for _, db := range w.databases() {
		r, _ := w.uninstall(p.t.Context(), db)
		results = append(results, r)
	}
	return results
}

// verifies asks NSS both ways, the old one and PKIX, whether a server with that certificate is to be believed.
func (p *person) verifies(dir string, leaf []byte) (bool, string) {
	p.t.Helper()
	file := filepath.Join(p.t.TempDir(), "leaf.pem")
	if err := os.WriteFile(file, leaf, 0o600); err != nil {
		p.t.Fatal(err)
	}
	vfychain := "vfychain"
	if _, err := exec.LookPath(vfychain); err != nil {
		vfychain = "/usr/lib64/nss/unsupported-tools/vfychain" // where Fedora keeps it
	}
	_, chain := p.run(vfychain, "-pp", "-d", "sql:"+dir, "-u", "1", "-a", file)
	p.must("certutil", "-A", "-d", "sql:"+dir, "-n", "the leaf", "-t", ",,", "-a", "-i", file)
	out, old := p.run("certutil", "-V", "-d", "sql:"+dir, "-n", "the leaf", "-u", "V", "-e")
	p.must("certutil", "-D", "-d", "sql:"+dir, "-n", "the leaf")
	if (chain == nil) != (old == nil) {
		p.t.Errorf("vfychain: %v, certutil: %v", chain, old)
	}
	return chain == nil && old == nil, out
}

var browserPlaces = []string{
	".pki/nssdb", ".local/share/pki/nssdb", "snap/chromium/current/.pki/nssdb", "snap/brave/current/.local/share/pki/nssdb",
	".var/app/com.google.Chrome/.pki/nssdb", ".var/app/org.chromium.Chromium/data/pki/nssdb",
	".mozilla/firefox/ab12.default-release", ".config/mozilla/firefox/cd34.default", "snap/firefox/common/.mozilla/firefox/ef56.default",
	".var/app/org.mozilla.firefox/.mozilla/firefox/gh78.default", ".librewolf/ij90.default",
}

func TestBrowsersAreFound(t *testing.T) {
	p := newPerson(t, machine.Facts{UID: 1000})
	for _, place := range append([]string{"elsewhere"}, browserPlaces...) {
		dir := filepath.Join(p.home, place)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cert9.db"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(p.home, ".mozilla/firefox/Crash Reports"), 0o700); err != nil { // no profile
		t.Fatal(err)
	}
	var found []string
	for _, db := range p.store(newAuthority(t, "docker.io")).databases() {
		found = append(found, strings.TrimPrefix(db.dir, p.home+"/"))
	}
	if !slices.Equal(found, browserPlaces) {
		t.Errorf("%q", found)
	}

	p.m.Environ = []string{"XDG_DATA_HOME=" + filepath.Join(p.home, "data")}
	moved := filepath.Join(p.home, "data/pki/nssdb")
	if err := os.MkdirAll(moved, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(moved, "cert9.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if list := p.store(newAuthority(t, "docker.io")).databases(); len(list) < 2 || list[1].dir != moved {
		t.Errorf("with XDG_DATA_HOME: %+v", list)
	}
}

func TestBrowsersBelieveTheirChain(t *testing.T) {
	t.Parallel()
	p := newPerson(t, machine.Facts{UID: 1000})
	var dirs []string
	for _, place := range []string{browserPlaces[0], browserPlaces[6]} {
		dirs = append(dirs, p.database(place))
	}
	a, stranger := newAuthority(t, "docker.io", "ghcr.io"), newAuthority(t, "quay.io")
	// A person's own import, as Firefox names it, and another Pulley's.
	theirs := filepath.Join(t.TempDir(), "theirs.pem")
	if err := os.WriteFile(theirs, stranger.certs()[0].pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("certutil", "-A", "-d", "sql:"+dirs[0], "-n", stranger.certs()[0].name+" - Pulley", "-t", "C,,", "-a", "-i", theirs)
	p.must("certutil", "-A", "-d", "sql:"+dirs[1], "-n", stranger.certs()[0].name, "-t", "C,,", "-a", "-i", theirs)
	before := make([][]string, len(dirs))
	for i, dir := range dirs {
		before[i] = p.nicknames(dir)
	}
	good, evil := a.leaf("docker.io", "registry-1.docker.io"), a.leaf("docker.io", "bank.example")
	if ok, _ := p.verifies(dirs[1], good); ok {
		t.Fatal("believed before")
	}

	for round := range 2 {
		results := p.install(a)
		if len(results) != len(dirs) {
			t.Fatalf("%d databases: %+v", len(results), results)
		}
		for _, r := range results {
			if r.Err != nil || !r.Done || r.Changed != (round == 0) || r.Kind != Browser {
				t.Errorf("round %d: %+v", round, r)
			}
		}
	}
	for _, dir := range dirs {
		if ok, out := p.verifies(dir, good); !ok {
			t.Errorf("%s: %s", dir, out)
		}
		if ok, _ := p.verifies(dir, evil); ok {
			t.Errorf("%s: believes a bank's certificate that our key signed", dir)
		}
	}
	if standing, _ := p.store(a).state(t.Context(), p.store(a).databases()[0]); !standing.Trusted || len(standing.SHA256) != len(a.certs()) {
		t.Errorf("%+v", standing)
	}

	// Trust that was taken away in the browser is seen, and given again.
	p.must("certutil", "-M", "-d", "sql:"+dirs[0], "-n", a.certs()[0].name, "-t", ",,")
	if standing, _ := p.store(a).state(t.Context(), p.store(a).databases()[0]); standing.Trusted || !standing.Installed {
		t.Errorf("%+v", standing)
	}
	p.install(a)
	if ok, out := p.verifies(dirs[0], good); !ok {
		t.Error(out)
	}

	a.replaced("docker.io")
	for _, r := range p.install(a) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
	for i, dir := range dirs {
		want := slices.Clone(before[i])
		for _, c := range a.certs() {
			want = append(want, c.name)
		}
		slices.Sort(want)
		if got := p.nicknames(dir); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", dir, got, want)
		}
		if ok, _ := p.verifies(dir, good); ok {
			t.Errorf("%s: still believes what the old CA signed", dir)
		}
	}
	for _, r := range p.uninstall(a) {
		if r.Err != nil || !r.Done {
			t.Errorf("%+v", r)
		}
	}
	for i, dir := range dirs {
		if got := p.nicknames(dir); !slices.Equal(got, before[i]) {
			t.Errorf("%s: %q, was %q", dir, got, before[i])
		}
	}
}

// A database with a password is the person's to change; the others are done all the same.
func TestADatabaseWithAPasswordSaysSo(t *testing.T) {
	t.Parallel()
	p := newPerson(t, machine.Facts{UID: 1000})
	open, locked := p.database(".mozilla/firefox/a.open"), filepath.Join(p.home, ".mozilla/firefox/b.locked")
	if err := os.MkdirAll(locked, 0o700); err != nil {
		t.Fatal(err)
	}
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("correct horse\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("certutil", "-N", "-d", "sql:"+locked, "-f", password)
	a := newAuthority(t, "docker.io")
	results := p.install(a)
	if len(results) != 2 || results[0].Err != nil || !results[0].Done {
		t.Errorf("%+v", results)
	}
	if r := results[1]; r.Err == nil || !strings.Contains(r.Error, "password") || !strings.Contains(r.Error, "pulley ca export") || r.Done {
		t.Errorf("%+v", r)
	}
	if got := p.nicknames(locked); len(got) > 0 {
		t.Errorf("left: %q", got)
	}
	if got := p.nicknames(open); len(got) != len(a.certs()) {
		t.Errorf("%q", got)
	}
	for _, r := range p.uninstall(a) {
		if r.Err != nil {
			t.Error(r.Err)
		}
	}
}

// Our nickname on somebody else's certificate: it stays, with its trust.
func TestAForeignCertificateUnderOurNameStays(t *testing.T) {
	t.Parallel()
	p := newPerson(t, machine.Facts{UID: 1000})
	dir := p.database(".pki/nssdb")
	a, stranger := newAuthority(t, "docker.io"), newAuthority(t, "quay.io")
	theirs := filepath.Join(t.TempDir(), "theirs.pem")
	if err := os.WriteFile(theirs, stranger.certs()[0].pem(), 0o600); err != nil {
		t.Fatal(err)
	}
	p.must("certutil", "-A", "-d", "sql:"+dir, "-n", a.certs()[0].name, "-t", "C,,", "-a", "-i", theirs)
	if r := p.install(a)[0]; r.Err == nil || !strings.Contains(r.Error, a.certs()[0].name) {
		t.Errorf("%+v", r)
	}
	p.uninstall(a)
	if got := p.nicknames(dir); len(got) != 1 {
		t.Fatalf("%q", got)
	}
	if out := p.must("certutil", "-L", "-d", "sql:"+dir, "-n", a.certs()[0].name, "-a"); len(lookAll([]byte(out))) != 1 || !lookAll([]byte(out))[0].same(stranger.certs()[0]) {
		t.Error(out)
	}
}

func TestBrowsersAreLeftAloneWithAReason(t *testing.T) {
	a := newAuthority(t, "docker.io")
	for _, test := range []struct {
		name  string
		facts machine.Facts
		want  string
		quiet bool
	}{
		{"sudo", machine.Facts{Root: true, UID: 1000}, "without sudo", false},
		{"no certutil", machine.Facts{Root: true}, "libnss3-tools", false},
		{"nobody asked", machine.Facts{Root: true, UID: 1000}, "", true},
	} {
		c := on(t, debian, test.facts)
		c.As.Home = "/home/ann"
		c.file("/home/ann/.pki/nssdb/cert9.db", "")
		store := Store{Machine: c, Dir: a.dir, NoBrowsers: test.quiet}
		results, err := store.Apply(t.Context(), a.File())
		if err != nil || Failed(results) != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if test.want == "" {
			if len(results) != 1 {
				t.Errorf("%s: %+v", test.name, results)
			}
			continue
		}
		if len(results) != 2 || results[1].Done || results[1].Kind != Browser || !strings.Contains(results[1].Detail, test.want) {
			t.Errorf("%s: %+v", test.name, results)
		}
		// What may still be in a database is remembered.
		if results, err := store.Withdraw(t.Context()); err != nil || len(results) != 2 || !strings.Contains(results[1].Detail, test.want) {
			t.Errorf("%s: %+v, %v", test.name, results, err)
		}
		if _, err := os.Stat(filepath.Join(a.dir, ledgerName)); err != nil {
			t.Errorf("%s: forgotten: %v", test.name, err)
		}
	}
}

// One store that fails keeps none of the others from being done.
func TestAStoreThatFailsDoesNotStopTheOthers(t *testing.T) {
	t.Parallel()
	c := on(t, debian, machine.Facts{UID: 1000})
	c.As.Home = "/home/ann"
	c.denied = []string{"/usr/"}
	c.file("/usr/bin/certutil", "")
	c.file("/home/ann/.pki/nssdb/cert9.db", "")
	c.file("/home/ann/.mozilla/firefox/x.default/cert9.db", "")
	real := t.TempDir() // one real database stands behind both, each with its own
	for _, name := range []string{"nssdb", "x.default"} {
		if err := os.Mkdir(filepath.Join(real, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.CommandContext(t.Context(), "certutil", "-N", "-d", "sql:"+filepath.Join(real, name), "--empty-password").CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	outside := &machine.Local{}
	c.programs["certutil"] = func(cmd machine.Command) ([]byte, error) {
		args := slices.Clone(cmd.Args)
		args[0] = "certutil"
		i := slices.Index(args, "-d") + 1
		args[i] = "sql:" + filepath.Join(real, filepath.Base(args[i]))
		return outside.Run(t.Context(), machine.Command{Args: args, Stdin: cmd.Stdin})
	}
	a := newAuthority(t, "docker.io")
	results, err := Store{Machine: c}.Apply(t.Context(), a.File())
	if err != nil || len(results) != 3 {
		t.Fatalf("%+v, %v", results, err)
	}
	if r := results[0]; r.Done || r.Command == "" || r.Err == nil {
		t.Errorf("%+v", r)
	}
	for _, r := range results[1:] {
		if !r.Done || !r.Changed {
			t.Errorf("%+v", r)
		}
	}
	status, err := Store{Machine: c}.Status(a.File())
	if err != nil || status.Current || len(status.Stores) != 3 || status.Stores[0].Trusted || !status.Stores[1].Trusted || !status.Stores[2].Trusted {
		t.Errorf("%+v, %v", status, err)
	}
}
