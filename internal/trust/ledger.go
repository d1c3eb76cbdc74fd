package trust

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/moby/sys/atomicwriter"
)

// ledgerName is the file beside the CAs that remembers what was put into stores.
const ledgerName = "trusted"

// ledger remembers, over rotations, which certificates a Pulley put into stores and which folders it made there. It is written
// before a store is, so that what a kill leaves half done is found again.
type ledger struct {
	file         string   // "" remembers nothing
	Certificates []string `json:"certificates"`      // SHA-256, hex
	Folders      []string `json:"folders,omitempty"` // made for them
}

func openLedger(dir string) (*ledger, error) {
	if dir == "" {
		return &ledger{}, nil
	}
	l := &ledger{file: filepath.Join(dir, ledgerName)}
	data, err := os.ReadFile(l.file)
	if errors.Is(err, fs.ErrNotExist) {
		return l, nil
	}
	if err != nil {
		return nil, fmt.Errorf("trust store: %w", err)
	}
	if err := json.Unmarshal(data, l); err != nil {
		return nil, fmt.Errorf("trust store: %s: %w; remove it, and what it listed with: pulley ca untrust --all", l.file, err)
	}
	return l, nil
}

func (l *ledger) has(c *cert) bool { return slices.Contains(l.Certificates, c.sha256()) }

// add remembers certificates and folders.
func (l *ledger) add(certs []*cert, folders []string) error {
	before := len(l.Certificates) + len(l.Folders)
	for _, c := range certs {
		if !l.has(c) {
			l.Certificates = append(l.Certificates, c.sha256())
		}
	}
	for _, f := range folders {
		if !slices.Contains(l.Folders, f) {
			l.Folders = append(l.Folders, f)
		}
	}
	if l.file == "" || len(l.Certificates)+len(l.Folders) == before {
		return nil
	}
	data, err := json.MarshalIndent(l, "", "  ")
	if err == nil {
		err = atomicwriter.WriteFile(l.file, append(data, '\n'), 0o644) // root's must not lock the person out
	}
	if err != nil {
		return fmt.Errorf("trust store: what is put there could not be noted, so nothing was: %w", err)
	}
	return nil
}

// forget is for when nothing of ours is in any store.
func (l *ledger) forget() {
	if l.file != "" {
		_ = os.Remove(l.file) // one that stays names what is not there
	}
}
