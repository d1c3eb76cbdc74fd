package context

import (
	"fmt"
	"strings"
)

// SSH is the address of a context's machine, for ssh. The error of a context that is reached in another way says what to
// do instead.
func (b *Book) SSH(name string) (string, error) {
	ep, err := b.endpoint(name)
	if err != nil {
		return "", err
	}
	switch scheme(ep.Host) {
	case "ssh":
		return ep.Host, nil
	case "tcp", "http", "https":
		if kindOf(ep.Host) == Remote {
			return "", fmt.Errorf("%s: %s has no way for a tunnel; let that engine use a Pulley that it reaches itself, with [access] (docs/team.md), or come to it over ssh: pulley context update %s --host ssh://USER@HOST", name, redact(ep.Host), name)
		}
	}
	return "", fmt.Errorf("%s: it is no machine elsewhere that ssh leads to (%s); an engine here is wired by: pulley connect", name, redact(ep.Host))
}

// A Cure is what a person can do about an engine that does not use this machine's Pulley.
type Cure struct {
	What    string `json:"what"`
	Command string `json:"command"`
}

// Cures are for an engine on another machine: what it pulls does not come through this one. There are none for an engine
// here.
func (e Entry) Cures() []Cure {
	name := shellWord(e.Name)
	switch {
	case e.Error != "":
		return nil
	case scheme(e.Host) == "ssh":
		return []Cure{
			{"share this machine's cache with it, for as long as that runs", "pulley context share " + name},
			{"wire it to a Pulley that it reaches itself", "pulley connect --context " + name + " --mirror URL"},
		}
	case e.Kind == Remote:
		return []Cure{{"come to it over ssh, so that it can be wired or share this cache", "pulley context update " + name + " --host ssh://USER@HOST"}}
	}
	return nil
}

// shellWord is a name as it is typed. docker takes none in that a shell sees more, but for other programs' files.
func shellWord(name string) string {
	if strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("_.+-", r)
	}) {
		return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
	}
	return name
}
