package trust

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pulley/internal/docker/machine"
)

// keychains stands in for security(1), as its manual describes it.
type keychains struct {
	c       *computer
	in      map[string][]*cert // what is in a keychain
	trusted map[string]bool    // SHA-1 of what has trust settings, "admin " before it for everybody's

	windowless bool // nobody can be asked
}

const loginKeychain = "/Users/ann/Library/Keychains/login.keychain-db"

func mac(t *testing.T, facts machine.Facts) (*computer, *keychains) {
	t.Helper()
	facts.OS, facts.Home = machine.Darwin, "/Users/ann"
	c := newComputer(t, facts)
	c.file(loginKeychain, "")
	k := &keychains{c: c, in: make(map[string][]*cert), trusted: make(map[string]bool)}
	c.programs["security"] = k.run
	return c, k
}

func (k *keychains) run(cmd machine.Command) ([]byte, error) {
	args := cmd.Args[1:]
	last := args[len(args)-1]
	fails := func(status int, words string) ([]byte, error) {
		return nil, &machine.ExitError{Program: "security", Status: status, Stderr: words}
	}
	read := func(file string) *cert {
		f, err := k.c.ReadFile(file)
		if err != nil {
			k.c.t.Fatal(err)
		}
		c := lookAll(f.Data)
		if len(c) != 1 || f.Mode != 0o600 {
			k.c.t.Errorf("%s: %d certificates, %v", file, len(c), f.Mode)
		}
		return c[0]
	}
	domain := ""
	if slices.Contains(args, "-d") {
		domain = "admin "
	}
	switch args[0] {
	case "find-certificate":
		var out bytes.Buffer
		for _, c := range k.in[last] {
			out.Write(c.pem())
		}
		if out.Len() == 0 {
			return fails(44, "security: SecKeychainSearchCopyNext: The specified item could not be found in the keychain.")
		}
		return out.Bytes(), nil
	case "verify-cert":
		if sum := read(last).thumbprint(); !k.trusted[sum] && !k.trusted["admin "+sum] {
			return fails(1, "Cert Verify Result: CSSMERR_TP_NOT_TRUSTED")
		}
	case "add-trusted-cert":
		c := read(last)
		path := args[slices.Index(args, "-k")+1]
		k.trusted[domain+c.thumbprint()] = true
		if !slices.ContainsFunc(k.in[path], c.same) {
			k.in[path] = append(k.in[path], c)
		}
		if k.windowless {
			delete(k.trusted, domain+c.thumbprint())
			return fails(1, "SecTrustSettingsSetTrustSettings: The authorization was denied since no user interaction was possible.\n")
		}
	case "remove-trusted-cert":
		sum := domain + read(last).thumbprint()
		if !k.trusted[sum] {
			return fails(1, "SecTrustSettingsRemoveTrustSettings: The specified item could not be found in the keychain.")
		}
		delete(k.trusted, sum)
	case "delete-certificate":
		n := len(k.in[last])
		k.in[last] = slices.DeleteFunc(k.in[last], func(c *cert) bool { return c.thumbprint() == args[slices.Index(args, "-Z")+1] })
		if len(k.in[last]) == n {
			return fails(1, "Unable to delete certificate matching \""+args[2]+"\"")
		}
	default:
		k.c.t.Errorf("security %q", args)
	}
	return nil, nil
}

// plain are command lines without what differs from time to time.
func plain(lines []string, certs []*cert) []string {
	out := make([]string, len(lines))
	for i, line := range lines {
		line = regexp.MustCompile(`pulley-[0-9a-f]{32}\.crt`).ReplaceAllString(line, "FILE")
		for _, c := range certs {
			line = strings.ReplaceAll(strings.ReplaceAll(line, c.thumbprint(), "SHA1"), c.name, "CA")
		}
		out[i] = line
	}
	return out
}

func TestKeychainsOfMacOS(t *testing.T) {
	const login, system = loginKeychain, systemKeychain
	for _, test := range []struct {
		name             string
		facts            machine.Facts
		keychain         string
		install, removed []string
	}{
		{"a person", machine.Facts{UID: 501}, login, []string{
			"/usr/bin/security find-certificate -a -p " + system,
			"/usr/bin/security find-certificate -a -p " + login,
			"/usr/bin/security add-trusted-cert -r trustRoot -p ssl -p basic -k " + login + " /tmp/FILE",
			"/usr/bin/security find-certificate -a -p " + login,
			"/usr/bin/security verify-cert -l -L -q -p ssl -c /tmp/FILE",
		}, []string{
			"/usr/bin/security remove-trusted-cert /tmp/FILE",
			"/usr/bin/security delete-certificate -Z SHA1 " + login,
		}},
		{"root", machine.Facts{Root: true}, system, []string{
			"/usr/bin/security find-certificate -a -p " + system,
			"/usr/bin/security add-trusted-cert -d -r trustRoot -p ssl -p basic -k " + system + " /tmp/FILE",
			"/usr/bin/security find-certificate -a -p " + system,
			"/usr/bin/security verify-cert -l -L -q -p ssl -c /tmp/FILE",
		}, []string{
			"/usr/bin/security remove-trusted-cert -d /tmp/FILE",
			"/usr/bin/security delete-certificate -Z SHA1 " + system,
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, k := mac(t, test.facts)
			bare := c.tree()
			a, stranger := newAuthority(t, "docker.io"), newAuthority(t, "docker.io")
			if n := len(a.certs()); n != 2 {
				t.Fatal(n)
			}
			k.in[test.keychain] = stranger.certs()
			store := Store{Machine: c, Dir: a.dir}
			plan, err := planned(store, a.File())
			if err != nil || len(plan) != 2 || !strings.Contains(plan[0], "add-trusted-cert") || strings.Contains(plan[0], "root:") {
				t.Errorf("%q, %v", plan, err)
			}
			c.takeRan()
			if err := store.Install(t.Context(), a.File()); err != nil {
				t.Fatal(err)
			}
			ran := plain(c.takeRan(), a.certs())
			for _, want := range test.install {
				if !slices.Contains(ran, want) {
					t.Errorf("did not run %s", want)
				}
			}
			for _, line := range ran {
				if !slices.Contains(test.install, line) {
					t.Errorf("ran %s", line)
				}
			}
			status, err := store.Status(a.File())
			if err != nil || !status.Current || !strings.Contains(status.Detail, "keychain") {
				t.Errorf("%+v, %v", status, err)
			}
			before := len(k.trusted)
			c.takeRan()
			if err := store.Install(t.Context(), a.File()); err != nil || len(k.trusted) != before || strings.Contains(strings.Join(c.takeRan(), "\n"), "add-") {
				t.Errorf("%v, %v", err, k.trusted)
			}

			// Trust that was taken away by hand is seen, and given again.
			clear(k.trusted)
			if status, err := store.Status(a.File()); err != nil || status.Current || !status.Installed {
				t.Errorf("%+v, %v", status, err)
			}
			if err := store.Install(t.Context(), a.File()); err != nil || len(k.trusted) != 2 {
				t.Errorf("%v, %v", err, k.trusted)
			}

			old := a.certs()
			a.replaced("docker.io")
			if err := store.Install(t.Context(), a.File()); err != nil {
				t.Fatal(err)
			}
			if got := len(k.in[test.keychain]); got != 2+len(a.certs()) || len(k.trusted) != len(a.certs()) {
				t.Errorf("%d certificates, trusted: %v", got, k.trusted)
			}
			for _, c := range old {
				if slices.ContainsFunc(k.in[test.keychain], c.same) {
					t.Errorf("%s stays", c.name)
				}
			}
			c.takeRan()
			if err := store.Uninstall(t.Context()); err != nil {
				t.Fatal(err)
			}
			ran = plain(c.takeRan(), a.certs())
			for _, want := range test.removed {
				if !slices.Contains(ran, want) {
					t.Errorf("did not run %s: %q", want, ran)
				}
			}
			if len(k.in[test.keychain]) != 2 || len(k.trusted) != 0 {
				t.Errorf("left %d, trusted %v", len(k.in[test.keychain]), k.trusted)
			}
			sameTree(t, withoutTmp(c.tree()), withoutTmp(bare))
			if _, err := os.Stat(filepath.Join(a.dir, ledgerName)); err == nil {
				t.Error("the memory stays")
			}
		})
	}
}

// withoutTmp leaves the empty folder for temporary files out.
func withoutTmp(tree map[string]string) map[string]string {
	for _, name := range []string{"tmp", "Temp"} {
		delete(tree, name)
	}
	return tree
}

// What root put into the System keychain serves the person too, and only root takes it out.
func TestRootsKeychainServesThePerson(t *testing.T) {
	c, k := mac(t, machine.Facts{Root: true})
	a := newAuthority(t, "docker.io")
	if err := (Store{Machine: c}).Install(t.Context(), a.File()); err != nil {
		t.Fatal(err)
	}
	c.As = &machine.Facts{OS: machine.Darwin, UID: 501, Home: "/Users/ann"}
	store := Store{Machine: c, Dir: a.dir}
	if err := store.Install(t.Context(), a.File()); err != nil || len(k.in[loginKeychain]) > 0 {
		t.Errorf("%v, %v", err, k.in)
	}
	err := store.Uninstall(t.Context())
	var need *NeedRootError
	if !errors.As(err, &need) {
		t.Fatalf("%v", err)
	}
	var want []string
	for _, c := range a.certs() {
		want = append(want, "sudo /usr/bin/security delete-certificate -Z "+c.thumbprint()+" -t /Library/Keychains/System.keychain")
	}
	slices.Sort(want)
	got := strings.Split(need.Command, " && ")
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if len(k.in[systemKeychain]) != 2 {
		t.Errorf("%v", k.in)
	}
}

// Over ssh nobody can consent: nothing is left in a keychain, and it is said where that can be done.
func TestNoWindowToConsentIn(t *testing.T) {
	for _, facts := range []machine.Facts{{UID: 501}, {Root: true}} {
		c, k := mac(t, facts)
		k.windowless = true
		a := newAuthority(t, "docker.io")
		err := Store{Machine: c}.Install(t.Context(), a.File())
		if err == nil || !strings.Contains(err.Error(), "own desktop") || len(k.in[loginKeychain])+len(k.in[systemKeychain]) > 0 {
			t.Errorf("%v, left: %v", err, k.in)
		}
	}
}

// Behind sudo the person's keychain is out of reach: it belongs to a session.
func TestSudoOnMacOSIsTheSystemKeychain(t *testing.T) {
	c, k := mac(t, machine.Facts{Root: true, UID: 501})
	a := newAuthority(t, "docker.io")
	if err := (Store{Machine: c}).Install(t.Context(), a.File()); err != nil || len(k.in[loginKeychain]) > 0 || len(k.in[systemKeychain]) != 2 {
		t.Errorf("%v, %v", err, k.in)
	}
}
