package document

import (
	"slices"
	"strings"
)

// list is what stands between the brackets of an array or the braces of an inline table, cut into pieces: put together
// again they are the text.
type list struct {
	pieces   []piece
	tail     string // behind the last piece
	eol      string
	inner    string // the indentation of a member on a line of its own
	outer    string // and of the closing bracket
	padding  string // inside braces on one line
	lines    bool   // written over several lines
	trailing bool   // the last member has a comma as well
}

// piece is one member and what belongs to it.
type piece struct {
	lead  string // white space and comments before it
	body  string
	gap   string // white space and comments before the comma
	after string // a comment that follows in the same line

	inside []string // the comments in body
}

// slot is one member of the list as it is to be: the old one of that place, or a new one.
type slot struct {
	old  int // -1: new
	body string
}

// cut reads the members of an array or inline table.
func (d *document) cut(v *value) *list {
	l := &list{eol: d.eol}
	at := v.from + 1
	for _, m := range v.members() {
		p := piece{lead: string(d.text[at:m.from]), body: string(d.text[m.from:m.to]), inside: d.commentsOf(m)}
		at = m.to
		s := scanner{text: d.text, at: at}
		if s.gap(); s.peek() == ',' {
			p.gap, at = string(d.text[at:s.at]), s.at+1
			l.trailing = true // so far
		} else {
			l.trailing = false
		}
		s.at = at
		if s.blanks(); s.peek() == '#' {
			end := commentEnd(d.text, s.at)
			p.after, at = string(d.text[at:end]), end
		}
		l.pieces = append(l.pieces, p)
	}
	l.tail = string(d.text[at : v.to-1])
	if v.kind == inline {
		l.padding = " "
	}
	l.measure(d.indent(v.from))
	return l
}

func (v *value) members() (spans []span) {
	for _, e := range v.elems {
		spans = append(spans, e.span)
	}
	for _, e := range v.entries {
		spans = append(spans, e.span)
	}
	return spans
}

// measure finds out how the list is laid out; indent is that of its first line.
func (l *list) measure(indent string) {
	l.inner, l.outer = indent+"  ", indent
	for _, p := range slices.Backward(l.pieces) {
		if own, ok := ownLine(p.lead); ok {
			l.inner, l.lines = own, true
		}
	}
	if own, ok := ownLine(l.tail); ok {
		l.outer, l.lines = own, true
	}
	if len(l.pieces) == 0 {
		l.trailing = l.lines && l.padding == ""
		if i := strings.LastIndexByte(l.tail, '#'); i >= 0 {
			if own, ok := ownLine(l.tail[:i]); ok && strings.Trim(own, blanks) == "" {
				l.inner = own
			}
		}
	}
}

// ownLine is the indentation of what follows gap, if that begins a line.
func ownLine(gap string) (indent string, ok bool) {
	i := strings.LastIndexByte(gap, '\n')
	return gap[i+1:], i >= 0
}

// added is the list with one more member at the end.
func (l *list) added(body string) string {
	var slots []slot
	for i := range l.pieces {
		slots = append(slots, slot{old: i})
	}
	return l.arranged(append(slots, slot{old: -1, body: body}))
}

// arranged is the list with the given members, in their order. Comments of members that are gone stay in their place.
func (l *list) arranged(slots []slot) string {
	w := &listWriter{list: l, tail: l.tail, stays: make(map[int]bool)}
	for _, s := range slots {
		w.stays[s.old] = true
	}
	w.leftovers(-1)
	for i, s := range slots {
		p := piece{body: s.body}
		if s.old >= 0 {
			p = l.pieces[s.old]
		}
		p.lead = w.lead(s, i == 0)
		switch {
		case i < len(slots)-1 || l.trailing:
			p.gap += ","
		case !strings.Contains(p.gap, "#"):
			p.gap = ""
		}
		w.write(p.lead, p.body+p.gap, p.after)
		if s.old >= 0 {
			w.leftovers(s.old)
		}
	}
	return w.close()
}

type listWriter struct {
	*list
	b     strings.Builder
	tail  string       // what is left of the list's
	open  bool         // the text so far ends in a comment
	stays map[int]bool // the old members that are to be there
}

// lead is what goes before a member.
func (w *listWriter) lead(s slot, first bool) string {
	n := len(w.pieces)
	lead := " "
	switch {
	case s.old >= 0:
		lead = w.pieces[s.old].lead
	case n == 0 && first:
		return w.firstLead()
	case n == 0 && w.lines:
		lead = w.eol + w.inner
	case n > 0:
		if own, ok := ownLine(w.pieces[n-1].lead); ok {
			lead = w.eol + own
		} else if n > 1 {
			lead = w.pieces[n-1].lead
		}
	}
	if strings.ContainsAny(lead, "#\n") {
		return lead
	}
	switch {
	case first && !strings.Contains(w.pieces[0].lead, "#"):
		return w.pieces[0].lead
	case !first && s.old == 0 && lead == "":
		return " "
	}
	return lead
}

// firstLead is what goes before the first member of a list that was empty: behind the comments that were in it.
func (w *listWriter) firstLead() string {
	switch i := strings.LastIndexByte(w.tail, '\n'); {
	case strings.Contains(w.tail, "#"):
		if i > 0 && w.tail[i-1] == '\r' {
			i--
		}
		lead := w.tail[:i] + w.eol + w.inner
		w.tail = w.tail[i:]
		return lead
	case w.lines:
		return w.eol + w.inner
	}
	w.tail = w.padding
	return w.padding
}

// leftovers writes the comments of the members that were behind an old one and are gone.
func (w *listWriter) leftovers(old int) {
	for i := old + 1; i < len(w.pieces) && !w.stays[i]; i++ {
		p := w.pieces[i]
		comments := slices.Concat(p.inside, commentsIn(p.gap), commentsIn(p.after))
		switch _, ok := ownLine(p.lead); {
		case strings.Contains(p.lead, "#"):
			w.write(p.lead[:commentEnd(p.lead, strings.LastIndexByte(p.lead, '#'))], "", "")
			w.open = true
		case ok && len(comments) > 0:
			w.write(p.lead, "", comments[0])
			comments = comments[1:]
		}
		for _, c := range comments {
			w.write(w.eol+w.inner, "", c)
		}
	}
}

// commentsIn are the comments of a gap, which has nothing else in it but white space.
func commentsIn(gap string) (list []string) {
	for line := range strings.Lines(gap) {
		if i := strings.IndexByte(line, '#'); i >= 0 {
			list = append(list, strings.TrimRight(line[i:], "\r\n"))
		}
	}
	return list
}

func (w *listWriter) write(lead, body, comment string) {
	w.b.WriteString(w.afterComment(lead, w.inner))
	w.b.WriteString(body)
	w.b.WriteString(comment)
	w.open = comment != ""
}

// afterComment is gap, on a new line if a comment is still open.
func (w *listWriter) afterComment(gap, indent string) string {
	if !w.open {
		return gap
	}
	rest := strings.TrimLeft(gap, blanks)
	if strings.HasPrefix(rest, "\n") || strings.HasPrefix(rest, "\r") {
		return rest
	}
	return w.eol + indent + rest
}

func (w *listWriter) close() string {
	if len(w.stays) == 0 && strings.TrimSpace(w.b.String()+w.tail) == "" {
		return ""
	}
	w.b.WriteString(w.afterComment(w.tail, w.outer))
	return w.b.String()
}

// relist is an array of texts with other members, brackets included.
func (d *document) relist(v *value, texts []string) string {
	taken := make(map[int]bool)
	var slots []slot
	for _, text := range texts {
		literal := basicString(text)
		s := slot{old: -1, body: literal}
		for i, e := range v.elems {
			if was, err := decode(string(d.text[e.from:e.to])); err == nil && was == text && !taken[i] {
				s.old, taken[i] = i, true
				break
			}
		}
		slots = append(slots, s)
	}
	return "[" + d.cut(v).arranged(slots) + "]"
}
