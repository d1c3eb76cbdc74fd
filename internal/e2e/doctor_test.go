//go:build e2e

package e2e

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"pulley/internal/doctor"
)

// examined is what the doctor finds in the sandbox: the IDs of what it blames, and the whole.
func (v *served) examined(t *testing.T) (blamed []string, r doctor.Report) {
	t.Helper()
	out, err := v.inside(t, "env", "PULLEY_HOME="+v.rig.home, pulleyBin, "doctor", "docker.io/library/through:1", "--json")
	if jerr := json.Unmarshal([]byte(out), &r); jerr != nil {
		t.Fatalf("%v, %v: %s", jerr, err, out)
	}
	for _, f := range r.Findings {
		if f.Level == doctor.Problem || f.Level == doctor.Warning {
			blamed = append(blamed, f.ID)
		}
	}
	return blamed, r
}

// finds wants these blamed and nothing else, and a text somewhere in the report.
func (v *served) finds(t *testing.T, when string, want []string, text string) {
	t.Helper()
	blamed, r := v.examined(t)
	whole, err := json.MarshalIndent(r.Findings, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(blamed, want) || !strings.Contains(string(whole), text) {
		t.Errorf("%s: blamed %v, want %v and %q:\n%s", when, blamed, want, text, whole)
	}
}

// TestDoctorOfARealDockerd: what the doctor says of an engine is what a real one says of itself, not wired, wired in both
// ways, trusting or not, stopped.
func TestDoctorOfARealDockerd(t *testing.T) {
	for version := range dockerds {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			v := serve(t, version, "", "", "", "through")
			v.finds(t, "not wired", []string{"engine.unwired"}, "pulley connect docker")
			v.pulley(t, "connect", "docker")
			v.finds(t, "a mirror", nil, "is pointed at Pulley, as a mirror")
			v.pulley(t, "disconnect", "docker", "--yes")
			v.pulley(t, "connect", "docker", "--proxy", "--yes")
			v.finds(t, "a proxy", nil, "the system trusts Pulley's certificates")
			v.pulley(t, "ca", "untrust")
			v.finds(t, "a proxy that is not trusted", []string{"trust.missing"}, "pulley ca trust")
			if _, err := v.inside(t, "/etc/init.d/docker", "stop"); err != nil {
				t.Fatal(err)
			}
			v.finds(t, "stopped", []string{"engine.down"}, "Is the engine running?")
		})
	}
}
