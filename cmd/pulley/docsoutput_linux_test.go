package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/internal/hubtest"
)

// TestOutputInDocs: what a page shows below a command is what the program prints, but for names and figures.
func TestOutputInDocs(t *testing.T) {
	shown := map[string]string{}
	for _, page := range docsPages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			if m[1] == "console" {
				command, output, _ := strings.Cut(strings.TrimPrefix(m[2], "$ "), "\n")
				shown[command] = output
			}
		}
	}
	want, ok := shown["pulley doctor alpine:3.20"]
	if !ok || len(shown) != 1 { // another one needs a case of its own below
		t.Fatalf("the pages show what these print: %q", keys(shown))
	}

	// Docker Hub's name leads to somebody else, and a mirror that has closed is switched on.
	p := newPatient(t)
	_, port, _ := net.SplitHostPort(p.origin.Addr())
	p.settings.Registry = fmt.Sprintf("hosts = [\"localhost:%s\"]\n[[registry.mirror]]\nname = \"ustc\"\nenabled = true\n", port)
	p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", WrongName: true})
	p.begin()
	got, said, status := p.command("doctor", "alpine:3.20", "--engine", "default")
	if status != 1 || said != "pulley: doctor: 1 problem\n" {
		t.Errorf("status %d: %s", status, said)
	}
	got = strings.NewReplacer("localhost:"+port, "registry-1.docker.io", "localhost", "registry-1.docker.io", "somebody-else.example", "*.facebook.com").Replace(got)
	mine, theirs := strings.Split(figures(want), "\n"), strings.Split(figures(got), "\n")
	for i := range max(len(mine), len(theirs)) {
		var a, b string
		if i < len(mine) {
			a = mine[i]
		}
		if i < len(theirs) {
			b = theirs[i]
		}
		if a != b {
			t.Fatalf("line %d: the page has\n%s\nand the program prints\n%s\nall of it:\n%s", i+1, a, b, got)
		}
	}
}

// figures is a text with what differs from machine to machine taken out.
func figures(text string) string {
	for from, to := range map[string]string{
		`/\S*/config\.toml\b`: "FILE", `cached in \S+$`: "cached in FOLDER", `unix://\S+/\w[\w.]*`: "SOCKET", `version [^,]+, process \d+`: "version V, process P", `\d+(\.\d+){3}(:\d+)?`: "ADDRESS",
		`\d+(\.\d+)?([KMG]i)?B`: "SIZE", ` +\n`: "\n",
	} {
		text = regexp.MustCompile("(?m)"+from).ReplaceAllString(text, to)
	}
	return text
}

// TestSettingsInDocs: the settings that pages show are settings.
func TestSettingsInDocs(t *testing.T) {
	n := 0
	for _, page := range docsPages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range fence.FindAllStringSubmatch(string(text), -1) {
			if m[1] != "toml" || strings.HasPrefix(m[2], "[host.") { // containerd's
				continue
			}
			n++
			file := filepath.Join(t.TempDir(), "config.toml")
			if err := os.WriteFile(file, []byte(m[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := config.Load(file, nil); err != nil {
				t.Errorf("%s: %v\n%s", page, err, m[2])
			}
		}
	}
	if n < 5 {
		t.Errorf("only %d were found", n)
	}
}

// TestReleaseNames: the files that the README has people take are those that a release has.
func TestReleaseNames(t *testing.T) {
	for file, names := range map[string][]string{
		"../../.ci/dist":                                             {`name=pulley_${version}_$1_$2`, `name=pulley-tray_${version}_linux_amd64`, `packaged_daemon "$arch"`, "SHA256SUMS"},
		"../../.github/workflows/release.yml":                        {"manifests.tar.gz"},
		"../../assets/packaging/nfpm/pulley.yaml":                    {"name: pulley\n"},
		"../../assets/packaging/nfpm/pulley-tray.yaml":               {"name: pulley-tray\n"},
		"../../assets/packaging/homebrew/pulley.rb":                  {"class Pulley"},
		"../../assets/packaging/scoop/pulley.json":                   {`"bin": "pulley.exe"`},
		"../../assets/packaging/winget/Pulley.Pulley.installer.yaml": {"PortableCommandAlias: pulley"},
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Error(err)
		}
		for _, name := range names {
			if !strings.Contains(string(text), name) {
				t.Errorf("%s has no %s", file, name)
			}
		}
	}
}
