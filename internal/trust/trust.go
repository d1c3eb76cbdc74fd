// Package trust puts Pulley's local CAs into the system's trust store, takes
// them out again and says how things stand. One file per platform; where
// Pulley cannot do it yet, the error says in one line what to do by hand.
//
// It must not know how the CAs are made or what they are used for: it is given
// a PEM file.
package trust

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"os"
)

// Status says how a trust store stands.
type Status struct {
	Installed bool     // something of ours is in the store
	Current   bool     // and it is exactly what the PEM file holds
	Files     []string // what is ours in the store
	Detail    string   // one line for a person
}

// NeedRootError says that the trust store belongs to root.
type NeedRootError struct {
	Path    string // what could not be written
	Command string // does the same as root; one line for a shell
}

func (e *NeedRootError) Error() string {
	return fmt.Sprintf("system trust store: %s is root's; run: %s", e.Path, e.Command)
}

// ByHandError says that this platform's store is not Pulley's to change.
type ByHandError struct {
	Platform string
	Do       string // what to do, a command where there is one
}

func (e *ByHandError) Error() string {
	return fmt.Sprintf("system trust store: not automatic on %s; by hand: %s", e.Platform, e.Do)
}

// Store is a system's trust store. The zero value is this machine's.
type Store struct {
	// Root stands in for / in tests; "" is the real one.
	Root string
	// Run runs the program that rebuilds the store; nil runs it for real.
	Run func(ctx context.Context, name string, args ...string) error
}

// Install makes the system trust the certificates of pemFile, and no others of
// ours.
func (s Store) Install(ctx context.Context, pemFile string) error {
	certs, err := certificates(pemFile)
	if err != nil {
		return err
	}
	return s.install(ctx, pemFile, certs)
}

// Uninstall takes out all that Install put in. It is no error if there is
// nothing.
func (s Store) Uninstall(ctx context.Context) error { return s.uninstall(ctx) }

// Status compares the system's store with pemFile.
func (s Store) Status(pemFile string) (Status, error) {
	certs, err := certificates(pemFile)
	if err != nil {
		return Status{}, err
	}
	return s.status(certs)
}

// Install is Store.Install for this machine.
func Install(pemFile string) error { return Store{}.Install(context.Background(), pemFile) }

// Uninstall is Store.Uninstall for this machine.
func Uninstall() error { return Store{}.Uninstall(context.Background()) }

// State is Store.Status for this machine.
func State(pemFile string) (Status, error) { return Store{}.Status(pemFile) }

// certificates splits pemFile into single certificates, each as a PEM file.
func certificates(pemFile string) ([][]byte, error) {
	data, err := os.ReadFile(pemFile)
	if err != nil {
		return nil, fmt.Errorf("system trust store: %w; it is created when the daemon first starts: pulley up", err)
	}
	var certs [][]byte
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			break
		}
		if block.Type == "CERTIFICATE" {
			certs = append(certs, pem.EncodeToMemory(block))
		}
	}
	if len(certs) == 0 || len(bytes.TrimSpace(data)) > 0 {
		return nil, fmt.Errorf("system trust store: %s: is not a PEM file of certificates; restart the daemon to write it again", pemFile)
	}
	return certs, nil
}
