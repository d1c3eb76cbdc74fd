package config

import (
	"fmt"

	"pulley/internal/config/document"
)

// AddRegistry writes a [[registry]] of its own, with its mirrors. One whose name is known is refused: Set changes those.
func (s *Store) AddRegistry(r Registry) error {
	return s.change(r.Name, func(text []byte, c *Config) ([]byte, error) { return addRegistry(text, c, r) })
}

func addRegistry(text []byte, c *Config, r Registry) ([]byte, error) {
	if _, known := c.Registry(r.Name); known {
		return nil, fmt.Errorf("%s: known already; change it with: pulley config set registry.%s.KEY VALUE", r.Name, r.Name)
	}
	text, err := document.Append(text, document.Path{"registry"}, pairsOf(r))
	for i := 0; i < len(r.Mirrors) && err == nil; i++ {
		text, err = document.Append(text, document.Path{"registry", inventoryOf(text).registry(r.Name), "mirror"}, pairsOf(r.Mirrors[i]))
	}
	return text, err
}

// RemoveRegistry takes out what the file says about a registry, with its mirrors; comments stay. A built-in one is as
// it was shipped then. One that is not in the file is refused.
func (s *Store) RemoveRegistry(name string) error {
	return s.change(name, func(text []byte, c *Config) ([]byte, error) { return removeRegistry(text, c, name) })
}

func removeRegistry(text []byte, c *Config, name string) ([]byte, error) {
	at := inventoryOf(text).registry(name)
	if at < 0 {
		if _, known := c.Registry(name); known {
			return nil, fmt.Errorf("%s: built in, and as it was shipped; nothing to remove", name)
		}
		return nil, noRegistry(name)
	}
	return document.Remove(text, document.Path{"registry", at})
}

func noRegistry(name string) error {
	return fmt.Errorf("%.80s: no such registry; see: pulley route", name)
}
