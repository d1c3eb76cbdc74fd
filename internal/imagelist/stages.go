package imagelist

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/distribution/reference"
	"github.com/moby/buildkit/frontend/dockerfile/instructions"
	"github.com/moby/buildkit/frontend/dockerfile/shell"
)

// graph is a Dockerfile for one target platform: which stage needs which images and which other stages.
type graph struct {
	file   *parsed
	build  Build
	lex    *shell.Lex
	target platform
	chosen bool // target was asked for

	args   *arguments
	stages []stage
	names  map[string]int // stages by name
}

// stage is what one FROM … needs.
type stage struct {
	list        // images and problems of its own
	needs []int // other stages
	seen  bool  // walked
}

// resolve works out every stage; list then picks those that the target needs.
func (g *graph) resolve() error {
	g.args = newArguments(g.lex, machine(), g.target, cmp.Or(g.build.Target, "default"), g.build.Args)
	for _, c := range g.file.args {
		for _, kv := range c.Args {
			given, ok := g.build.Args[kv.Key]
			if err := g.args.declare(kv.Key, kv.Value, given, ok); err != nil {
				return FileError{File: g.file.name, Line: line(c.Location()), Text: oneLine(err.Error())}
			}
		}
	}
	g.stages = make([]stage, len(g.file.stages))
	g.names = make(map[string]int)
	for i := range g.file.stages {
		g.from(i)
		if n := g.file.stages[i].Name; n != "" {
			g.names[strings.ToLower(n)] = i
		}
	}
	for i, s := range g.file.stages {
		for _, c := range s.Commands {
			g.command(i, c)
		}
	}
	return nil
}

// from is what a stage starts from: a named context in its place, a stage above it, scratch, or an image.
func (g *graph) from(i int) {
	in, s := &g.file.stages[i], &g.stages[i]
	at := line(in.Location)
	where, ok := g.platform(in, s)
	if !ok {
		return
	}
	if c, ok := g.context(in.Name); ok && in.Name != "" {
		g.contextImage(s, c, where, at)
		return
	}
	name, unset, err := g.args.expand(in.BaseName)
	switch {
	case err != nil:
		s.problem(g.file.name, at, "FROM %s: %s", in.BaseName, err)
	case len(unset) > 0:
		g.unset(s, at, "FROM "+in.BaseName, unset)
	case name == "":
		s.problem(g.file.name, at, "FROM %s: the name is empty", in.BaseName)
	default:
		if n, ok := g.names[name]; ok {
			s.needs = append(s.needs, n)
			return
		}
		g.image(s, name, where, at)
	}
}

// platform is that of FROM --platform=…, or the target's if one was asked for; not ok after a problem.
func (g *graph) platform(in *instructions.Stage, s *stage) (where string, ok bool) {
	if in.Platform == "" {
		return g.wanted(), true
	}
	at := line(in.Location)
	word, unset, err := g.args.expand(in.Platform)
	if err == nil && len(unset) > 0 {
		g.unset(s, at, "FROM --platform="+in.Platform, unset)
		return "", false
	}
	var p platform
	if err == nil {
		p, err = parsePlatform(word)
	}
	if err != nil {
		s.problem(g.file.name, at, "FROM --platform=%s: %s", in.Platform, err)
		return "", false
	}
	return p.String(), true
}

func (g *graph) wanted() string {
	if g.chosen {
		return g.target.String()
	}
	return ""
}

// unset is the problem of arguments without a value, and what to do about each.
func (g *graph) unset(s *stage, at int, what string, names []string) {
	for _, n := range names {
		if g.args.declared[n] {
			s.problem(g.file.name, at, "%s: ARG %s has no value; %s %s=…", what, n, cmp.Or(g.build.advice, "pass --build-arg"), n)
		} else {
			s.problem(g.file.name, at, "%s: %s is not declared before the first FROM; write ARG %s=… there", what, n, n)
		}
	}
}

// command is what COPY --from and RUN --mount=from need. An image there is for the target platform, whatever the
// stage's own is (dockerfile2llb resolves it like a stage without --platform).
func (g *graph) command(i int, c instructions.Command) {
	s, at := &g.stages[i], line(c.Location())
	switch c := c.(type) {
	case *instructions.CopyCommand:
		if c.From == "" {
			return
		}
		if n, err := strconv.Atoi(c.From); err == nil {
			if n < 0 || n >= len(g.stages) {
				s.problem(g.file.name, at, "COPY --from=%d: there is no stage %d", n, n)
				return
			}
			s.needs = append(s.needs, n)
			return
		}
		g.source(s, c.From, "COPY --from=", at)
	case *instructions.RunCommand:
		for _, m := range instructions.GetMounts(c) {
			if m.From == "" || m.Type != instructions.MountTypeBind && m.Type != instructions.MountTypeCache {
				continue
			}
			g.source(s, m.From, "RUN --mount=from=", at)
		}
	}
}

func (g *graph) source(s *stage, name, what string, at int) {
	if strings.Contains(name, "$") {
		s.problem(g.file.name, at, "%s%s: no variables are possible here; name a stage of its own (FROM %s AS …) and take that", what, name, name)
		return
	}
	if n, ok := g.names[strings.ToLower(name)]; ok {
		s.needs = append(s.needs, n)
		return
	}
	g.image(s, name, g.wanted(), at)
}

func (g *graph) image(s *stage, name, where string, at int) {
	if c, ok := g.context(name); ok {
		g.contextImage(s, c, where, at)
		return
	}
	if name == "scratch" {
		return
	}
	s.add(Image{Name: name, Platform: where, File: g.file.name, Line: at})
}

// context finds a named context for a stage or an image. An image is found under its short name without ":latest",
// as BuildKit's frontend/dockerui does it.
func (g *graph) context(name string) (string, bool) {
	if len(g.build.Contexts) == 0 || name == "" || name == "scratch" {
		return "", false
	}
	if c, ok := g.build.Contexts[name]; ok {
		return c, true
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return "", false
	}
	c, ok := g.build.Contexts[strings.TrimSuffix(reference.FamiliarString(named), ":latest")]
	return c, ok
}

func (g *graph) contextImage(s *stage, context, where string, at int) {
	if name, ok := strings.CutPrefix(context, "docker-image://"); ok {
		s.add(Image{Name: name, Platform: where, File: g.file.name, Line: at})
	}
}

// list is the frontend and what the target needs, in order of appearance.
func (g *graph) list() list {
	var l list
	// The frontend runs where the build does.
	name, at := g.file.frontend, g.file.line
	if v, ok := g.build.Args["BUILDKIT_SYNTAX"]; ok {
		name, at = v, 0
	}
	if name != "" {
		l.add(Image{Name: name, Platform: machine().String(), File: g.file.name, Line: at})
	}
	target, ok := g.find(g.build.Target)
	if !ok {
		l.problem(g.file.name, 0, "no stage is called %s%s", quote(g.build.Target), g.known())
		return l
	}
	var found list
	todo := []int{target}
	for len(todo) > 0 {
		s := &g.stages[todo[0]]
		todo = todo[1:]
		if s.seen {
			continue
		}
		s.seen = true
		todo = append(todo, s.needs...)
		found.images = append(found.images, s.images...)
		found.problems = append(found.problems, s.problems...)
	}
	slices.SortStableFunc(found.images, func(a, b Image) int { return a.Line - b.Line })
	slices.SortStableFunc(found.problems, func(a, b FileError) int { return a.Line - b.Line })
	l.merge(found)
	return l
}

// find is the stage to be built: the last one, or by name; a number was possible before BuildKit.
func (g *graph) find(name string) (int, bool) {
	if name == "" {
		return len(g.stages) - 1, true
	}
	if n, ok := g.names[strings.ToLower(name)]; ok {
		return n, true
	}
	n, err := strconv.Atoi(name)
	return n, err == nil && n >= 0 && n < len(g.stages)
}

func (g *graph) known() string {
	var names []string
	for _, s := range g.file.stages {
		if s.Name != "" {
			names = append(names, s.Name)
		}
	}
	if len(names) == 0 {
		return "; the file has no named stages"
	}
	return "; there are: " + strings.Join(names, ", ")
}
