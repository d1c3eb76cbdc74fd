package config

import (
	"fmt"
	"slices"

	"pulley/internal/config/document"
)

// AddMirror writes a mirror of a known registry; for a built-in registry that the file does not speak of, with a
// [[registry]] that has its name alone. A name that the registry's mirrors have already is refused.
func (s *Store) AddMirror(registry string, m Mirror) error {
	return s.change(registry+": mirror "+m.Name, func(text []byte, c *Config) ([]byte, error) {
		return addMirror(text, c, registry, m)
	})
}

func addMirror(text []byte, c *Config, registry string, m Mirror) ([]byte, error) {
	r, known := c.Registry(registry)
	if !known {
		return nil, noRegistry(registry)
	}
	if _, taken := r.Mirror(m.Name); taken {
		return nil, fmt.Errorf("%s: there is a mirror %s already; see: pulley mirror ls", registry, m.Name)
	}
	return appendMirror(text, registry, pairsOf(m))
}

func appendMirror(text []byte, registry string, pairs []document.Pair) (_ []byte, err error) {
	if inventoryOf(text).registry(registry) < 0 {
		text, err = document.Append(text, document.Path{"registry"}, []document.Pair{{Key: "name", Value: registry}})
		if err != nil {
			return nil, err
		}
	}
	return document.Append(text, document.Path{"registry", inventoryOf(text).registry(registry), "mirror"}, pairs)
}

// SetMirror changes one key of a mirror, "enabled" and the like. A built-in mirror that the file does not speak of gets
// a table with its name and that key alone, which amends it.
func (s *Store) SetMirror(registry, name, key, value string) error {
	return s.change(registry+": mirror "+name, func(text []byte, c *Config) ([]byte, error) {
		return setMirror(text, c, registry, name, key, value)
	})
}

func setMirror(text []byte, c *Config, registry, name, key, value string) ([]byte, error) {
	written, err := keyOfTable[Mirror](key, value)
	if err != nil {
		return nil, err
	}
	if err := hasMirror(c, registry, name); err != nil {
		return nil, err
	}
	in := inventoryOf(text)
	at := in.registry(registry)
	if i := in.mirror(at, name); i >= 0 {
		return document.Set(text, document.Path{"registry", at, "mirror", i, key}, written)
	}
	return appendMirror(text, registry, []document.Pair{{Key: "name", Value: name}, {Key: key, Value: written}})
}

// RemoveMirror takes a mirror out of the file; comments stay. A built-in one that was amended is as it was shipped then;
// one that was not is refused, and so is the one that the registry's route names.
func (s *Store) RemoveMirror(registry, name string) error {
	return s.change(registry+": mirror "+name, func(text []byte, c *Config) ([]byte, error) {
		return removeMirror(text, c, registry, name)
	})
}

func removeMirror(text []byte, c *Config, registry, name string) ([]byte, error) {
	if err := hasMirror(c, registry, name); err != nil {
		return nil, err
	}
	if r, _ := c.Registry(registry); r.Route == name {
		return nil, fmt.Errorf("%s: its route is %s; first: pulley route %s auto", registry, name, registry)
	}
	in := inventoryOf(text)
	at := in.registry(registry)
	i := in.mirror(at, name)
	if i < 0 {
		return nil, fmt.Errorf("%s: mirror %s is built in and cannot be removed; try: pulley mirror off %s", registry, name, name)
	}
	text, err := document.Remove(text, document.Path{"registry", at, "mirror", i})
	shipped, builtIn := Default().Registry(registry)
	if builtIn {
		_, builtIn = shipped.Mirror(name)
	}
	if r, _ := c.Registry(registry); err == nil && !builtIn && slices.Contains(r.Order, name) {
		order := slices.DeleteFunc(slices.Clone(r.Order), func(n string) bool { return n == name })
		text, err = document.Set(text, document.Path{"registry", at, "order"}, order)
	}
	return text, err
}

// OrderMirrors says which mirrors of a registry a person prefers, the most preferred first. Those that are not named come
// after them, as they were.
func (s *Store) OrderMirrors(registry string, names []string) error {
	return s.change(registry+": order", func(text []byte, c *Config) ([]byte, error) {
		return orderMirrors(text, c, registry, names)
	})
}

func orderMirrors(text []byte, c *Config, registry string, names []string) ([]byte, error) {
	for i, name := range names {
		if err := hasMirror(c, registry, name); err != nil {
			return nil, err
		}
		if slices.Contains(names[:i], name) {
			return nil, fmt.Errorf("%s: order: %s is named twice", registry, name)
		}
	}
	r, known := c.Registry(registry)
	if !known {
		return nil, noRegistry(registry)
	}
	order := slices.Clone(names)
	for _, name := range r.Order {
		if _, known := r.Mirror(name); known && !slices.Contains(order, name) {
			order = append(order, name)
		}
	}
	if slices.Equal(order, r.Order) {
		return text, nil
	}
	if at := inventoryOf(text).registry(registry); at >= 0 {
		return document.Set(text, document.Path{"registry", at, "order"}, order)
	}
	return document.Append(text, document.Path{"registry"}, []document.Pair{{Key: "name", Value: registry}, {Key: "order", Value: order}})
}

func hasMirror(c *Config, registry, name string) error {
	r, known := c.Registry(registry)
	if !known {
		return noRegistry(registry)
	}
	if _, known := r.Mirror(name); !known {
		return fmt.Errorf("%s: no mirror %.80s; see: pulley mirror ls", registry, name)
	}
	return nil
}
