//go:build cgo

package main

import (
	"os"
	"testing"

	"github.com/pelletier/go-toml/v2"
)

// TestSameAsForPackagers holds what the program says of itself to what packagers read.
func TestSameAsForPackagers(t *testing.T) {
	text, err := os.ReadFile("../../FyneApp.toml")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Details struct{ Name, ID, Version string }
	}
	if err := toml.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	if d := file.Details; d.Name != name || d.ID != id || d.Version != version {
		t.Errorf("FyneApp.toml has %+v; the program %s, %s, %s", d, name, id, version)
	}
}
