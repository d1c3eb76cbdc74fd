package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestManual: a page for each command that is shown, dated as it was told, the same each time, and links that lead to a page. The
// program itself has nothing of what wrote them.
func TestManual(t *testing.T) {
	dir := t.TempDir()
	writer := filepath.Join(dir, "pulley.exe")
	compile := exec.Command("go", "build", "-tags", "manual", "-o", writer, ".")
	compile.Env = append(os.Environ(), "CGO_ENABLED=0")
	if said, err := compile.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	for _, to := range []string{"one", "two"} {
		cmd := exec.Command(writer, "man", filepath.Join(dir, to))
		cmd.Env = append(os.Environ(), "SOURCE_DATE_EPOCH=86400", "TZ=America/Los_Angeles")
		if said, err := cmd.CombinedOutput(); err != nil || len(said) > 0 {
			t.Fatalf("%v\n%s", err, said)
		}
	}
	pages := map[string]bool{}
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		pages[strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1"] = true
		for _, below := range cmd.Commands() {
			if below.IsAvailableCommand() {
				walk(below)
			}
		}
	}
	walk(newRoot())
	written, err := os.ReadDir(filepath.Join(dir, "one"))
	if err != nil || len(written) != len(pages) {
		t.Errorf("%v: %d pages for %d commands", err, len(written), len(pages))
	}
	for name := range pages {
		if err := soundPage(filepath.Join(dir, "one"), filepath.Join(dir, "two"), name, pages); err != nil {
			t.Error(err)
		}
	}
	linked, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil || bytes.Contains(linked, []byte("md2man")) || bytes.Contains(linked, []byte("cobra/doc")) {
		t.Errorf("the program without the tag carries what writes pages: %v", err)
	}
}

var seen = regexp.MustCompile(`\\fB(pulley[-a-z]*)\(1\)`)

func soundPage(dir, again, name string, pages map[string]bool) error {
	page, err := os.ReadFile(filepath.Join(dir, name)) //nolint:gosec // a folder of this test
	if err != nil {
		return err
	}
	if !bytes.Contains(page, []byte(`.TH "`)) || !bytes.Contains(page, []byte(`"Jan 1970"`)) {
		return fmt.Errorf("%s: %.200s", name, page)
	}
	same, err := os.ReadFile(filepath.Join(again, name)) //nolint:gosec // as above
	if err != nil {
		return err
	}
	if !bytes.Equal(same, page) {
		return fmt.Errorf("%s is another one each time", name)
	}
	links := seen.FindAllSubmatch(page, -1)
	for _, link := range links {
		if !pages[string(link[1])+".1"] {
			return fmt.Errorf("%s leads to %s, which is no page", name, link[1])
		}
	}
	if len(links) == 0 {
		return fmt.Errorf("%s leads nowhere", name)
	}
	return nil
}
