package trust

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pulley/internal/docker/machine"
)

// rootStores stands in for Windows's certutil, as its reference describes it, on a German Windows.
type rootStores struct {
	c           *computer
	machine, me []*cert
}

func windows(t *testing.T, root bool) (*computer, *rootStores) {
	t.Helper()
	c := newComputer(t, machine.Facts{OS: machine.Windows, UID: -1, Root: root, Home: `C:\Users\Ann`})
	c.folder("/Temp")
	r := &rootStores{c: c}
	c.programs["certutil.exe"] = r.run
	return c, r
}

func (r *rootStores) run(cmd machine.Command) ([]byte, error) {
	args, own, all := cmd.Args[1:], &r.machine, r.machine
	if args[0] == "-user" {
		args, own, all = args[1:], &r.me, slices.Concat(r.me, r.machine)
	} else if !r.c.As.Root && args[0] != "-store" && args[0] != "-f" {
		return nil, &machine.ExitError{Program: "certutil.exe", Status: 5, Stderr: "CertUtil: Zugriff verweigert"}
	}
	if args[0] == "-f" {
		args = args[1:]
	}
	switch args[0] {
	case "-store":
		if len(args) == 4 {
			i := slices.IndexFunc(all, func(c *cert) bool { return c.thumbprint() == args[2] })
			if i < 0 {
				return nil, &machine.ExitError{Program: "certutil.exe", Status: -2146885628, Stderr: "CertUtil: Objekt nicht gefunden"}
			}
			r.c.file(args[3], string(all[i].der))
			return nil, nil
		}
		out := "Root \"Vertrauenswürdige Stammzertifizierungsstellen\"\r\n"
		for i, c := range all {
			out += fmt.Sprintf("================ Zertifikat %d ================\r\nSeriennummer: 6b5f3ecb2a\r\nAussteller: CN=%s, O=Pulley\r\n"+
				"Antragsteller: CN=%s, O=Pulley\r\nSignatur stimmt mit dem öffentlichen Schlüssel überein.\r\nZertifikathash(sha1): %s\r\n", i, c.name, c.name, strings.ToLower(c.thumbprint()))
		}
		out += "================ Zertifikat 99 ================\r\nSeriennummer: 0\r\nAntragsteller: CN=Somebody Root\r\nZertifikathash(sha1): 00112233445566778899aabbccddeeff00112233\r\n"
		return []byte(out + "CertUtil: -store-Befehl wurde erfolgreich ausgeführt.\r\n"), nil
	case "-addstore":
		f, err := r.c.ReadFile(args[2])
		if err != nil {
			r.c.t.Fatal(err)
		}
		certs := lookAll(f.Data)
		if len(certs) != 1 { // certutil takes the first
			r.c.t.Errorf("%d certificates", len(certs))
		}
		*own = append(*own, certs[0])
	case "-delstore":
		*own = slices.DeleteFunc(*own, func(c *cert) bool { return c.thumbprint() == args[2] })
	default:
		r.c.t.Errorf("certutil %q", args)
	}
	return nil, nil
}

func TestRootStoresOfWindows(t *testing.T) {
	const tool = `C:\Windows\System32\certutil.exe`
	for _, test := range []struct {
		name     string
		root     bool
		add, del string
	}{
		{"a person", false, tool + ` -user -addstore Root C:\Temp\FILE`, tool + " -user -delstore Root SHA1"},
		{"an administrator", true, tool + ` -addstore Root C:\Temp\FILE`, tool + " -delstore Root SHA1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, r := windows(t, test.root)
			own := &r.me
			if test.root {
				own = &r.machine
			}
			a, stranger := newAuthority(t, "docker.io"), newAuthority(t, "docker.io")
			*own = stranger.certs()
			bare := c.tree()
			store := Store{Machine: c, Dir: a.dir}
			plan, err := planned(store, a.File())
			if err != nil || len(plan) != 2 || !strings.Contains(plan[0], "-addstore Root <Pulley local CA") {
				t.Errorf("%q, %v", plan, err)
			}
			c.takeRan()
			for range 2 {
				if err := store.Install(t.Context(), a.File()); err != nil {
					t.Fatal(err)
				}
			}
			changes := func() (lines []string) {
				for _, line := range c.takeRan() {
					line = strings.ReplaceAll(line, "'", "")
					if strings.Contains(line, "-addstore") || strings.Contains(line, "-delstore") {
						lines = append(lines, line)
					}
				}
				return lines
			}
			if got := plain(changes(), a.certs()); !slices.Equal(got, []string{test.add, test.add}) {
				t.Errorf("%q", got)
			}
			if status, err := store.Status(a.File()); err != nil || !status.Current {
				t.Errorf("%+v, %v", status, err)
			}
			old := a.certs()
			a.replaced("docker.io")
			if status, err := store.Status(a.File()); err != nil || status.Current || !status.Installed {
				t.Errorf("%+v, %v", status, err)
			}
			if err := store.Install(t.Context(), a.File()); err != nil {
				t.Fatal(err)
			}
			if got := plain(changes(), slices.Concat(a.certs(), old)); !slices.Equal(got, []string{test.add, test.add, test.del, test.del}) {
				t.Errorf("%q", got)
			}
			if err := store.Uninstall(t.Context()); err != nil {
				t.Fatal(err)
			}
			if got := plain(changes(), a.certs()); !slices.Equal(got, []string{test.del, test.del}) {
				t.Errorf("%q", got)
			}
			if len(*own) != 2 || !(*own)[0].same(stranger.certs()[0]) {
				t.Errorf("%v", *own)
			}
			sameTree(t, c.tree(), bare)
		})
	}
}

// What an administrator put there serves everybody, and only an administrator takes it out.
func TestTheMachinesRootStoreServesThePerson(t *testing.T) {
	c, r := windows(t, true)
	a := newAuthority(t, "docker.io")
	if err := (Store{Machine: c}).Install(t.Context(), a.File()); err != nil || len(r.machine) != 2 {
		t.Fatal(err, len(r.machine))
	}
	c.As.Root = false
	store := Store{Machine: c, Dir: a.dir}
	if err := store.Install(t.Context(), a.File()); err != nil || len(r.me) > 0 {
		t.Errorf("%v, %d", err, len(r.me))
	}
	err := store.Uninstall(t.Context())
	var need *NeedRootError
	if !errors.As(err, &need) || !strings.Contains(need.Error(), "administrator's prompt run: certutil -delstore Root ") || len(r.machine) != 2 {
		t.Errorf("%v", err)
	}
}
