package config

import (
	"fmt"
	"time"

	"pulley/assets"
)

// Default returns the settings of an empty file: the built-in registries, their mirrors (switched off) and the defaults of docs/design.md.
// Each call returns a value of its own.
func Default() *Config {
	c := &Config{
		Listen:  "127.0.0.1:5055",
		Enabled: true,
		Cache:   Cache{MaxSize: 20 << 30, TagTTL: 60 * time.Second, OfflineStale: true},
		Fetch:   Fetch{Connections: 8, RangeMin: 16 << 20, Finish: FinishAuto},
		Access:  Access{PrivateOffline: 7 * 24 * time.Hour},
		Log:     Log{MaxSize: 64 << 20},
		Tray:    Tray{Language: "auto", Theme: "auto", Notify: true},
	}
	if err := parseCatalogue(c, "registries.toml", assets.Registries); err != nil {
		panic(fmt.Sprintf("config: built-in registries: %v", err)) // compiled in; a test loads them
	}
	return c
}
