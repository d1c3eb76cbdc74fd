package trust

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"strings"

	"pulley/internal/docker/machine"
)

// keychain is a keychain of macOS and the trust settings that go with it: security(1). A person's own asks for their password in
// a window.
type keychain struct {
	w    *work
	kind Kind
	path string
}

const (
	security       = "/usr/bin/security"
	systemKeychain = "/Library/Keychains/System.keychain"
	noSuchItem     = 44 // errSecItemNotFound, as security(1) exits with it
)

// keychains are the System keychain and, where it is within reach, the person's own.
func (w *work) keychains() []store {
	stores := []store{&keychain{w: w, kind: System, path: systemKeychain}}
	login := w.facts.Home + "/Library/Keychains/login.keychain-db"
	if !w.sudo && w.exists(login) {
		stores = append(stores, &keychain{w: w, kind: User, path: login})
	}
	return stores
}

func (k *keychain) where() Where {
	if k.kind == System {
		return Where{Store: "the System keychain", Kind: System, Path: k.path}
	}
	return Where{Store: "the login keychain", Kind: User, Path: k.path}
}

func (k *keychain) folders() []string { return nil }

func (k *keychain) list(ctx context.Context) ([]entry, error) {
	out, err := k.w.run(ctx, nil, security, "find-certificate", "-a", "-p", k.path)
	var status *machine.ExitError
	if errors.As(err, &status) && status.Status == noSuchItem {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var entries []entry
	for _, c := range lookAll(out) {
		// A leaf that is a CA, without asking the network, as the server of a TLS connection: what macOS itself makes of it.
		err := k.w.withFile(ctx, c, func(file string) error {
			_, err := k.w.run(ctx, nil, security, "verify-cert", "-l", "-L", "-q", "-p", "ssl", "-c", file)
			return err
		})
		if err != nil && !errors.As(err, &status) {
			return nil, err
		}
		entries = append(entries, entry{cert: c, trusted: err == nil})
	}
	return entries, nil
}

// admin is the argument for the trust settings of all users.
func (k *keychain) admin() []string {
	if k.kind == System {
		return []string{"-d"}
	}
	return nil
}

// trustArgs trusts for TLS and as a root, for nothing else.
func (k *keychain) trustArgs(file string) []string {
	args := append([]string{security, "add-trusted-cert"}, k.admin()...)
	return append(args, "-r", "trustRoot", "-p", "ssl", "-p", "basic", "-k", k.path, file)
}

func (k *keychain) distrustArgs(file string) []string {
	return append(append([]string{security, "remove-trusted-cert"}, k.admin()...), file)
}

func (k *keychain) deleteArgs(c *cert) []string {
	return []string{security, "delete-certificate", "-Z", c.thumbprint(), k.path}
}

func (k *keychain) change(d diff) []step {
	var steps []step
	for _, c := range d.add {
		add := k.step(k.trustArgs, c)
		steps = append(steps, step{text: add.text, do: func(ctx context.Context) error {
			err := add.do(ctx)
			if err != nil { // without consent it is in by now, and not trusted
				_, _ = k.w.run(context.WithoutCancel(ctx), nil, k.deleteArgs(c)...)
			}
			return explainConsent(err)
		}})
	}
	for _, c := range d.mend {
		add := k.step(k.trustArgs, c)
		steps = append(steps, step{text: add.text, do: func(ctx context.Context) error { return explainConsent(add.do(ctx)) }})
	}
	for _, e := range d.remove {
		if k.kind == System && !k.w.facts.Root { // asking for somebody else's password does not help everybody
			steps = append(steps, step{text: commandLine(k.deleteArgs(e.cert)), do: refuse})
			continue
		}
		distrust := k.step(k.distrustArgs, e.cert)
		steps = append(steps, step{text: distrust.text, do: func(ctx context.Context) error {
			err := distrust.do(ctx)
			var status *machine.ExitError
			if errors.As(err, &status) {
				return nil //nolint:nilerr // there are no trust settings: taken away by hand; the certificate may still go
			}
			return err
		}}, k.w.command(k.deleteArgs(e.cert)...))
	}
	return steps
}

// explainConsent says what helps where there is no window to ask in. Since macOS 11 root is asked as well (release notes of Big
// Sur 11.0.1, Security).
func explainConsent(err error) error {
	if err != nil && strings.Contains(err.Error(), "no user interaction was possible") {
		return errors.New("macOS asks for a password in a window, and there is none here; run it in a terminal on this Mac's own desktop")
	}
	return err
}

// step runs security on a file with one certificate.
func (k *keychain) step(args func(file string) []string, c *cert) step {
	return step{text: commandLine(args("<" + c.name + ">")), do: func(ctx context.Context) error {
		return k.w.withFile(ctx, c, func(file string) error {
			_, err := k.w.run(ctx, nil, args(file)...)
			return err
		})
	}}
}

// asRoot takes certificates out: root's are only put in by root itself, who needs no line.
func (k *keychain) asRoot(_ string, d diff) string {
	var commands []string
	for _, e := range d.remove {
		commands = append(commands, commandLine(append(k.deleteArgs(e.cert)[:4:4], "-t", k.path)))
	}
	return sudo(commands...)
}

// withFile calls f with a file that holds one certificate, for programs that read no other way.
func (w *work) withFile(_ context.Context, c *cert, f func(file string) error) error {
	file, err := w.temporary()
	if err != nil {
		return err
	}
	if _, err := w.m.WriteFile(file, c.pem(), 0o600); err != nil {
		return err
	}
	defer func() { _ = w.m.Remove(file) }()
	return f(file)
}

// temporary is a name that nobody else has and nobody can guess.
func (w *work) temporary() (string, error) {
	id := make([]byte, 16)
	if _, err := rand.Read(id); err != nil {
		return "", err
	}
	name := "pulley-" + hex.EncodeToString(id) + ".crt"
	if w.facts.OS == machine.Windows {
		return strings.TrimSuffix(w.m.Getenv("TEMP"), `\`) + `\` + name, nil
	}
	dir := w.m.Getenv("TMPDIR")
	if dir == "" {
		dir = "/tmp"
	}
	return strings.TrimSuffix(dir, "/") + "/" + name, nil
}
