package ssh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	gossh "golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
)

// keys are what we can log in with, in the order of ssh(1): those that the agent
// holds and the configuration names, the agent's others, those in files.
type keys struct {
	signers []gossh.Signer
	notes   []string // what may be the matter, for a person
	more    []string // what the ssh program could use and we cannot
	agent   io.Closer
}

// close ends the connection to the agent; it is needed while signing.
func (k *keys) close() {
	if k.agent != nil {
		_ = k.agent.Close()
	}
}

// identity is one IdentityFile.
type identity struct {
	file   string
	public gossh.PublicKey // nil if unknown
	signer gossh.Signer    // from the agent, or nil
}

func (c *Client) keysOf(ctx context.Context, s *settings) *keys {
	k := &keys{}
	held := c.agentKeys(ctx, s, k)
	var named []*identity
	for _, name := range s.identities {
		if name == "none" {
			continue
		}
		id := &identity{file: c.path(name, s)}
		id.public = publicKey(id.file)
		named = append(named, id)
	}
	var others, files []gossh.Signer
	for _, signer := range held {
		i := slices.IndexFunc(named, func(id *identity) bool {
			return id.public != nil && bytes.Equal(id.public.Marshal(), plain(signer.PublicKey()).Marshal())
		})
		switch {
		case i >= 0:
			named[i].signer = signer
			k.signers = append(k.signers, signer)
		case !s.identitiesOnly:
			others = append(others, signer)
		}
	}
	k.signers = append(k.signers, others...)
	for _, id := range named {
		if id.signer == nil {
			id.signer = c.privateKey(id, k)
			if id.signer == nil {
				continue
			}
			files = append(files, id.signer)
		}
	}
	k.signers = append(k.signers, files...)
	k.signers = append(c.certified(s, named, k.signers), k.signers...)
	if len(k.signers) == 0 && len(k.notes) == 0 {
		k.notes = append(k.notes, "there is none: no agent, and no file that ssh would look for")
	}
	return k
}

// plain is the key that a certificate is about.
func plain(p gossh.PublicKey) gossh.PublicKey {
	if cert, ok := p.(*gossh.Certificate); ok {
		return cert.Key
	}
	return p
}

func (c *Client) agentKeys(ctx context.Context, s *settings, k *keys) []gossh.Signer {
	sock := s.agent
	switch {
	case sock == "none":
		return nil
	case sock == "" || sock == "SSH_AUTH_SOCK":
		if sock = c.getenv("SSH_AUTH_SOCK"); sock == "" {
			sock = defaultAgent
		}
	case strings.HasPrefix(sock, "$") && !strings.HasPrefix(sock, "${"):
		sock = c.getenv(sock[1:])
	default:
		sock = c.path(sock, s)
	}
	if sock == "" {
		return nil
	}
	conn, err := openAgent(ctx, sock)
	if err != nil {
		if !errors.Is(err, os.ErrNotExist) {
			k.notes = append(k.notes, "the agent cannot be asked")
		}
		return nil
	}
	k.agent = conn
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	signers, err := agent.NewClient(conn).Signers()
	if err != nil {
		k.notes = append(k.notes, "the agent does not answer")
		return nil
	}
	return signers
}

// publicKey reads the half of a key that is not secret, from FILE.pub, or from
// FILE if somebody put it there.
func publicKey(file string) gossh.PublicKey {
	for _, name := range []string{file + ".pub", file} {
		body, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		if key, _, _, _, err := gossh.ParseAuthorizedKey(body); err == nil {
			return plain(key)
		}
	}
	return nil
}

// privateKey reads a key from its file; nil if there is none to be had there.
func (c *Client) privateKey(id *identity, k *keys) gossh.Signer {
	body, err := os.ReadFile(id.file)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		k.notes = append(k.notes, fmt.Sprintf("%s cannot be read", id.file))
		return nil
	}
	signer, err := gossh.ParsePrivateKey(body)
	var locked *gossh.PassphraseMissingError
	switch {
	case err == nil:
		return signer
	case errors.As(err, &locked):
		k.notes = append(k.notes, fmt.Sprintf("%s has a passphrase and no agent holds it; try: ssh-add %s", id.file, id.file))
		k.more = append(k.more, "a key with a passphrase")
	case !bytes.Contains(body, []byte("PRIVATE KEY")): // the public half, for a key of the agent's
	default:
		k.more = append(k.more, "a key of a kind that only it reads")
	}
	return nil
}

// certified are the certificates (ssh-keygen -s) for keys that we have.
func (c *Client) certified(s *settings, named []*identity, signers []gossh.Signer) (out []gossh.Signer) {
	var files []string
	for _, name := range s.certificates {
		files = append(files, c.path(name, s))
	}
	for _, id := range named {
		files = append(files, id.file+"-cert.pub")
	}
	for _, name := range files {
		body, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		key, _, _, _, err := gossh.ParseAuthorizedKey(body)
		cert, ok := key.(*gossh.Certificate)
		if err != nil || !ok {
			continue
		}
		for _, signer := range signers {
			if bytes.Equal(signer.PublicKey().Marshal(), cert.Key.Marshal()) {
				if cs, err := gossh.NewCertSigner(cert, signer); err == nil {
					out = append(out, cs)
				}
				break
			}
		}
	}
	return out
}
