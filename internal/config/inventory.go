package config

import (
	"bytes"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// inventory says which tables a file has, in its order. What is built in may not be there.
type inventory struct {
	Registries []struct {
		Name    string `toml:"name"`
		Mirrors []struct {
			Name string `toml:"name"`
		} `toml:"mirror"`
	} `toml:"registry"`
	Egresses []struct {
		Name string `toml:"name"`
	} `toml:"egress"`
	Addresses []struct {
		Host string `toml:"host"`
	} `toml:"address"`
}

// inventoryOf reads a file; one that is broken has none.
func inventoryOf(text []byte) *inventory {
	n := new(inventory)
	if toml.Unmarshal(bytes.TrimPrefix(text, byteOrderMark), n) != nil {
		return new(inventory)
	}
	return n
}

// registry is the place of a [[registry]]; -1 if there is none of that name.
func (n *inventory) registry(name string) int {
	for i := range n.Registries {
		if n.Registries[i].Name == name {
			return i
		}
	}
	return -1
}

// mirror is the place of a [[registry.mirror]] in the [[registry]] at the given place; -1 if there is none.
func (n *inventory) mirror(registry int, name string) int {
	if registry < 0 {
		return -1
	}
	for i, m := range n.Registries[registry].Mirrors {
		if m.Name == name {
			return i
		}
	}
	return -1
}

// egress is the place of an [[egress]]; -1 if there is none of that name.
func (n *inventory) egress(name string) int {
	for i := range n.Egresses {
		if n.Egresses[i].Name == name {
			return i
		}
	}
	return -1
}

// addresses are the places of all [[address]] tables of a host.
func (n *inventory) addresses(host string) (places []int) {
	for i := range n.Addresses {
		if sameHost(n.Addresses[i].Host, host) {
			places = append(places, i)
		}
	}
	return places
}

// sameHost compares names of hosts: letters' case and a dot at the end mean nothing.
func sameHost(a, b string) bool {
	return strings.EqualFold(strings.TrimSuffix(a, "."), strings.TrimSuffix(b, "."))
}
