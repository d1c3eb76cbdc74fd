package config

import (
	"fmt"

	"pulley/internal/config/document"
)

// AddEgress writes a way out. A name that is taken is refused.
func (s *Store) AddEgress(e Egress) error {
	return s.change("egress "+e.Name, func(text []byte, _ *Config) ([]byte, error) { return addEgress(text, e) })
}

func addEgress(text []byte, e Egress) ([]byte, error) {
	if inventoryOf(text).egress(e.Name) >= 0 {
		return nil, fmt.Errorf("%s: there is such an egress already; see: pulley egress ls", e.Name)
	}
	return document.Append(text, document.Path{"egress"}, pairsOf(e))
}

// SetEgress changes one key of a way out; lists are comma-separated.
func (s *Store) SetEgress(name, key, value string) error {
	return s.change("egress "+name, func(text []byte, _ *Config) ([]byte, error) { return setEgress(text, name, key, value) })
}

func setEgress(text []byte, name, key, value string) ([]byte, error) {
	written, err := keyOfTable[Egress](key, value)
	if err != nil {
		return nil, err
	}
	at := inventoryOf(text).egress(name)
	if at < 0 {
		return nil, noEgress(name)
	}
	return document.Set(text, document.Path{"egress", at, key}, written)
}

// RemoveEgress takes a way out out of the file; comments stay.
func (s *Store) RemoveEgress(name string) error {
	return s.change("egress "+name, func(text []byte, _ *Config) ([]byte, error) { return removeEgress(text, name) })
}

func removeEgress(text []byte, name string) ([]byte, error) {
	at := inventoryOf(text).egress(name)
	if at < 0 {
		return nil, noEgress(name)
	}
	return document.Remove(text, document.Path{"egress", at})
}

func noEgress(name string) error {
	return fmt.Errorf("%.80s: no such egress; see: pulley egress ls", name)
}
