package imagelist

import (
	"maps"
	"regexp"
	"slices"

	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// arguments is the global scope of a Dockerfile: what FROM can refer to.
// https://docs.docker.com/reference/dockerfile/#understand-how-arg-and-from-interact
type arguments struct {
	lex      *shell.Lex
	values   environment
	declared map[string]bool     // by ARG before the first FROM
	lacking  map[string][]string // arguments whose default refers to ones without a value
}

// newArguments holds the automatic platform arguments; args given override those too, as in BuildKit.
// https://docs.docker.com/reference/dockerfile/#automatic-platform-args-in-the-global-scope
func newArguments(lex *shell.Lex, build, target platform, stage string, args map[string]string) *arguments {
	a := &arguments{
		lex: lex,
		values: environment{
			"BUILDPLATFORM": build.String(), "BUILDOS": build.os, "BUILDOSVERSION": "", "BUILDARCH": build.arch, "BUILDVARIANT": build.variant,
			"TARGETPLATFORM": target.String(), "TARGETOS": target.os, "TARGETOSVERSION": "", "TARGETARCH": target.arch, "TARGETVARIANT": target.variant,
			"TARGETSTAGE": stage,
		},
		declared: make(map[string]bool),
		lacking:  make(map[string][]string),
	}
	for k := range a.values {
		if v, ok := args[k]; ok {
			a.values[k] = v
		}
	}
	return a
}

// declare is one ARG name[=value] before the first FROM; given is what was passed for it.
func (a *arguments) declare(name string, value *string, given string, passed bool) error {
	a.declared[name] = true
	switch {
	case passed:
		a.values[name] = given
		delete(a.lacking, name)
	case value != nil:
		v, unset, err := a.expand(*value)
		if err != nil {
			return err
		}
		a.values[name] = v
		delete(a.lacking, name)
		if len(unset) > 0 {
			a.lacking[name] = unset
		}
	}
	return nil
}

// expand fills in a word and says which arguments without a value its outcome hangs on.
func (a *arguments) expand(word string) (string, []string, error) {
	r, err := a.lex.ProcessWordWithMatches(word, a.values)
	if err != nil {
		return "", nil, err
	}
	var unset []string
	for _, name := range slices.Sorted(maps.Keys(r.Unmatched)) {
		if plain(word, name) && a.matters(word, name, r.Result) {
			unset = append(unset, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Matched)) {
		unset = append(unset, a.lacking[name]...)
	}
	return r.Result, slices.Compact(unset), nil
}

// plain reports whether word has $name without an alternative of its own, as ${name:-…} has.
func plain(word, name string) bool {
	n := regexp.QuoteMeta(name)
	return regexp.MustCompile(`\$` + n + `(?:\W|$)|\$\{` + n + `(?:[^\w:+?-]|$)`).MatchString(word)
}

// matters reports whether a value for name would change what became of word: in ${A:-$B}, B matters only without A.
func (a *arguments) matters(word, name, without string) bool {
	with := maps.Clone(a.values)
	with[name] = "\x01"
	r, err := a.lex.ProcessWordWithMatches(word, with)
	return err != nil || r.Result != without
}
