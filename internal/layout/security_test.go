package layout

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	// A row of the table in docs/security.md: a promise, and what holds it.
	promiseRow = regexp.MustCompile(`(?m)^\| \*\*([^*]+)\*\*.*\| (.+) \|$`)
	// "`proxy/ca`: TestA, FuzzB; `cmd/pulley`: some.txtar"
	packageOf = regexp.MustCompile("^`([a-z0-9/]+)`: (.+)$")
	testName  = regexp.MustCompile(`^(Test|Fuzz)[A-Z][A-Za-z0-9]*$`)
)

// TestPromisesAreHeld: each promise of docs/security.md names tests, and each of them is
// in the package that is named.
func TestPromisesAreHeld(t *testing.T) {
	text, err := os.ReadFile(filepath.FromSlash("../../docs/security.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "\n## What holds these promises\n")
	table, _, more := strings.Cut(table, "\n## ")
	if !found || !more {
		t.Fatal("docs/security.md has no section about what holds its promises")
	}
	rows := promiseRow.FindAllStringSubmatch(table, -1)
	if len(rows) < 15 { // it has more: the pattern would have gone blind
		t.Errorf("only %d promises were found", len(rows))
	}
	for _, row := range rows {
		for part := range strings.SplitSeq(row[2], "; ") {
			m := packageOf.FindStringSubmatch(part)
			if m == nil {
				t.Errorf("%s: %q names no package with its tests", row[1], part)
				continue
			}
			for name := range strings.SplitSeq(m[2], ", ") {
				if !isThere(t, m[1], name) {
					t.Errorf("%s: %s has no %s", row[1], m[1], name)
				}
			}
		}
	}
}

// isThere reports whether a package has a test, a fuzz target, or a script.
func isThere(t *testing.T, pkg, name string) bool {
	t.Helper()
	dir := filepath.Join("..", "..", filepath.FromSlash(pkg))
	if filepath.Ext(name) == ".txtar" {
		_, err := os.Stat(filepath.Join(dir, "testdata", name))
		return err == nil
	}
	if !testName.MatchString(name) {
		return false
	}
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(text), "\nfunc "+name+"(") {
			return true
		}
	}
	return false
}
