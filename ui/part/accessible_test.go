package part_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/part"
)

// widgets are all types of this package that draw themselves, with the methods they have or embed, from its source.
func widgets(t *testing.T) map[string][]string {
	t.Helper()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	methods, embedded := map[string][]string{}, map[string][]string{}
	for _, name := range sources {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, is := n.(*ast.TypeSpec)
			if !is {
				return true
			}
			if fields, is := spec.Type.(*ast.StructType); is {
				for _, f := range fields.Fields.List {
					if len(f.Names) == 0 {
						embedded[spec.Name.Name] = append(embedded[spec.Name.Name], types.ExprString(f.Type))
					}
				}
			}
			return true
		})
		for _, d := range file.Decls {
			f, is := d.(*ast.FuncDecl)
			if !is || f.Recv == nil {
				continue
			}
			if star, is := f.Recv.List[0].Type.(*ast.StarExpr); is {
				if of, is := star.X.(*ast.Ident); is {
					methods[of.Name] = append(methods[of.Name], f.Name.Name)
				}
			}
		}
	}
	methods["widget.Button"] = []string{"AccessibilityLabel", "AccessibilityRole"} // Fyne's own says its text
	for name := range methods {
		for _, other := range embedded[name] {
			methods[name] = append(methods[name], slices.DeleteFunc(slices.Clone(methods[other]), func(m string) bool { return m == "CreateRenderer" })...)
		}
	}
	for name, has := range methods {
		if !slices.Contains(has, "CreateRenderer") {
			delete(methods, name)
		}
	}
	return methods
}

// Who cannot see a widget is told of it: Fyne asks each for a label and a role, and passes over those that have none.
func TestEveryWidgetIsToldToThoseWhoCannotSeeIt(t *testing.T) {
	found := widgets(t)
	if len(found) < 15 {
		t.Fatalf("only %d widgets were found: %v", len(found), found)
	}
	for name, has := range found {
		if name == "lines" {
			continue // the table that it is part of speaks for it
		}
		for _, method := range []string{"AccessibilityLabel", "AccessibilityRole"} {
			if !slices.Contains(has, method) {
				t.Errorf("%s has no %s", name, method)
			}
		}
	}
}

// What the keyboard can be on says what it is.
func TestEveryControlHasALabel(t *testing.T) {
	open(t, part.NewText(""))
	press, sw, choice := part.NewPress(fynetheme.DeleteIcon(), nil), part.NewSwitch(nil), part.NewChoice(nil)
	press.Label, sw.Label, choice.Label = "Remove", "Keep what is pulled", "Route"
	choice.Set([]part.Option{{Value: "a", Label: "Automatic"}}, "a")
	segments := part.NewSegments([]string{"All", "Failed"}, 1, nil)
	segments.Label = "Show"
	search := part.NewSearch("Search images", nil)
	meter := part.NewMeter()
	meter.Label = "Disk"
	meter.Set(part.Share{Part: 0.25})
	entry, secret := part.NewEntry(), part.NewEntry()
	entry.Label, secret.Label, secret.Password = "Address", "Password", true
	entry.SetText("ssh://root@203.0.113.7")
	secret.SetText("not for the room")
	table := newGrid(t, "alpine", "busybox")
	table.Label = "Images"
	table.window.Canvas().Focus(table.Table)
	for object, want := range map[fyne.Accessible]string{
		press:                        "Remove",
		sw:                           "Keep what is pulled: off",
		choice:                       "Route: Automatic",
		segments:                     "Show: Failed",
		search:                       "Search images",
		meter:                        "Disk: 25%",
		table.Table:                  "Images, 2 rows. alpine, 6 MiB, note",
		entry:                        "Address: ssh://root@203.0.113.7",
		secret:                       "Password",
		part.NewLink("Details", nil): "Details",
		part.NewIconButton(fynetheme.DeleteIcon(), "Delete", nil):            "Delete",
		part.NewCopy("Digest", nil, nil):                                     "Copy: Digest",
		part.NewCopy("", func() string { return "docker pull alpine" }, nil): "Copy: docker pull alpine",
		part.NewBadge("running", ""):                                         "running",
		part.NewText("a text"):                                               "a text",
		part.NewField("Language", "of the app", choice):                      "Language: of the app: Route: Automatic",
		part.NewSheet(container.NewVBox(part.NewText("Disk"), container.NewVScroll(part.NewLink("Free space", nil)), part.NewRule())): "Disk, Free space",
	} {
		if got := object.AccessibilityLabel(); got != want {
			t.Errorf("%T says %q, want %q", object, got, want)
		}
	}
}

// Fyne passes over whatever calls itself a container but is none of its own: what holds others reads them out instead.
func TestWhatHoldsOthersReadsThemOut(t *testing.T) {
	open(t, part.NewText(""))
	table := newGrid(t).Table
	table.Label = "Images"
	order := part.NewReorder(nil)
	order.Set(
		part.ReorderItem{ID: "a", Name: "daocloud", Content: container.NewHBox(part.NewText("daocloud"), part.NewBadge("fastest", ""))},
		part.ReorderItem{ID: "b", Name: "ustc", Content: container.NewHBox()},
	)
	for want, o := range map[string]fyne.Accessible{
		"daocloud, fastest; ustc": order,
		"Images, 0 rows":          table,
		"Address":                 part.NewScroll(container.NewVBox(part.NewText("Address"))),
		"What is kept here.":      part.NewSheet(part.NewProse("What is kept here.")),
	} {
		if got := o.AccessibilityLabel(); got != want || o.AccessibilityRole() != fyne.AccessibleRoleText {
			t.Errorf("%T says %q as a %s, want %q", o, got, o.AccessibilityRole(), want)
		}
	}
}
