package config

import (
	"fmt"
	"slices"

	"pulley/internal/config/document"
)

// SetAddress pins a host to addresses, each "ip" or "ip:port", in place of those it had.
func (s *Store) SetAddress(host string, use []string) error {
	return s.change("address of "+host, func(text []byte, _ *Config) ([]byte, error) { return setAddress(text, host, use) })
}

func setAddress(text []byte, host string, use []string) (_ []byte, err error) {
	at := inventoryOf(text).addresses(host)
	if len(at) == 0 {
		return document.Append(text, document.Path{"address"}, pairsOf(Address{Host: host, Use: use}))
	}
	// Those of several tables for one host count together.
	if text, err = removeAddresses(text, at[1:]); err != nil {
		return nil, err
	}
	return document.Set(text, document.Path{"address", at[0], "use"}, use)
}

// RemoveAddress lets a host resolve as the system does it; comments stay.
func (s *Store) RemoveAddress(host string) error {
	return s.change("address of "+host, func(text []byte, _ *Config) ([]byte, error) { return removeAddress(text, host) })
}

func removeAddress(text []byte, host string) ([]byte, error) {
	at := inventoryOf(text).addresses(host)
	if len(at) == 0 {
		return nil, fmt.Errorf("%.80s: no address is set for it; see: pulley config edit", host)
	}
	return removeAddresses(text, at)
}

func removeAddresses(text []byte, at []int) (_ []byte, err error) {
	for _, i := range slices.Backward(at) { // from the last: the places of the others stay
		if text, err = document.Remove(text, document.Path{"address", i}); err != nil {
			return nil, err
		}
	}
	return text, nil
}
