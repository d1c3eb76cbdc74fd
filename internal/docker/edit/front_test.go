package edit_test

import (
	"encoding/json"
	"testing"

	"pulley/internal/docker/edit"
)

// TestFront: containerd asks the hosts of a hosts.toml in the order of their tables.
func TestFront(t *testing.T) {
	for _, c := range []struct{ name, before, after string }{
		{
			"a comment belongs to its table", "server = \"https://a\"\n\n# theirs\n[host.\"https://m\"]\n  capabilities = [\"pull\"]\n",
			"server = \"https://a\"\n\n[host.\"http://p:1\"]\ncapabilities = [\"pull\"]\n\n# theirs\n[host.\"https://m\"]\n  capabilities = [\"pull\"]\n",
		},
		{
			"mark and CRLF", "\xef\xbb\xbfserver = 'x'\r\n[other]\r\na = 1\r\n[host.\"https://m\"]\r\n[host.\"https://n\"]\r\n",
			"\xef\xbb\xbfserver = 'x'\r\n[other]\r\na = 1\r\n[host.\"http://p:1\"]\r\ncapabilities = [\"pull\"]\r\n\r\n[host.\"https://m\"]\r\n[host.\"https://n\"]\r\n",
		},
		{"none there", "server = 'x'\n", "server = 'x'\n\n[host.\"http://p:1\"]\ncapabilities = [\"pull\"]\n"},
		{"no line end", "[host]", "[host.\"http://p:1\"]\ncapabilities = [\"pull\"]\n\n[host]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			e := &edit.Edit{Format: edit.TOML, Steps: []edit.Step{{
				Path: []string{"host", "http://p:1", "capabilities"}, Value: json.RawMessage(`["pull"]`), Front: true,
			}}}
			after, err := e.Apply([]byte(c.before))
			if err != nil {
				t.Fatal(err)
			}
			if string(after) != c.after {
				t.Errorf("applied:\n%q, want\n%q", after, c.after)
			}
			back, err := carried(t, e).Revert(after)
			if err != nil || string(back) != c.before {
				t.Errorf("reverted: %v\n%q, want\n%q", err, back, c.before)
			}
			edited := []byte("# since\n")
			edited = append(edited, after...)
			if c.name == "mark and CRLF" {
				return
			}
			back, err = carried(t, e).Revert(edited)
			if err != nil || string(back) != "# since\n"+c.before {
				t.Errorf("reverted after an edit: %v\n%q", err, back)
			}
		})
	}
}
