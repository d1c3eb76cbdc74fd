package imagelist

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/template"
	"github.com/compose-spec/compose-go/v2/tree"
)

// variables fills in a Compose file's variables (https://docs.docker.com/reference/compose-file/interpolation/). To
// docker compose one without a value is empty, with a warning; here it matters where an image's name hangs on it, and
// nowhere else. So every value is filled in twice: as docker compose does it, and with a mark in place of each variable
// without a value. The library asks for a cast of a value right after it had it substituted, by path: there the
// marked one is handed out for the paths that lead to images.
type variables struct {
	marked  string            // the last value substituted, with marks
	reasons map[string]string // what ${NAME:?reason} says of a variable
}

var (
	// A variable without an alternative of its own, or an escaped dollar sign, which must not be taken for one.
	plainVariable = regexp.MustCompile(`\$(?:\$|([A-Za-z_][A-Za-z0-9_]*)|\{([A-Za-z_][A-Za-z0-9_]*)\})`)
	mark          = regexp.MustCompile("\x01([A-Za-z_][A-Za-z0-9_]*)\x02")
)

func (v *variables) substitute(text string, lookup template.Mapping) (string, error) {
	if !strings.Contains(text, "$") {
		v.marked = text
		return text, nil
	}
	var err error
	if v.marked, err = v.fill(text, lookup, func(name string) string { return "\x01" + name + "\x02" }); err != nil {
		return "", err
	}
	return v.fill(text, lookup, func(string) string { return "" })
}

// fill substitutes, with missing(name) for a variable without a value.
func (v *variables) fill(text string, lookup template.Mapping, missing func(string) string) (string, error) {
	text = plainVariable.ReplaceAllStringFunc(text, func(m string) string {
		name := strings.Trim(m, "${}")
		if _, ok := lookup(name); ok || name == "" {
			return m
		}
		return missing(name)
	})
	out, err := template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
	if r, ok := errors.AsType[*template.MissingRequiredError](err); ok {
		v.reasons[r.Variable] = r.Reason
		return missing(r.Variable), nil
	}
	return out, err
}

// casts names the paths that lead to images. There are no others: the library's own would refuse values that are
// none of this package's business.
func (v *variables) casts() map[tree.Path]interpolation.Cast {
	take := func(value string) (any, error) { return v.marked, nil }
	casts := map[tree.Path]interpolation.Cast{}
	for _, p := range []string{
		"image", "platform", "build", "build.context", "build.dockerfile", "build.dockerfile_inline", "build.target",
		"build.args.*", "build.additional_contexts.*", "build.platforms.*", "pre_start.*.image", "volumes.*.source",
	} {
		for _, section := range []string{"services", "jobs"} {
			casts[tree.Path(section+".*."+p)] = take
		}
	}
	for _, p := range []string{"include.*", "include.*.path", "include.*.path.*", "services.*.extends.file"} {
		casts[tree.Path(p)] = take
	}
	return casts
}

// unset lists the variables that a marked value lacks.
func unset(marked string) []string {
	var names []string
	for _, m := range mark.FindAllStringSubmatch(marked, -1) {
		if !slices.Contains(names, m[1]) {
			names = append(names, m[1])
		}
	}
	return names
}

// readable puts variables where their marks are.
func (v *variables) readable(s string) string {
	return mark.ReplaceAllStringFunc(s, func(m string) string { return fmt.Sprintf("${%s}", strings.Trim(m, "\x01\x02")) })
}
