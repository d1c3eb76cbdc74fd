package trust

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/docker/machine"
	"pulley/proxy/ca"
)

// computer is a machine under a folder of its own, with programs that a test stands in for.
type computer struct {
	*machine.Local
	t      testing.TB
	denied []string // paths below these cannot be written
	ran    []string // command lines
	// programs are called for the program's base name.
	programs map[string]func(c machine.Command) ([]byte, error)
}

func newComputer(t testing.TB, facts machine.Facts) *computer {
	t.Helper()
	c := &computer{t: t, programs: make(map[string]func(machine.Command) ([]byte, error))}
	c.Local = &machine.Local{Dir: t.TempDir(), As: &facts, Environ: []string{"PATH=/usr/bin:/bin", "TMPDIR=/tmp", `TEMP=C:\Temp`, `SystemRoot=C:\Windows`}}
	c.Exec = func(_ context.Context, cmd machine.Command) ([]byte, error) {
		c.ran = append(c.ran, commandLine(cmd.Args))
		name := cmd.Args[0][strings.LastIndexAny(cmd.Args[0], `/\`)+1:]
		run := c.programs[name]
		if run == nil {
			t.Errorf("no program %s", name)
			return nil, errors.New("none")
		}
		return run(cmd)
	}
	return c
}

// WriteFile refuses what is denied, as the system does to whoever is not root.
func (c *computer) WriteFile(path string, data []byte, mode fs.FileMode) ([]string, error) {
	if err := c.deny(path); err != nil {
		return nil, err
	}
	return c.Local.WriteFile(path, data, mode)
}

func (c *computer) Remove(path string) error {
	if err := c.deny(path); err != nil {
		return err
	}
	return c.Local.Remove(path)
}

func (c *computer) deny(path string) error {
	if slices.ContainsFunc(c.denied, func(d string) bool { return strings.HasPrefix(path, d) }) {
		return &fs.PathError{Op: "open", Path: path, Err: fs.ErrPermission}
	}
	return nil
}

// file makes a file, executable if it is a program's.
func (c *computer) file(path, content string) {
	c.t.Helper()
	mode := fs.FileMode(0o644)
	if strings.Contains(path, "bin/") {
		mode = 0o755
	}
	if _, err := c.Local.WriteFile(path, []byte(content), mode); err != nil {
		c.t.Fatal(err)
	}
}

func (c *computer) folder(path string) string {
	c.t.Helper()
	dir := filepath.Join(c.Dir, path)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		c.t.Fatal(err)
	}
	return dir
}

// tree is every file, link and folder of a computer with its content.
func (c *computer) tree() map[string]string {
	c.t.Helper()
	tree := make(map[string]string)
	err := filepath.WalkDir(c.Dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(c.Dir, path)
		switch {
		case e.IsDir():
			tree[name] = "folder"
		case e.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(path)
			tree[name] = "→ " + to
			return err
		default:
			data, err := os.ReadFile(path)
			tree[name] = string(data)
			return err
		}
		return nil
	})
	if err != nil {
		c.t.Fatal(err)
	}
	return tree
}

func sameTree(t *testing.T, got, want map[string]string) {
	t.Helper()
	for name := range maps.Keys(got) {
		if _, ok := want[name]; !ok {
			t.Errorf("left: %s", name)
		}
	}
	for name, content := range want {
		if got[name] != content {
			t.Errorf("changed: %s: %q, was %q", name, got[name], content)
		}
	}
}

// updates stands in for the programs that make the bundle out of a folder.
func (c *computer) updates(f family) {
	for _, tool := range f.tools {
		c.programs[tool[0]] = func(machine.Command) ([]byte, error) {
			var bundle bytes.Buffer
			bundle.WriteString("# a comment\n")
			names, _ := filepath.Glob(filepath.Join(c.Dir, f.dir, "*"))
			for _, name := range names {
				data, err := os.ReadFile(name)
				if err != nil {
					continue // a folder, or a link that leads nowhere
				}
				bundle.Write(append(data, '\n')) // as the real ones do
			}
			c.file(f.bundle, bundle.String())
			return nil, nil
		}
	}
}

// takeRan returns the commands run since it was called last.
func (c *computer) takeRan() []string {
	ran := c.ran
	c.ran = nil
	return ran
}

// authority is a CA in a folder of its own.
type authority struct {
	*ca.Store
	t   testing.TB
	dir string
	now time.Time
}

func newAuthority(t testing.TB, hosts ...string) *authority {
	t.Helper()
	a := &authority{t: t, dir: filepath.Join(t.TempDir(), "it's a ca"), now: time.Now()}
	a.open()
	if err := a.Cover(hosts); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *authority) open() {
	a.t.Helper()
	s, err := ca.Open(ca.Options{Dir: a.dir, Now: func() time.Time { return a.now }})
	if err != nil {
		a.t.Fatal(err)
	}
	a.Store = s
}

// replaced rotates the CA and lets the overlap end.
func (a *authority) replaced(hosts ...string) {
	a.t.Helper()
	if err := a.Rotate(); err != nil {
		a.t.Fatal(err)
	}
	a.now = a.now.Add(60 * 24 * time.Hour)
	a.open()
	if err := a.Cover(hosts); err != nil {
		a.t.Fatal(err)
	}
}

// certs are those of ca.crt.
func (a *authority) certs() []*cert { return lookAll(a.PEM()) }

// names are the files that stores consisting of files have for it, sorted.
func (a *authority) names() []string {
	var names []string
	for _, c := range a.certs() {
		names = append(names, c.file())
	}
	slices.Sort(names)
	return names
}

// leaf signs a certificate for any host with the key of the authority that is for example's, as a thief of that key would.
func (a *authority) leaf(example, host string) []byte {
	a.t.Helper()
	files, _ := filepath.Glob(filepath.Join(a.dir, "*"))
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(data, []byte("PRIVATE KEY")) {
			continue
		}
		block, rest := pem.Decode(data)
		key, err := x509.ParsePKCS8PrivateKey(block.Bytes)
		if err != nil {
			a.t.Fatal(err)
		}
		block, _ = pem.Decode(rest)
		parent, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			a.t.Fatal(err)
		}
		if !slices.Contains(parent.PermittedDNSDomains, example) {
			continue
		}
		return signed(a.t, parent, key, host)
	}
	a.t.Fatalf("no authority is for %s", example)
	return nil
}

func signed(t testing.TB, parent *x509.Certificate, key any, host string) []byte {
	t.Helper()
	leaf, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, leaf.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestBadPEMIsNamed(t *testing.T) {
	c := newComputer(t, machine.Facts{OS: machine.Linux, Root: true})
	store := Store{Machine: c}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	unlimited := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{Organization: []string{"Pulley"}, CommonName: commonName + "0123456789abcdef"},
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, unlimited, unlimited, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	good := newAuthority(t, "docker.io").PEM()
	for name, content := range map[string]string{
		"missing":            "",
		"nonsense":           "nonsense",
		"text after":         string(good) + "nonsense",
		"a key":              string(good) + string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")})),
		"a broken one":       string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")})),
		"one for every name": string(good) + string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
	} {
		file := filepath.Join(t.TempDir(), "ca.crt")
		if content != "" {
			if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for what, err := range map[string]error{"Install": store.Install(t.Context(), file), "Plan": second(planned(store, file)), "Status": second(store.Status(file))} {
			if err == nil || !strings.Contains(err.Error(), file) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }

func TestASystemThatIsNotKnownSaysWhatToDo(t *testing.T) {
	a := newAuthority(t, "docker.io")
	for _, os := range []string{machine.Linux, "freebsd"} {
		c := newComputer(t, machine.Facts{OS: os, Root: true})
		before := c.tree()
		err := Store{Machine: c}.Install(t.Context(), a.File())
		var hand *ByHandError
		if !errors.As(err, &hand) || !strings.Contains(hand.Do, a.File()) {
			t.Errorf("%s: %v", os, err)
		}
		if status, err := (Store{Machine: c}).Status(a.File()); err != nil || status.Current || !strings.Contains(status.Detail, a.File()) {
			t.Errorf("%s: %+v, %v", os, status, err)
		}
		if err := (Store{Machine: c, Dir: a.dir}).Uninstall(t.Context()); err != nil {
			t.Errorf("%s: %v", os, err)
		}
		sameTree(t, c.tree(), before)
	}
}

// What is printed for scripts has words for errors, and the command.
func TestResultsAreJSON(t *testing.T) {
	r := Result{Where: Where{Store: "x", Kind: System}}.fail(&NeedRootError{Path: "/p", Command: "sudo c"})
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"store":"x","kind":"system","done":false,"changed":false,"command":"sudo c","error":"system trust store: /p is root's; run: sudo c"}`
	if string(data) != want {
		t.Errorf("%s", data)
	}
	several := Failed([]Result{r, {Done: true}, Result{}.fail(fmt.Errorf("other: %w", fs.ErrExist))})
	var need *NeedRootError
	if !errors.As(several, &need) || !errors.Is(several, fs.ErrExist) || strings.Contains(several.Error(), "\n") {
		t.Errorf("%v", several)
	}
}

// planned says what would be done, a line each.
func planned(store Store, file string) ([]string, error) {
	deeds, err := store.Deeds(file)
	return Lines(deeds), err
}
