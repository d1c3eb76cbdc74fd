package doctor

// Level says how much a finding matters.
type Level string

// Levels.
const (
	OK      Level = "ok"
	Info    Level = "info"    // worth knowing, nothing is wrong
	Warning Level = "warning" // pulls work, but not as well as they might
	Problem Level = "problem" // pulls, or some of them, fail
)

// Finding is one thing that was looked at.
type Finding struct {
	ID    string `json:"id"`   // "names.poisoned"; "manifest.unexamined" of a step that could not be looked at
	Step  string `json:"step"` // of the path
	Level Level  `json:"level"`
	What  string `json:"what"`           // one line
	Why   string `json:"why,omitempty"`  // a sentence or two
	Fix   string `json:"fix,omitempty"`  // one command, as it is typed
	Safe  bool   `json:"safe,omitempty"` // --fix may run it: it is ours, can be taken back, and stops nothing
	Fixed string `json:"fixed,omitempty"`
}

// Args are the arguments of a fix that is a command of pulley's, nil for any other.
func (f Finding) Args() []string {
	words := fields(f.Fix)
	if len(words) < 2 || words[0] != "pulley" {
		return nil
	}
	return words[1:]
}

// fields splits a command that we have written: words, some in double quotes.
func fields(command string) (words []string) {
	word, open, some := "", false, false
	for _, r := range command {
		switch {
		case r == '"':
			open, some = !open, true
		case r == ' ' && !open:
			if some {
				words = append(words, word)
			}
			word, some = "", false
		default:
			word += string(r)
			some = true
		}
	}
	if some {
		words = append(words, word)
	}
	return words
}

// finish puts the findings into the order of the path, counts them and takes secrets out.
func (x *exam) finish() {
	r := x.report
	for _, s := range steps {
		out := x.done[s.name]
		if out == nil {
			continue
		}
		r.Findings = append(r.Findings, out.findings...)
		r.Took = append(r.Took, Took{s.name, Duration(out.took)})
	}
	for _, f := range r.Findings {
		switch f.Level {
		case Problem:
			r.Problems++
		case Warning:
			r.Warnings++
		case OK, Info:
		}
	}
	x.secrets.scrub(r)
}
