package layout

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// rules say what a package (and whatever it imports of ours) must never reach. A trailing /... means the packages below
// too. Test files are not held to them.
var rules = []struct {
	from, never string
	why         string
}{
	{"pulley/cmd/pulley-tray", "pulley/internal/daemon", "the tray is a client: it must live when the daemon does not, and the daemon without it"},
	{"pulley/cmd/pulley-tray", "pulley/proxy/...", "the tray is a client of the control interface and nothing else"},
	{"pulley/cmd/pulley-tray", "pulley/cache", "the tray holds no truth of its own"},
	{"pulley/ui/...", "fyne.io/fyne/v2/app", "the app driver needs cgo and a display; the pages are tested without"},
	{"pulley/ui/...", "pulley/internal/daemon", "what a person sees knows the daemon by its control interface alone"},
	{"pulley/ui/...", "pulley/proxy/...", "the same"},
	{"pulley/ui/...", "pulley/cache", "the same"},
	{"pulley/cmd/pulley", "fyne.io/fyne/v2/...", "the command line and the daemon build without cgo and run without a display"},
	{"pulley/internal/daemon", "fyne.io/fyne/v2/...", "the daemon runs without a display"},
	{"pulley/internal/control/...", "fyne.io/fyne/v2/...", "nothing below ui knows Fyne"},
	{"pulley/internal/control/...", "pulley/proxy/...", "the interface is data; the daemon fills it in"},
	{"pulley/internal/control/...", "pulley/cache", "the same"},
	{"pulley/internal/control/client", "pulley/internal/control/server", "both ends speak by the types between them"},
	{"pulley/internal/control/server", "pulley/internal/control/client", "the same"},
	{"pulley/cache", "net/http", "the cache is about bytes on disk; who asks for them and how is registry's"},
	{"pulley/cache/bundle", "net/http", "the same: what is missing is fetched elsewhere"},
	{"pulley/cache/bundle", "pulley/proxy/...", "the same"},
	{"pulley/cache", "pulley/proxy/...", "the cache must not know where bytes come from"},
	{"pulley/proxy/fetch", "pulley/cache", "fetch and cache meet in registry, so that each can be tested and replaced alone"},
	{"pulley/proxy/egress/...", "pulley/proxy", "egress dials and nothing else"},
	{"pulley/proxy/egress/...", "pulley/proxy/ca", "the same"},
	{"pulley/proxy/egress/...", "pulley/proxy/registry", "the same"},
	{"pulley/proxy/egress/...", "pulley/proxy/fetch", "the same"},
	{"pulley/proxy/egress/...", "pulley/proxy/source", "the same"},
	{"pulley/proxy/egress/...", "pulley/proxy/token", "the same"},
	{"pulley/proxy/egress/ssh", "pulley/...", "an ssh machine is a URL and the person's own ssh; settings are egress's business"},
	{"pulley/proxy/egress/system", "pulley/...", "what a system says is read, not judged"},
	{"pulley/proxy/token", "pulley/proxy/egress", "a token call is given its network"},
	{"pulley/proxy/token", "pulley/proxy/source", "imports point down: source asks token"},
	{"pulley/proxy/source", "pulley/proxy/fetch", "imports point down: fetch asks source"},
	{"pulley/proxy/source", "pulley/proxy/registry", "imports point down"},
	{"pulley/proxy/source/...", "pulley/cache", "places and the shared store know bytes by their digests, not where they lie here"},
	{"pulley/proxy/source/shared", "pulley/proxy/egress", "the store is given its way out"},
	{"pulley/proxy/source/shared", "pulley/proxy/token", "its requests are signed, not authorised by tokens"},
	{"pulley/proxy/fetch", "pulley/proxy/registry", "imports point down"},
	{"pulley/proxy/registry", "pulley/proxy", "imports point down: the port hands requests to registry"},
	{"pulley/proxy/ca", "pulley/proxy/...", "an authority knows names and keys, not connections"},
	{"pulley/proxy/ca", "pulley/internal/config", "the same"},
	{"pulley/proxy/...", "pulley/internal/daemon", "imports point down: the daemon puts them together"},
	{"pulley/internal/doctor", "pulley/internal/daemon", "the doctor looks at a daemon from outside, also where none can start"},
	{"pulley/internal/doctor", "pulley/cache", "what is on disk is the daemon's to touch; the doctor asks it"},
	{"pulley/internal/config", "net/http", "settings are data: nothing is dialled to read them"},
	{"pulley/internal/config", "pulley/proxy/...", "settings do not know what they are used for"},
	{"pulley/internal/docker/machine", "pulley/...", "a computer is files and programs; engines and Pulley are other people's business"},
	{"pulley/internal/docker/wiring", "pulley/internal/daemon", "wiring is told where Pulley is, and works without one"},
	{"pulley/internal/docker/wiring", "pulley/internal/control/...", "the same"},
	{"pulley/internal/docker/wiring", "pulley/proxy/...", "the same"},
	{"pulley/internal/docker/edit", "pulley/internal/docker/machine", "an edit is of a text; where that lies is wiring's"},
	{"pulley/internal/docker/edit", "pulley/internal/docker/wiring", "an edit does not know engines"},
	{"pulley/internal/docker/share", "pulley/internal/daemon", "what is lent is a port"},
	{"pulley/internal/handover", "pulley/internal/daemon", "files and words between two processes; what they mean is the daemon's"},
	{"pulley/internal/handover", "pulley/proxy/...", "the same"},
	{"pulley/internal/handover", "pulley/cache", "the same"},
	{"pulley/internal/docker/context", "pulley/internal/config", "contexts are docker's files: the command line and the tray work on them without a daemon"},
	{"pulley/internal/docker/context", "pulley/internal/control/...", "the same"},
	{"pulley/internal/docker/context", "pulley/internal/daemon", "the same"},
	{"pulley/internal/docker/context", "pulley/cache", "the same"},
	{"pulley/internal/docker/context", "pulley/internal/docker/wiring", "a context is a name for an engine; how that is wired is wiring's"},
	{"pulley/internal/docker/context", "pulley/proxy/...", "nothing goes through Pulley to reach it"},
	{"pulley/internal/trust", "pulley/proxy/...", "trust stores are given a PEM file; how a CA is made is not theirs to know"},
	{"pulley/internal/trust", "pulley/internal/config", "the same"},
	{"pulley/internal/service", "pulley/internal/daemon", "the daemon is a program to it, found by its path and asked over the control socket"},
	{"pulley/internal/service", "pulley/proxy/...", "the same"},
	{"pulley/internal/service", "pulley/cache", "the same"},
	{"pulley/ui/lang", "fyne.io/fyne/v2/...", "texts are said without a pixel"},
	{"pulley/ui/model", "fyne.io/fyne/v2/...", "what is known is not how it is drawn"},
	{"pulley/ui/tray", "fyne.io/fyne/v2/...", "a menu is a function of what is known"},
	{"pulley/ui/part", "pulley/ui/page/...", "a widget does not know where it is shown"},
	{"pulley/assets", "pulley/...", "data without logic"},
	{"pulley/proxy/socket", "pulley/...", "a connection is bytes"},
	{"pulley/internal/lapse", "pulley/...", "a table does not know what is in it"},
	{"pulley/internal/hubtest", "pulley/...", "the Hub for tests must not share our mistakes"},
	{"pulley/internal/waytest", "pulley/...", "servers for tests are other people's programs"},
}

func TestImportsPointDown(t *testing.T) {
	imports := load(t)
	for _, rule := range rules {
		matched := false
		for from := range imports {
			if !within(from, rule.from) {
				continue
			}
			matched = true
			if path := reach(imports, from, rule.never); path != nil {
				t.Errorf("%s must not import %s: %s\n\t%s", rule.from, rule.never, rule.why, strings.Join(path, " → "))
			}
		}
		if !matched {
			t.Errorf("no package is %s: the rule about %s guards nothing", rule.from, rule.never)
		}
	}
}

// pages are the packages under ui/page that are one: the others there serve them.
var pages = []string{"activity", "docker", "first", "images", "mirrors", "overview", "settings"}

func TestPagesDoNotKnowEachOther(t *testing.T) {
	imports := load(t)
	for _, from := range append(pages, "engine", "pagetest") {
		if imports["pulley/ui/page/"+from] == nil {
			t.Errorf("there is no page %s: the rule about it guards nothing", from)
		}
		for _, to := range pages {
			if from == to {
				continue
			}
			if path := reach(imports, "pulley/ui/page/"+from, "pulley/ui/page/"+to); path != nil {
				t.Errorf("a page must not import another: one leads to another by Desk.Visit\n\t%s", strings.Join(path, " → "))
			}
		}
	}
	for from := range imports {
		name, below := strings.CutPrefix(from, "pulley/ui/page/")
		if below && name != "engine" && name != "pagetest" && !slices.Contains(pages, name) {
			t.Errorf("%s is a page that this test does not know, or belongs elsewhere", from)
		}
	}
}

// reach is a way from one package to a forbidden one, over packages of ours.
func reach(imports map[string][]string, from, never string) []string {
	came := map[string]string{from: ""}
	for queue := []string{from}; len(queue) > 0; queue = queue[1:] {
		at := queue[0]
		for _, to := range imports[at] {
			if _, seen := came[to]; seen {
				continue
			}
			came[to] = at
			if within(to, never) {
				return way(came, to)
			}
			queue = append(queue, to)
		}
	}
	return nil
}

func way(came map[string]string, to string) (path []string) {
	for at := to; at != ""; at = came[at] {
		path = append(path, at)
	}
	slices.Reverse(path)
	return path
}

func within(path, pattern string) bool {
	if below, ok := strings.CutSuffix(pattern, "/..."); ok {
		return path == below || strings.HasPrefix(path, below+"/")
	}
	return path == pattern
}

// load maps each package of the module to what its files import, test files and other modules' packages aside.
func load(t *testing.T) map[string][]string {
	t.Helper()
	root := filepath.Join("..", "..")
	imports := make(map[string][]string)
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if e.IsDir() {
			if name := e.Name(); name == "testdata" || strings.HasPrefix(name, ".") && path != root {
				return filepath.SkipDir
			}
			if _, err := os.Stat(filepath.Join(path, "go.mod")); err == nil && path != root {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(path))
		if err != nil {
			return err
		}
		from := "pulley/" + filepath.ToSlash(dir)
		for _, spec := range file.Imports {
			to, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if !slices.Contains(imports[from], to) {
				imports[from] = append(imports[from], to)
			}
		}
		if imports[from] == nil {
			imports[from] = []string{}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return imports
}
