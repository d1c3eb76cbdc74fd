package model

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulley/ui/lang"
)

// Ways in which an engine is pointed at Pulley, as `pulley connect` calls them.
const (
	ByMirror = "mirror"
	ByProxy  = "proxy"
	byOthers = "other"
)

// Engine is a container engine on this machine, as `pulley connect --json` has it.
type Engine struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Running bool     `json:"running"`
	Context string   `json:"context"`
	Wired   Wired    `json:"wired"`
	Ways    []string `json:"ways"`
	Notes   []string `json:"notes"`
	Remarks []Remark `json:"remarks"` // those of the notes that are known in other languages
}

// Wired is what it is pointed at now.
type Wired struct {
	Way   string   `json:"way"`
	To    []string `json:"to"`
	Where []string `json:"where"`
	Ours  bool     `json:"ours"`
}

// Standing is how an engine stands to Pulley.
type Standing int

// Standings.
const (
	Apart     Standing = iota // it goes to registries itself
	Connected                 // connect did it, and can undo it
	ByHand                    // it leads here, but somebody else did that
	Elsewhere                 // it has a mirror or a proxy that is not Pulley
)

// Standing says how it stands.
func (e Engine) Standing() Standing {
	switch {
	case e.Wired.Ours:
		return Connected
	case e.Wired.Way == byOthers:
		return Elsewhere
	case e.Wired.Way != "":
		return ByHand
	}
	return Apart
}

// Connectable says whether there is a way that it is not connected by yet.
func (e Engine) Connectable() bool { return len(e.Ways) > 0 && e.Standing() != Connected }

// Wiring is what connecting or disconnecting an engine does, or has done, as `pulley connect ID --json` has it.
type Wiring struct {
	Engine  Engine     `json:"engine"`
	Way     string     `json:"way"`
	Trust   bool       `json:"trust"`
	Untrust bool       `json:"untrust"`
	How     Activation `json:"how"`
	Egress  string     `json:"egress"`
	Warn    []string   `json:"warn"`
	Manual  []string   `json:"manual"`

	Diff   string   `json:"diff"`
	Root   bool     `json:"root"` // only an administrator may
	Done   bool     `json:"done"`
	Proven bool     `json:"proven"`
	Proof  string   `json:"proof"`
	Said   []string `json:"said"`
	Error  string   `json:"error"`
	Cause  string   `json:"cause"` // the kind of that
}

// Activation is what makes an engine take up what was changed.
type Activation struct {
	Kind  string `json:"kind"` // none, reload, restart, manual
	Text  string `json:"text"`
	Stops int    `json:"stops"` // containers; -1 unknown
}

// Restarts says whether doing it restarts an engine that runs.
func (w Wiring) Restarts() bool {
	return w.How.Kind == "restart" && w.Engine.Running && (w.Diff != "" || w.Trust || w.Untrust)
}

// Idle says that it would change nothing, and leave nothing to be done.
func (w Wiring) Idle() bool { return w.Diff == "" && !w.Trust && !w.Untrust && len(w.Manual) == 0 }

// ByHandOnly says that all of it is left to a person.
func (w Wiring) ByHandOnly() bool { return w.Diff == "" && !w.Trust && !w.Untrust && len(w.Manual) > 0 }

// Backup is a file as it was before it was changed.
type Backup struct {
	Engine string    `json:"engine"`
	Path   string    `json:"path"`
	Time   time.Time `json:"time"`
	Absent bool      `json:"absent"`
	File   string    `json:"file"`
	InUse  bool      `json:"in_use"`
}

// LineKind is what a line of a diff is.
type LineKind int

// Kinds of lines.
const (
	LineKept LineKind = iota
	LineAdded
	LineTaken
	LineGap // between two places of one file
)

// DiffLine is a line of a file.
type DiffLine struct {
	Kind LineKind
	Text string
}

// FileDiff is what becomes of one file.
type FileDiff struct {
	Path    string
	New     bool // there is none yet
	Removed bool // there is none any more
	Lines   []DiffLine
}

// Counts are how many lines come and go.
func (f FileDiff) Counts() (added, taken int) {
	for _, l := range f.Lines {
		switch l.Kind {
		case LineAdded:
			added++
		case LineTaken:
			taken++
		case LineKept, LineGap:
		}
	}
	return added, taken
}

const nowhere = "/dev/null"

var hunk = regexp.MustCompile(`^@@ -\d+(?:,(\d+))? \+\d+(?:,(\d+))? @@`)

// ParseDiff parts a unified diff into its files. A line of a file may look like a header: the counts say which it is.
func ParseDiff(diff string) (files []FileDiff) {
	before, after := 0, 0 // lines that the hunk still has
	for line := range strings.Lines(diff) {
		line = strings.TrimRight(line, "\r\n")
		if before > 0 || after > 0 {
			file := &files[len(files)-1]
			switch {
			case strings.HasPrefix(line, "+"):
				file.Lines = append(file.Lines, DiffLine{LineAdded, line[1:]})
				after--
			case strings.HasPrefix(line, "-"):
				file.Lines = append(file.Lines, DiffLine{LineTaken, line[1:]})
				before--
			case strings.HasPrefix(line, `\`): // "\ No newline at end of file"
			default:
				file.Lines = append(file.Lines, DiffLine{LineKept, strings.TrimPrefix(line, " ")})
				before, after = before-1, after-1
			}
			continue
		}
		if from, ok := strings.CutPrefix(line, "--- "); ok {
			files = append(files, FileDiff{Path: from, New: from == nowhere})
		}
		if len(files) == 0 {
			continue
		}
		file := &files[len(files)-1]
		if to, ok := strings.CutPrefix(line, "+++ "); ok {
			if file.Removed = to == nowhere; !file.Removed {
				file.Path = to
			}
		}
		if counts := hunk.FindStringSubmatch(line); counts != nil {
			if len(file.Lines) > 0 {
				file.Lines = append(file.Lines, DiffLine{Kind: LineGap})
			}
			before, after = count(counts[1]), count(counts[2])
		}
	}
	return files
}

// count is a hunk's; one line is not said.
func count(text string) int {
	if n, err := strconv.Atoi(text); err == nil {
		return n
	}
	return 1
}

// SortEngines puts those first that can be worked with: those that run, then by name.
func SortEngines(list []Engine) {
	slices.SortStableFunc(list, func(a, b Engine) int {
		if a.Running != b.Running {
			if a.Running {
				return -1
			}
			return 1
		}
		return strings.Compare(strings.ToLower(a.Name), strings.ToLower(b.Name))
	})
}

// Step parts an error into its cause and the next step, as `pulley` writes them: "docker: it does not run; next: start it".
func Step(text string) (cause, step string) {
	for _, mark := range []string{"; next: ", "; run: ", "; try: ", "; see: ", "; in a terminal: "} {
		if before, after, found := strings.Cut(text, mark); found {
			return before, after
		}
	}
	return text, ""
}

// Remark is a note in parts.
type Remark struct {
	Key   string `json:"key"`
	Thing string `json:"thing"`
	Text  string `json:"text"` // in English, as the note has it
}

// Said are the notes in the language in force, as far as they are known there.
func (e Engine) Said() []string {
	lines := slices.Clone(e.Notes)
	if lang.Tag() == "en" {
		return lines
	}
	for i, note := range lines {
		for _, r := range e.Remarks {
			if key := "docker.note." + r.Key; r.Text == note && lang.Has(key) {
				lines[i] = lang.Say(key, "Thing", r.Thing)
			}
		}
	}
	return lines
}
