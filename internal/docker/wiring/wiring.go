// Package wiring finds the container engines of a machine, points them at Pulley and takes that back exactly. There is a
// file per kind of engine; each says what it finds and plans what would have to be done, and what is common to all of them
// (showing it, doing it, keeping what was there, undoing it) is done once.
//
// Planning reads and changes nothing. It must not know Pulley's daemon: it is told where Pulley is.
package wiring

import (
	"context"
	"encoding/json"
	"io/fs"

	"pulley/internal/docker/edit"
	"pulley/internal/docker/machine"
)

// Way is how an engine is pointed at Pulley.
type Way string

// Ways. A mirror falls back to the origin when Pulley does not run; with a proxy, nothing is pulled then.
const (
	None    Way = ""
	Mirror  Way = "mirror"
	Proxy   Way = "proxy"
	Foreign Way = "other" // it has a mirror or a proxy that is not us
)

// Engine is a container engine that is installed.
type Engine struct {
	ID      string `json:"id"`   // what a person calls it in commands, as "docker", "podman", "kind:dev"; unique on a machine
	Name    string `json:"name"` // for people: "Docker Engine"
	Version string `json:"version,omitempty"`
	Running bool   `json:"running"`
	Socket  string `json:"socket,omitempty"` // URL of where it answers: unix:///run/docker.sock
	Context string `json:"context,omitempty"`
	// Reach is host:port at which the engine, from where it runs, gets to this machine's Pulley.
	Reach string `json:"reach,omitempty"`
	Wired Wired  `json:"wired"`
	// Ways are those that connecting knows for it, the preferred one first. None: Notes say why.
	Ways  []Way `json:"ways"`
	Notes Notes `json:"notes,omitempty"` // what a person should know, a line each

	kind Kind
}

// Note is something that a person should know of an engine.
type Note struct {
	Key   string `json:"key,omitempty"`   // which of those it is that are said in other languages too; "": none of them
	Thing string `json:"thing,omitempty"` // what it is about
	Text  string `json:"text"`
}

// noted is a note that is said in English alone.
func noted(text string) Note { return Note{Text: text} }

// Notes are JSON as their texts; an engine's JSON has those with a key as remarks besides.
type Notes []Note

// Lines are the texts.
func (n Notes) Lines() []string {
	lines := make([]string, len(n))
	for i, one := range n {
		lines[i] = one.Text
	}
	return lines
}

// MarshalJSON implements json.Marshaler.
func (n Notes) MarshalJSON() ([]byte, error) { return json.Marshal(n.Lines()) }

// UnmarshalJSON implements json.Unmarshaler.
func (n *Notes) UnmarshalJSON(data []byte) error {
	var lines []string
	if err := json.Unmarshal(data, &lines); err != nil {
		return err
	}
	*n = nil
	for _, line := range lines {
		*n = append(*n, noted(line))
	}
	return nil
}

// MarshalJSON implements json.Marshaler.
func (e Engine) MarshalJSON() ([]byte, error) {
	type plain Engine
	said := struct {
		plain

		Remarks []Note `json:"remarks,omitempty"`
	}{plain: plain(e)}
	for _, n := range e.Notes {
		if n.Key != "" {
			said.Remarks = append(said.Remarks, n)
		}
	}
	return json.Marshal(said)
}

// Wired says how an engine is pointed at something now.
type Wired struct {
	Way   Way      `json:"way"`
	To    []string `json:"to,omitempty"`    // URLs of the mirrors or the proxy that it uses, without passwords
	Where []string `json:"where,omitempty"` // the files that say so
	Ours  bool     `json:"ours"`            // connect did it, and can undo it
}

// Registry is one that Pulley knows.
type Registry struct {
	Name   string   // docker.io
	Hosts  []string // registry-1.docker.io …: what engines dial
	Origin string   // https://registry-1.docker.io: where an engine goes without us
}

// Target is the Pulley to point at.
type Target struct {
	Port       int // on loopback of the machine that Pulley runs on
	Registries []Registry
	CA         []byte // PEM of all current local authorities
	CAFile     string // where that lies on Pulley's machine
	Service    bool   // the background service is installed: Pulley is there whenever the machine is
}

// Options of one connection.
type Options struct {
	Way Way // None: the engine's preferred one
	// Reach is host:port in place of Engine.Reach. A dockerd that is wired to a mirror takes a URL too: a Pulley elsewhere.
	Reach string
	// Insecure are registries that the engine shall pull from without TLS; Search are those where it shall look for names
	// without a registry, in this order. Neither is asked for by most.
	Insecure, Search []string
}

// Plan is what connecting one engine does. Everything in it is shown before anything is done.
type Plan struct {
	Engine Engine `json:"engine"`
	Way    Way    `json:"way"`
	Files  []File `json:"files"`
	// Trust says that the local authorities go into the machine's trust store.
	Trust bool `json:"trust,omitempty"`
	// Checks are run on the new files before the engine sees them; one that fails stops everything. "{path}" in an argument
	// stands for a copy of the changed file of that path.
	Checks []machine.Command `json:"-"`
	How    Activation        `json:"how"`
	// Egress is a proxy that the engine has now and that Pulley takes over as a way out before it is replaced.
	Egress string   `json:"egress,omitempty"`
	Warn   []string `json:"warn,omitempty"` // a line each, shown before it is asked
	Manual []string `json:"manual,omitempty"`

	reach string // host:port that the engine is pointed at, for a kind's own use
}

// File is a file that is changed.
type File struct {
	Path string      `json:"path"`
	Mode fs.FileMode `json:"mode"` // of a new one
	Edit *edit.Edit  `json:"edit"`
	// Through is a program that runs commands where the file is: {"podman", "machine", "ssh", "dev"}. Empty: the machine's own
	// file. Use [File.On] to get at it.
	Through []string `json:"through,omitempty"`
	// Setting says that Path is the name of a setting which Through gets and sets, as {"orb", "config"} does: the file is an
	// object with that one key.
	Setting bool `json:"setting,omitempty"`
}

// Activation says what makes an engine take up changed files.
type Activation struct {
	Kind Activate `json:"kind"`
	// Before is run before the files are written or put back, where the engine would overwrite them as it ends. It has been
	// asked for with the rest; Run starts the engine again, also when something went wrong in between.
	Before []machine.Command `json:"-"`
	Run    []machine.Command `json:"-"`     // in this order
	Text   string            `json:"text"`  // what that is, for people: "systemctl restart docker"
	Stop   int               `json:"stops"` // containers that it stops; -1: unknown
}

// Activate is a kind of activation.
type Activate string

// Activations.
const (
	AtOnce  Activate = "none"    // the engine reads the files at each pull
	Reload  Activate = "reload"  // and nothing is interrupted
	Restart Activate = "restart" // a person is asked before
	ByHand  Activate = "manual"  // Plan.Manual says how
)

// Kind knows the engines of one kind. Methods may be called from several goroutines and do not change anything but for Pull.
type Kind interface {
	// Find lists those that are installed. What cannot be found out within about two seconds is left out and said in Notes.
	Find(ctx context.Context, m machine.Machine) []Engine
	// Plan says what wires an engine that Find found. Errors are one line for a person.
	Plan(ctx context.Context, m machine.Machine, e Engine, to Target, o Options) (*Plan, error)
	// Up says whether the engine answers: nil if it does.
	Up(ctx context.Context, m machine.Machine, e Engine) error
	// Activation is what takes changed files up, as Plan would say: needed again to undo.
	Activation(ctx context.Context, m machine.Machine, e Engine, changed []string) Activation
	// Pull has the engine pull an image that it need not keep; the error is one line with the engine's own words.
	Pull(ctx context.Context, m machine.Machine, e Engine, image string) error
}
