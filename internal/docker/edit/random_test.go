package edit_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pulley/internal/docker/edit"
)

// writer writes random texts in the ways in which people and programs write them.
type writer struct {
	*rand.Rand
	eol string
}

var names = []string{"a", "b", "é", `x y`, "proxies", "registry-mirrors", "http-proxy", "log-opts"}

func (w *writer) pick(list ...string) string { return list[w.IntN(len(list))] }

func (w *writer) gap() string { return w.pick("", "", " ", w.eol, w.eol+"  ", w.eol+"\t", "  ") }

func (w *writer) json(depth int) string {
	switch w.IntN(7 - min(depth, 3)) {
	case 0:
		return w.pick(`1`, `-2.50`, `1e3`, `true`, `null`, `0`)
	case 1, 2:
		return w.pick(`"x"`, `""`, `"http:\/\/127.0.0.1:5055"`, `"http://127.0.0.1:5055"`, `"é\u00e9\"{"`, `"日本"`)
	case 3:
		var parts []string
		for range w.IntN(4) {
			parts = append(parts, w.gap()+w.json(depth+1)+w.gap())
		}
		if len(parts) == 0 {
			return "[" + w.gap() + "]"
		}
		return "[" + strings.Join(parts, ",") + "]"
	}
	return w.object(depth)
}

func (w *writer) object(depth int) string {
	var parts []string
	for range w.IntN(5) {
		name, _ := json.Marshal(w.pick(names...))
		parts = append(parts, w.gap()+string(name)+w.gap()+":"+w.gap()+w.json(depth+1)+w.gap())
	}
	if len(parts) == 0 {
		return "{" + w.gap() + "}"
	}
	return "{" + strings.Join(parts, ",") + "}"
}

func (w *writer) toml() string {
	var b strings.Builder
	table := func(prefix string) {
		for i, name := range names {
			if w.IntN(4) == 0 {
				value := w.pick(`1`, `'x'`, `"é"`, `['a', 'b']`, "[\n  'a', # c\n]", `[]`, `{}`, `{ a = 1 }`, `2020-01-01`, `1.0`, `["http://127.0.0.1:5055"]`)
				fmt.Fprintf(&b, "%s%q = %s%s%s", w.pick("", "  "), prefix+name, value, w.pick("", " # why"), w.eol)
			}
			if i == 3 && w.IntN(3) == 0 {
				b.WriteString(w.pick("# comment", "") + w.eol)
			}
		}
	}
	table("")
	for _, header := range []string{"[t]", "[proxies2]", "[[list]]", "[[list]]", "[t.u]"} {
		if w.IntN(2) == 0 && (header != "[t.u]" || strings.Contains(b.String(), "[t]")) {
			b.WriteString(w.pick("", w.eol) + header + w.pick("", " # h") + w.eol)
			table("")
		}
	}
	text := strings.ReplaceAll(strings.ReplaceAll(b.String(), "\r\n", "\n"), "\n", w.eol)
	if w.IntN(4) == 0 {
		text = strings.TrimRight(text, "\r\n")
	}
	return text
}

// yaml is a mapping in lines, as in a profile of Colima's.
func (w *writer) yaml(indent int) string {
	var b strings.Builder
	in := strings.Repeat(" ", indent)
	step := w.pick("  ", "  ", "    ")
	line := func(text string) { b.WriteString(text + w.pick("", "", " # why") + w.eol) }
	for i, name := range names {
		if w.IntN(3) > 0 {
			continue
		}
		if w.IntN(5) == 0 {
			b.WriteString(w.pick("", in+"# comment", "# far left") + w.eol)
		}
		key := in + w.pick(name, strconv.Quote(name)) + ":"
		switch w.IntN(7) {
		case 0:
			line(key)
		case 1, 2:
			line(key + " " + w.pick("1", "x", `"é"`, "'it''s'", "true", "{}", "[]", "~", `"http://127.0.0.1:5055"`, "{ a: 1, b: [x, y] }", `["http://127.0.0.1:5055", a]`))
		case 3:
			dash := in + w.pick("", step) + "- "
			line(key)
			for range 1 + w.IntN(3) {
				line(dash + w.pick("a", `"x"`, `"http://127.0.0.1:5055"`, "k: v"))
			}
		case 4:
			if inner := w.yaml(indent + len(step)); strings.TrimSpace(inner) != "" && indent < 6 {
				line(key)
				b.WriteString(inner)
			}
		case 5:
			line(key + " |")
			b.WriteString(in + step + "text: of" + w.eol + w.eol + in + step + "  several lines" + w.eol)
		default:
			if i > 4 {
				b.WriteString(w.eol)
			}
		}
	}
	return b.String()
}

func (w *writer) text(f edit.Format) string {
	w.eol = w.pick("\n", "\r\n")
	text := ""
	switch f {
	case edit.JSON:
		text = w.pick("", "\n") + w.object(0) + w.pick("", w.eol, w.eol+w.eol)
	case edit.TOML:
		text = w.toml()
	case edit.YAML:
		if text = w.pick("", "", "---"+w.eol) + w.yaml(0); w.IntN(4) == 0 && !strings.HasSuffix(text, "several lines"+w.eol) { // whose last line end is its own
			text = strings.TrimRight(text, "\r\n")
		}
	default:
		for range w.IntN(5) {
			text += w.pick("A=1", "# c", "", "[x]") + w.eol
		}
		text += w.pick("", "LAST=1")
	}
	return w.pick("", "", "\xef\xbb\xbf") + text
}

func (w *writer) edit(f edit.Format) *edit.Edit {
	e := &edit.Edit{Format: f}
	if f == edit.Lines {
		e.Steps = []edit.Step{{Text: w.pick("B=2", "A=1\nB=2\n", "")}}
		return e
	}
	for range 1 + w.IntN(4) {
		s := edit.Step{Path: []string{w.pick(names...)}}
		for range w.IntN(3) {
			s.Path = append(s.Path, w.pick(names...))
		}
		if w.IntN(2) == 0 {
			s.Value = json.RawMessage(w.pick(`"x"`, `1`, `{"k":"v","l":{"m":[]}}`, `["x"]`, `true`, `"日本"`))
		} else {
			s.Front = w.IntN(2) == 0
			s.Add = raw(`"http://127.0.0.1:5055"`, w.pick(`"x"`, `"é"`, `"a"`))
		}
		e.Steps = append(e.Steps, s)
	}
	return e
}

// Taking out what was put in leaves the same bytes, whatever there was: a refusal is fine, damage is not.
func TestRevertIsTheInverse(t *testing.T) {
	for _, f := range []edit.Format{edit.JSON, edit.TOML, edit.YAML, edit.Lines} {
		refused, n := uint64(0), 4*seeds(f)
		for seed := range n {
			w := &writer{Rand: rand.New(rand.NewPCG(seed, 1))} //nolint:gosec // the same at each run
			before, e := w.text(f), w.edit(f)
			if !inverse(t, f, before, e) {
				refused++
			}
			if t.Failed() {
				t.Fatalf("%s, seed %d", f, seed)
			}
		}
		if refused > n*3/4 {
			t.Errorf("%s: %d of %d refused: nothing was tested", f, refused, n)
		}
	}
}

// As above, for texts that have something in them which nobody expects there: other line ends, marks and brackets.
func TestRevertIsTheInverseOfOddTexts(t *testing.T) {
	odd := []string{
		"\r", "\n", "\u0085", "\u2028", "\u2029", "\u00a0", "\ufeff", "\t", " ", "é", "#", " # c", "'", `"`, "\\", "[", "]", "{", "}", ",", ": ", "- ", "= ",
		"? ", "|", ">-", "|+", "&x ", "*x", "!!str ", "---\n", "...\n", "~", "<<: ", "[a]\n", "[[a]]\n", "'''", `"""`,
	}
	for _, f := range []edit.Format{edit.JSON, edit.TOML, edit.YAML} {
		taken, n := uint64(0), 4*seeds(f)
		for seed := range n {
			w := &writer{Rand: rand.New(rand.NewPCG(seed, 4))} //nolint:gosec // the same at each run
			text := w.text(f)
			for range 1 + w.IntN(2) {
				at := w.IntN(len(text) + 1)
				text = text[:at] + w.pick(odd...) + text[min(len(text), at+w.IntN(2)):]
			}
			if inverse(t, f, text, w.edit(f)) {
				taken++
			}
			if t.Failed() {
				t.Fatalf("%s, seed %d", f, seed)
			}
		}
		if taken < n/20 {
			t.Errorf("%s: %d of %d taken: nothing was tested", f, taken, n)
		}
	}
}

// seeds are fewer where texts take long to read.
func seeds(f edit.Format) uint64 {
	if f == edit.YAML {
		return 250
	}
	return 1000
}

// inverse says whether the edit was taken.
func inverse(t *testing.T, f edit.Format, before string, e *edit.Edit) bool {
	t.Helper()
	after, err := e.Apply([]byte(before))
	if err != nil {
		return false
	}
	if err := edit.Check(f, after); err != nil {
		t.Errorf("%q became %q: %v", before, after, err)
	}
	back, err := carried(t, e).Revert(after)
	if err != nil || string(back) != before {
		steps, _ := json.Marshal(e)
		t.Errorf("%q\nbecame %q\nand then %q, %v\n%s", before, after, back, err, steps)
	}
	return true
}

// A key that somebody put beside ours is all that is left besides what was there.
func TestANeighbourStays(t *testing.T) {
	for _, f := range []edit.Format{edit.JSON, edit.TOML, edit.YAML} {
		for seed := range 2 * seeds(f) {
			w := &writer{Rand: rand.New(rand.NewPCG(seed, 2))} //nolint:gosec // the same at each run
			before, ours := w.text(f), w.edit(f)
			theirs := &edit.Edit{Format: f, Steps: []edit.Step{
				{Path: []string{"theirs"}, Value: json.RawMessage(`"t"`)},
				{Path: []string{w.pick("t", "theirs2"), "theirs"}, Value: json.RawMessage(`"t"`)},
			}}
			after, err := ours.Apply([]byte(before))
			if err != nil {
				continue
			}
			both, err := theirs.Apply(after)
			if err != nil {
				continue
			}
			left, err := carried(t, ours).Revert(both)
			if err != nil {
				t.Fatalf("%s, seed %d: %q: %v", f, seed, both, err)
			}
			if got, _ := edit.Has(f, left, "theirs"); string(got) != `"t"` {
				t.Fatalf("%s, seed %d: %q became %q", f, seed, both, left)
			}
			back, err := carried(t, theirs).Revert(left)
			if err != nil {
				t.Fatalf("%s, seed %d: %q: %v", f, seed, left, err)
			}
			for _, name := range names {
				was, _ := edit.Has(f, []byte(before), name)
				is, _ := edit.Has(f, back, name)
				if string(was) != string(is) {
					t.Fatalf("%s, seed %d: %s: %s, was %s:\n%q\n%q\n%q", f, seed, name, is, was, before, both, back)
				}
			}
		}
	}
}

func FuzzEdit(f *testing.F) {
	for _, c := range applied {
		f.Add(c.before, uint64(1))
	}
	for _, name := range slices.Sorted(maps.Keys(yamlApplied)) {
		f.Add(yamlApplied[name].before, uint64(1))
	}
	f.Fuzz(func(t *testing.T, before string, seed uint64) {
		w := &writer{Rand: rand.New(rand.NewPCG(seed, 3))} //nolint:gosec // the same for the same input
		for _, format := range []edit.Format{edit.JSON, edit.TOML, edit.YAML, edit.Lines} {
			inverse(t, format, before, w.edit(format))
		}
		e := w.edit(edit.JSON)
		if _, err := e.Apply([]byte("{}")); err != nil {
			return
		}
		if left, err := e.Revert([]byte(before)); err == nil { // somebody wrote something else altogether
			if err := edit.Check(edit.JSON, left); err != nil {
				t.Errorf("%q became %q: %v", before, left, err)
			}
		}
	})
}
