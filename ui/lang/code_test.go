package lang_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pulley/ui/lang"
)

// source is one Go file of the desktop app.
type source struct {
	path    string
	set     *token.FileSet
	file    *ast.File
	imports map[string]string // name in the file → path
	parents map[ast.Node]ast.Node
}

func (s *source) at(n ast.Node) string {
	position := s.set.Position(n.Pos())
	return s.path + ":" + strconv.Itoa(position.Line)
}

// called is the package (or "" for a method) and the name of what a call calls.
func (s *source) called(call *ast.CallExpr) (from, name string) {
	switch f := call.Fun.(type) {
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok {
			return s.imports[x.Name], f.Sel.Name
		}
		return "", f.Sel.Name
	case *ast.Ident:
		return "", f.Name
	}
	return "", ""
}

// literal is the value of a string literal.
func literal(n ast.Node) (string, bool) {
	l, ok := n.(*ast.BasicLit)
	if !ok || l.Kind != token.STRING {
		return "", false
	}
	value, err := strconv.Unquote(l.Value)
	return value, err == nil
}

// app is the code of the desktop app, without tests.
func app(t *testing.T) []*source {
	t.Helper()
	var all []*source
	root := filepath.Join("..", "..")
	for _, folder := range []string{"ui", "cmd/pulley-tray", "internal/desktop"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() && strings.HasSuffix(d.Name(), "test") { // rigs for tests, as ui/page/pagetest
				return fs.SkipDir
			}
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			relative, _ := filepath.Rel(root, path)
			s := &source{path: filepath.ToSlash(relative), set: token.NewFileSet(), imports: map[string]string{}, parents: map[ast.Node]ast.Node{}}
			if s.file, err = parser.ParseFile(s.set, path, nil, parser.SkipObjectResolution); err != nil {
				return err
			}
			for _, i := range s.file.Imports {
				from, _ := strconv.Unquote(i.Path.Value)
				name := from[strings.LastIndex(from, "/")+1:]
				if i.Name != nil {
					name = i.Name.Name
				}
				s.imports[name] = from
			}
			var open []ast.Node
			ast.Inspect(s.file, func(n ast.Node) bool {
				if n == nil {
					open = open[:len(open)-1]
					return true
				}
				if len(open) > 0 {
					s.parents[n] = open[len(open)-1]
				}
				open = append(open, n)
				return true
			})
			all = append(all, s)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 20 {
		t.Fatalf("only %d files", len(all))
	}
	return all
}

// Every key that is said is there, with values for all its placeholders, and every key that is there is said.
func TestKeysAreSaid(t *testing.T) {
	known := texts(t, lang.Languages[0])
	said := map[string]bool{}
	var prefixes []string
	for _, s := range app(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			if value, ok := literal(n); ok {
				said[value] = true
			}
			if sum, ok := n.(*ast.BinaryExpr); ok && sum.Op == token.ADD {
				// A key that is put together: "shell.page." + name.
				if value, ok := literal(sum.X); ok && strings.Contains(value, ".") {
					prefixes = append(prefixes, value)
				}
			}
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			if from, name := s.called(call); from != "pulley/ui/lang" || name != "Say" {
				return true
			}
			key, ok := literal(call.Args[0])
			if !ok {
				if sum, put := call.Args[0].(*ast.BinaryExpr); put {
					checkPrefix(t, s, sum, known)
				}
				return true
			}
			m, there := known[key]
			if !there {
				t.Errorf("%s: there is no text %s", s.at(call), key)
				return true
			}
			checkValues(t, s, call, key, m)
			return true
		})
	}
	for key, m := range known {
		if !said[key] && !slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) }) {
			t.Errorf("%s: nobody says %s", m.file, key)
		}
	}
}

// checkPrefix wants a text for what a key that is put together begins with.
func checkPrefix(t *testing.T, s *source, sum *ast.BinaryExpr, known map[string]text) {
	t.Helper()
	for {
		left, deeper := sum.X.(*ast.BinaryExpr)
		if !deeper {
			break
		}
		sum = left
	}
	prefix, ok := literal(sum.X)
	if !ok {
		return
	}
	for key := range known {
		if strings.HasPrefix(key, prefix) {
			return
		}
	}
	t.Errorf("%s: there is no text %s…", s.at(sum), prefix)
}

func checkValues(t *testing.T, s *source, call *ast.CallExpr, key string, m text) {
	t.Helper()
	if call.Ellipsis.IsValid() {
		return
	}
	if len(call.Args)%2 == 0 {
		t.Errorf("%s: %s has a value without a name", s.at(call), key)
	}
	var given []string
	for i := 1; i < len(call.Args); i += 2 {
		name, ok := literal(call.Args[i])
		if !ok {
			return
		}
		given = append(given, name)
	}
	for _, wanted := range m.placeholders() {
		if !slices.Contains(given, wanted) {
			t.Errorf("%s: %s has no value for %s", s.at(call), key, wanted)
		}
	}
	for _, name := range given {
		// Count may be there for the plural alone.
		if name != "Count" && !slices.Contains(m.placeholders(), name) {
			t.Errorf("%s: %s has no place for %s", s.at(call), key, name)
		}
	}
}

var (
	letters = regexp.MustCompile(`\pL`)
	// prose is two words, or Chinese.
	prose = regexp.MustCompile(`\pL{2,}[,:;.…]? \pL{2,}|[\x{3400}-\x{9fff}]`)
	// command is what a person types: the same in every language.
	command = regexp.MustCompile(`^(docker|pulley|podman|kubectl|sudo|ssh-keygen) `)
	// shows are parameters' and fields' names for what a person reads.
	shows = []string{"Text", "Title", "Label", "Hint", "Tip", "PlaceHolder", "Placeholder", "Message", "Words"}
	// takes are methods that take what a person reads.
	takes = []string{"SetText", "SetPlaceHolder", "SetTitle", "SetContentText", "Set"}
	// silent are makers of things without a text.
	silent = []string{"NewStaticResource", "NewCustomPaddedLayout", "NewColoredResource", "NewImageFromFile", "ParseURI", "NewMark", "LogError"}
	// inner are calls whose texts are for other programs, for programmers or for logs; errors of the daemon are shown in English after
	// a sentence of ours.
	inner = []string{
		"New", "Errorf", "panic", "Info", "Warn", "Error", "Debug", "MustCompile", "Command", "CommandContext", "Log", "Logf",
		"Fprintln", "Fprintf", "Fprint", "LogError", "Join", "Cut", "HasPrefix", "HasSuffix", "Contains",
		"TrimPrefix", "TrimSuffix", "Replace", "ReplaceAll", "CutPrefix", "CutSuffix", "Index",
	}
)

// What a person reads is said through lang, and stands nowhere in the code.
func TestNoTextInCode(t *testing.T) {
	for _, s := range app(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			value, ok := literal(n)
			if !ok || !letters.MatchString(value) || command.MatchString(s.beginning(n)) {
				return true
			}
			switch {
			case s.shown(n):
				t.Errorf("%s: %q is shown as it stands", s.at(n), value)
			case strings.HasPrefix(s.path, "ui/") && prose.MatchString(value) && !s.apart(n):
				t.Errorf("%s: %q is prose", s.at(n), value)
			}
			return true
		})
	}
}

// beginning is the first literal of the sum that a literal is in.
func (s *source) beginning(n ast.Node) string {
	for {
		sum, ok := s.parents[n].(*ast.BinaryExpr)
		if !ok {
			break
		}
		n = sum
	}
	for {
		sum, ok := n.(*ast.BinaryExpr)
		if !ok {
			break
		}
		n = sum.X
	}
	value, _ := literal(n)
	return value
}

// shown tells whether a literal is handed to something that shows texts.
func (s *source) shown(n ast.Node) bool {
	switch parent := s.parents[n].(type) {
	case *ast.BinaryExpr:
		return parent.Op == token.ADD && s.shown(parent)
	case *ast.KeyValueExpr:
		key, ok := parent.Key.(*ast.Ident)
		return ok && slices.Contains(shows, key.Name)
	case *ast.CallExpr:
		if parent.Fun == n {
			return false
		}
		from, name := s.called(parent)
		if slices.Contains(silent, name) {
			return false
		}
		toolkit := strings.HasPrefix(from, "fyne.io/fyne/") || from == "pulley/ui/part"
		if toolkit && (strings.HasPrefix(name, "New") || strings.HasPrefix(name, "Show")) {
			return true
		}
		return from == "" && slices.Contains(takes, name) && len(parent.Args) == 1
	}
	return false
}

// apart tells whether a literal is no text for a person: a tag, an import, an error, a line for a log.
func (s *source) apart(n ast.Node) bool {
	for at := s.parents[n]; at != nil; at = s.parents[at] {
		switch at := at.(type) {
		case *ast.ImportSpec, *ast.Field:
			return true
		case *ast.GenDecl:
			if at.Tok == token.CONST && strings.HasPrefix(s.path, "ui/model/") {
				return true // what other programs call something
			}
		case *ast.KeyValueExpr:
			if at.Key == n {
				return true // what is looked up
			}
		case *ast.CallExpr:
			if _, name := s.called(at); slices.Contains(inner, name) {
				return true
			}
		case *ast.FuncLit, *ast.BlockStmt:
			return false
		}
	}
	return false
}
