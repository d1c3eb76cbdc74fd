package choose

import (
	"slices"
	"strings"
	"testing"
)

// What is read by a person can hold anything; none of it may become script.
func TestWordsAreNoScript(t *testing.T) {
	const evil = `"; do shell script "rm -rf ~"; $(rm) '`
	for _, w := range []what{open, save, folder} {
		q := question{what: w, title: evil, name: evil, extensions: []string{".tar"}}
		args := q.apple()
		end := slices.Index(args, "--")
		if end < 0 {
			t.Fatalf("%v: no end of the script", args)
		}
		if strings.Contains(strings.Join(args[:end], " "), "rm") {
			t.Errorf("in the script for osascript: %q", args[:end])
		}
		script, environ := q.power()
		if strings.Contains(script, "rm -rf") {
			t.Errorf("in the script for PowerShell: %s", script)
		}
		if !slices.Contains(environ, titleVariable+"="+evil) {
			t.Errorf("the title is lost: %q", environ)
		}
	}
}

func TestKindsOfFiles(t *testing.T) {
	q := question{what: open, title: "T", extensions: []string{".tar", ".yaml"}}
	if got, want := q.filter(), "*.tar;*.yaml|*.tar;*.yaml|*.*|*.*"; got != want {
		t.Errorf("filter %q, want %q", got, want)
	}
	if got := (question{}).filter(); got != "*.*|*.*" {
		t.Errorf("filter %q", got)
	}
	if got := q.apple(); !slices.Equal(got[len(got)-3:], []string{"T", "tar", "yaml"}) {
		t.Errorf("arguments %q", got)
	}
}
