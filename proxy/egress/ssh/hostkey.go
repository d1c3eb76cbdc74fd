package ssh

import (
	"bufio"
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// A HostKeyError says that a machine showed a key that known_hosts does not have.
// Nothing was sent to it but our own half of the key exchange.
type HostKeyError struct {
	Host        string // as known_hosts names it: "host" or "[host]:port"
	Type        string // "ssh-ed25519"
	Fingerprint string // "SHA256:…", as ssh shows it
	line        string // for known_hosts
	file        string // where that goes; "" nowhere
	key         gossh.PublicKey
}

func (e *HostKeyError) Error() string {
	return fmt.Sprintf("the host key of %s is not known: %s %s; compare it with the machine's and accept it: pulley egress test", e.Host, e.Type, e.Fingerprint)
}

// A ChangedKeyError says that a machine showed another key than known_hosts has
// for it, or one that is revoked there. There is no way to accept it here: a
// person removes the old one, with ssh-keygen -R.
type ChangedKeyError struct {
	Host, Type, Fingerprint string
	File                    string // where the old one is
	Line                    int
	Revoked                 bool
}

func (e *ChangedKeyError) Error() string {
	if e.Revoked {
		return fmt.Sprintf("the host key of %s is revoked (%s line %d); do not connect to it", e.Host, e.File, e.Line)
	}
	return fmt.Sprintf("the host key of %s has changed to %s %s (%s line %d has another), so somebody may be in between; if the machine is new: ssh-keygen -R '%s'",
		e.Host, e.Type, e.Fingerprint, e.File, e.Line, e.Host)
}

// Pending lists the keys that were shown and are not known.
func (c *Client) Pending() []*HostKeyError {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.pending)
}

// Accept adds the pending key with that fingerprint to the person's known_hosts.
func (c *Client) Accept(fingerprint string) error {
	c.mu.Lock()
	i := slices.IndexFunc(c.pending, func(e *HostKeyError) bool { return e.Fingerprint == fingerprint })
	if i < 0 {
		c.mu.Unlock()
		return fmt.Errorf("%s: no such host key waits to be accepted", clean(fingerprint))
	}
	e := c.pending[i]
	c.mu.Unlock()
	if err := appendLine(e.file, e.line); err != nil {
		return fmt.Errorf("known_hosts: %w", err)
	}
	c.mu.Lock()
	c.pending = slices.DeleteFunc(c.pending, func(p *HostKeyError) bool { return p.Host == e.Host })
	c.known[e.Host] = e.key
	c.mu.Unlock()
	c.Retry()
	c.changed()
	return nil
}

// notKnown makes a key that nobody knows pending.
func (c *Client) notKnown(s *settings, host string, key gossh.PublicKey) *HostKeyError {
	e := &HostKeyError{Host: host, Type: key.Type(), Fingerprint: gossh.FingerprintSHA256(key), key: key}
	name := host
	if s.hashKnown {
		name = knownhosts.HashHostname(host)
	}
	e.line = knownhosts.Line([]string{name}, key)
	if len(s.userKnown) > 0 {
		e.file = c.path(s.userKnown[0], s)
	}
	c.mu.Lock()
	c.pending = append(slices.DeleteFunc(c.pending, func(p *HostKeyError) bool { return p.Host == host }), e)
	c.mu.Unlock()
	c.changed()
	return e
}

// settled forgets what was pending for a host whose key is known now.
func (c *Client) settled(host string) {
	c.mu.Lock()
	n := len(c.pending)
	c.pending = slices.DeleteFunc(c.pending, func(p *HostKeyError) bool { return p.Host == host })
	changed := n != len(c.pending)
	c.mu.Unlock()
	if changed {
		c.changed()
	}
}

// hostKeys is what known_hosts says about one machine.
type hostKeys struct {
	c       *Client
	s       *settings
	host    string // "host" or "[host]:port"
	addr    string // host:port, as the library wants it
	check   gossh.HostKeyCallback
	signers map[string]bool   // "file:line" of @cert-authority entries
	files   map[string]string // what a copy is a copy of
	want    []knownhosts.KnownKey
	mine    gossh.PublicKey // accepted by the person during this run
}

// hostKeysOf reads the files that s names.
func (c *Client) hostKeysOf(s *settings) (*hostKeys, error) {
	k := &hostKeys{c: c, s: s, addr: net.JoinHostPort(s.keyName(), s.port), signers: map[string]bool{}, files: map[string]string{}}
	if s.alias != "" { // an alias stands for the machine whatever the port
		k.addr = net.JoinHostPort(s.alias, "22")
	}
	k.host = knownhosts.Normalize(k.addr)
	var files []string
	for _, name := range slices.Concat(s.userKnown, s.globalKnown) {
		name = c.path(name, s)
		clean, signers, err := readable(name)
		if errors.Is(err, os.ErrNotExist) || err == nil && clean == "" {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("known_hosts: %w", err)
		}
		if clean != name {
			defer func() { _ = os.Remove(clean) }() // the library reads all of it now
		}
		for _, n := range signers {
			k.signers[fmt.Sprint(clean, ":", n)] = true
		}
		files, k.files[clean] = append(files, clean), name
	}
	var err error
	if k.check, err = knownhosts.New(files...); err != nil {
		return nil, err
	}
	c.mu.Lock()
	k.mine = c.known[k.host]
	c.mu.Unlock()
	// A key that nobody has tells which ones are known.
	nobody, err := gossh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil, err
	}
	var unknown *knownhosts.KeyError
	if errors.As(k.check(k.addr, noAddr{}, nobody), &unknown) {
		k.want = unknown.Want
	}
	return k, nil
}

// noAddr stands for the machine's address, which is not looked up: known_hosts
// has names.
type noAddr struct{}

func (noAddr) Network() string { return "tcp" }
func (noAddr) String() string  { return "0.0.0.0:0" }

// algorithms are those to offer, those of known keys first: a machine has keys
// of several kinds, and one that shows another kind than we know would look
// changed (golang/go#29286). Certificates are asked for only where their
// authority is known.
func (k *hostKeys) algorithms() []string {
	var first []string
	for _, w := range k.want {
		if k.isSigner(w) {
			for _, a := range gossh.SupportedAlgorithms().HostKeys {
				if strings.Contains(a, "-cert-") {
					first = append(first, a)
				}
			}
		}
	}
	types := []string{}
	for _, w := range k.want {
		if !k.isSigner(w) {
			types = append(types, w.Key.Type())
		}
	}
	if k.mine != nil {
		types = append(types, k.mine.Type())
	}
	for _, t := range types {
		if t == gossh.KeyAlgoRSA { // the key's type, signed for in a better way
			first = append(first, gossh.KeyAlgoRSASHA512, gossh.KeyAlgoRSASHA256)
		} else {
			first = append(first, t)
		}
	}
	for _, a := range gossh.SupportedAlgorithms().HostKeys {
		if !strings.Contains(a, "-cert-") {
			first = append(first, a)
		}
	}
	seen := map[string]bool{}
	return slices.DeleteFunc(first, func(a string) bool { was := seen[a]; seen[a] = true; return was })
}

func (k *hostKeys) isSigner(w knownhosts.KnownKey) bool {
	return k.signers[fmt.Sprint(w.Filename, ":", w.Line)]
}

// verify is a gossh.HostKeyCallback.
func (k *hostKeys) verify(_ string, _ net.Addr, key gossh.PublicKey) error {
	err := k.check(k.addr, noAddr{}, key)
	if err == nil {
		k.c.settled(k.host)
		return nil
	}
	changed := &ChangedKeyError{Host: k.host, Type: key.Type(), Fingerprint: gossh.FingerprintSHA256(key)}
	var revoked *knownhosts.RevokedError
	if errors.As(err, &revoked) {
		changed.Revoked, changed.File, changed.Line = true, k.files[revoked.Revoked.Filename], revoked.Revoked.Line
		return changed
	}
	var unknown *knownhosts.KeyError
	if !errors.As(err, &unknown) {
		return fmt.Errorf("the host key of %s: %w", k.host, err)
	}
	for _, w := range unknown.Want {
		if !k.isSigner(w) {
			changed.File, changed.Line = k.files[w.Filename], w.Line
			return changed
		}
	}
	switch {
	case k.mine != nil && bytes.Equal(k.mine.Marshal(), key.Marshal()):
		return nil
	case k.mine != nil:
		return changed
	}
	e := k.c.notKnown(k.s, k.host, key)
	switch k.s.strict {
	case "accept-new", "no", "off", "false": // the person has said so
		k.c.log.Info("ssh: a new host key, accepted as StrictHostKeyChecking says", "host", e.Host, "key", e.Fingerprint)
		return k.c.Accept(e.Fingerprint)
	}
	return e
}

// readable returns a file that the library can read: name itself, or, since one
// line that it cannot read would cost the whole file, a copy in which such lines
// are empty, for the caller to remove; "" if nothing is left. With it come the
// numbers of the lines about authorities.
func readable(name string) (file string, signers []int, err error) {
	body, err := os.ReadFile(name)
	if err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	spoilt, used := false, false
	lines := bufio.NewScanner(bytes.NewReader(body))
	lines.Buffer(nil, 1<<20)
	for n := 1; lines.Scan(); n++ {
		line := bytes.TrimSpace(lines.Bytes())
		if len(line) > 0 && line[0] != '#' {
			marker, hosts, _, _, _, err := gossh.ParseKnownHosts(line)
			switch {
			case err != nil || len(line) >= bufio.MaxScanTokenSize || !patterns(hosts):
				spoilt, line = true, nil
			case marker == "cert-authority":
				signers = append(signers, n)
			}
			used = used || line != nil
		}
		out.Write(line)
		out.WriteByte('\n')
	}
	if err := lines.Err(); err != nil {
		return "", nil, fmt.Errorf("%s: %w", name, err)
	}
	if !used {
		return "", nil, nil
	}
	if !spoilt {
		return name, signers, nil
	}
	f, err := os.CreateTemp("", "known_hosts")
	if err != nil {
		return "", nil, err
	}
	_, err = f.Write(out.Bytes())
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(f.Name())
		return "", nil, err
	}
	return f.Name(), signers, nil
}

// patterns reports whether the library takes all host patterns of a line.
func patterns(hosts []string) bool {
	return !slices.ContainsFunc(hosts, func(h string) bool {
		h = strings.TrimPrefix(h, "!")
		if strings.HasPrefix(h, "|") {
			parts := strings.Split(h, "|")
			return len(parts) != 4 || parts[1] != "1"
		}
		if strings.HasPrefix(h, "[") {
			_, _, err := net.SplitHostPort(h)
			return err != nil
		}
		return h == ""
	})
}

// appendLine adds a line to a file of the person's, which need not exist.
func appendLine(file, line string) error {
	if file == "" || file == os.DevNull {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	line += "\n"
	if info, err := f.Stat(); err == nil && info.Size() > 0 {
		last := make([]byte, 1)
		if _, err := f.ReadAt(last, info.Size()-1); err == nil && last[0] != '\n' {
			line = "\n" + line
		}
	}
	if _, err := f.WriteString(line); err != nil {
		return err
	}
	return f.Sync()
}
