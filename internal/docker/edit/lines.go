package edit

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Lines of ours stand between these two.
const (
	begin = "# pulley: begin"
	end   = "# pulley: end"
)

// ErrTaken is the cause when a file that is to be ours as a whole is there already.
var ErrTaken = errors.New("is there already, and not from here")

// block is where our lines stand in text, both marks included; from = to where there are none.
func block(text []byte) (from, to int, err error) {
	from, at, number := -1, 0, 0
	for line := range bytes.Lines(text) {
		number++
		switch strings.TrimSpace(string(trimMark(line))) {
		case begin:
			if from >= 0 {
				return 0, 0, fmt.Errorf("line %d: %q for the second time", number, begin)
			}
			from = at + len(line) - len(trimMark(line))
		case end:
			if from < 0 || to > 0 {
				return 0, 0, fmt.Errorf("line %d: %q with no beginning", number, end)
			}
			to = at + len(line)
		}
		at += len(line)
	}
	if from >= 0 && to == 0 {
		return 0, 0, fmt.Errorf("line %d: %q is missing", number, end)
	}
	return max(from, 0), to, nil
}

// linesOf are the lines of a text, without their ends.
func linesOf(text string) []string {
	var list []string
	for line := range strings.Lines(text) {
		list = append(list, strings.TrimRight(line, "\r\n"))
	}
	return list
}

// between are our lines in a block.
func between(block string) []string {
	lines := linesOf(block)
	if len(lines) < 2 {
		return nil
	}
	return lines[1 : len(lines)-1]
}

func (s *Step) applyLines(text []byte) ([]byte, error) {
	from, to, err := block(text)
	if err != nil {
		return nil, err
	}
	lines := linesOf(s.Text)
	if to > 0 && slices.Equal(between(string(text[from:to])), lines) {
		return text, nil
	}
	s.forget()
	s.Done = true
	eol := eol(text)
	s.Put = begin + eol + strings.Join(append(lines, end), eol) + eol
	switch {
	case to > 0: // of an earlier time
		s.Was = string(text[from:to])
		return splice(text, from, to, s.Put), nil
	case len(text) > 0 && text[len(text)-1] != '\n':
		s.Lead = eol
	}
	return splice(text, len(text), len(text), s.Lead+s.Put), nil
}

func (s *Step) revertLines(text []byte) ([]byte, error) {
	from, to, err := block(text)
	if err != nil || to == 0 {
		return text, err
	}
	if string(text[from:to]) == s.Put {
		// The line end that was put before it goes as well, unless lines follow that somebody wrote since.
		if s.Lead != "" && to == len(text) && bytes.HasSuffix(text[:from], []byte(s.Lead)) {
			from -= len(s.Lead)
		}
		return splice(text, from, to, s.Was), nil
	}
	ours := linesOf(s.Text)
	rest := s.Was
	for line := range strings.Lines(string(text[from:to])) {
		switch plain := strings.TrimRight(line, "\r\n"); {
		case strings.TrimSpace(plain) == begin, strings.TrimSpace(plain) == end, slices.Contains(ours, plain):
		default:
			rest += line
		}
	}
	return splice(text, from, to, rest), nil
}

func (s *Step) applyWhole(text []byte) ([]byte, error) {
	switch {
	case string(text) == s.Text:
		return text, nil
	case s.Done && string(text) == s.Put, blank(text):
		s.forget()
		s.Done, s.Fresh, s.Put = true, true, s.Text
		s.Was = string(text)
		return []byte(s.Text), nil
	}
	return nil, ErrTaken
}

// revertWhole takes out our lines where somebody wrote others beside them, and keeps a [heading] that those stand under.
func (s *Step) revertWhole(text []byte) ([]byte, error) {
	if string(text) == s.Put {
		return []byte(s.Was), nil
	}
	ours := make(map[string]int)
	for _, line := range linesOf(s.Put) {
		ours[line]++
	}
	var kept, held []string
	for line := range strings.Lines(string(text)) {
		plain := strings.TrimRight(line, "\r\n")
		heading := strings.HasPrefix(strings.TrimSpace(plain), "[")
		switch {
		case ours[plain] > 0 && heading:
			ours[plain]--
			held = []string{line}
		case ours[plain] > 0:
			ours[plain]--
		default:
			if heading {
				held = nil
			}
			if strings.TrimSpace(plain) != "" {
				kept, held = append(kept, held...), nil
			}
			kept = append(kept, line)
		}
	}
	rest := strings.Join(kept, "")
	if strings.TrimSpace(rest) == "" {
		return []byte(s.Was), nil
	}
	return []byte(rest), nil
}
