package edit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

func (s *Step) apply(f Format, text []byte) ([]byte, error) {
	switch f {
	case Lines:
		return s.applyLines(text)
	case Whole:
		return s.applyWhole(text)
	}
	d, err := dialectOf(f)
	if err != nil {
		return nil, err
	}
	root, err := d.decode(text)
	if err != nil {
		return nil, err
	}
	var after []byte
	if len(s.Add) > 0 {
		after, err = s.applyAdd(d, text, root)
	} else {
		after, err = s.applyValue(d, text, root)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(s.Path, "."), err)
	}
	return after, nil
}

func (s *Step) revert(f Format, text []byte) ([]byte, error) {
	switch f {
	case Lines:
		return s.revertLines(text)
	case Whole:
		return s.revertWhole(text)
	}
	d, err := dialectOf(f)
	if err != nil {
		return nil, err
	}
	root, err := d.decode(text)
	if err != nil {
		return nil, err
	}
	var after []byte
	if len(s.Add) > 0 {
		after, err = s.revertAdd(d, text, root)
	} else {
		after, err = s.revertValue(d, text, root)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", strings.Join(s.Path, "."), err)
	}
	if s.Fresh && string(bytes.Join(bytes.Fields(trimMark(after)), nil)) == "{}" {
		return nil, nil // the braces were ours
	}
	return after, nil
}

// forget is the step as it was asked for.
func (s *Step) forget() {
	*s = Step{Path: s.Path, Value: s.Value, Add: s.Add, Front: s.Front, Text: s.Text}
}

func (s *Step) applyValue(d dialect, text []byte, root map[string]any) ([]byte, error) {
	want, err := decode(s.Value)
	if err != nil {
		return nil, err
	}
	now, ok := lookup(root, s.Path)
	if ok && equal(now, want) {
		return text, nil
	}
	s.forget()
	if !ok {
		return s.insert(d, text, root, s.Value, want)
	}
	from, to, err := d.value(text, s.Path)
	if err != nil {
		return nil, err
	}
	literal, err := d.literal(text, s.Path, s.Value)
	if err != nil {
		return nil, err
	}
	if s.Old, err = encode(now); err != nil {
		return nil, err
	}
	s.Done, s.Was = true, string(text[from:to])
	return proven(d, splice(text, from, to, literal), with(root, s.Path, want))
}

// insert puts in a key that is not there and notes how to take it out.
func (s *Step) insert(d dialect, text []byte, root map[string]any, raw json.RawMessage, v any) ([]byte, error) {
	for n := 1; n < len(s.Path); n++ {
		at, ok := lookup(root, s.Path[:n])
		if !ok {
			s.Made = slices.Clone(s.Path[:n])
			break
		}
		if _, table := at.(map[string]any); !table {
			return nil, fmt.Errorf("%s is no table", strings.Join(s.Path[:n], "."))
		}
	}
	if s.Made == nil && len(s.Add) > 0 {
		s.Made = slices.Clone(s.Path)
	}
	insert := d.insert
	if f, ok := d.(tomlDialect); ok && s.Front && len(s.Add) == 0 && len(s.Made) > 1 {
		insert = f.insertFront
	}
	after, err := insert(text, s.Path, raw)
	if err != nil {
		return nil, err
	}
	if after, err = proven(d, after, with(root, s.Path, v)); err != nil {
		return nil, err
	}
	from, to, err := d.entry(after, s.Path, s.Made)
	if err != nil {
		return nil, err
	}
	front := outside(text, min(from, prefix(text, after)), -1)
	back := min(suffix(text[front:], after[to:]), len(after)-to)
	back = len(text) - outside(text, len(text)-back, 1)
	s.Done, s.Fresh = true, blank(text)
	s.Lead, s.Trail, s.Was = string(after[front:from]), string(after[to:len(after)-back]), string(text[front:len(text)-back])
	return after, nil
}

func (s *Step) revertValue(d dialect, text []byte, root map[string]any) ([]byte, error) {
	ours, err := decode(s.Value)
	if err != nil {
		return nil, err
	}
	now, ok := lookup(root, s.Path)
	if !ok || !equal(now, ours) {
		return text, nil // somebody's, since
	}
	if s.Old == nil {
		return s.remove(d, text, root)
	}
	old, err := decode(s.Old)
	if err != nil {
		return nil, err
	}
	from, to, err := d.value(text, s.Path)
	if err != nil {
		return nil, err
	}
	return proven(d, splice(text, from, to, s.Was), with(root, s.Path, old))
}

// remove takes out the key, and what was made for it and is empty then.
func (s *Step) remove(d dialect, text []byte, root map[string]any) ([]byte, error) {
	top := s.Path
	want := without(root, s.Path)
	for s.Made != nil && len(top) > len(s.Made) {
		table, _ := lookup(want, top[:len(top)-1])
		if m, ok := table.(map[string]any); !ok || len(m) > 0 {
			break
		}
		top = top[:len(top)-1]
		want = without(want, top)
	}
	if from, to, err := d.entry(text, s.Path, s.Made); err == nil {
		if bytes.HasSuffix(text[:from], []byte(s.Lead)) && bytes.HasPrefix(text[to:], []byte(s.Trail)) {
			after := splice(text, from-len(s.Lead), to+len(s.Trail), s.Was)
			if after, err = proven(d, after, want); err == nil {
				return after, nil
			}
		}
	}
	after, err := d.remove(text, s.Path, top)
	if err != nil {
		return nil, err
	}
	return proven(d, after, want)
}

func (s *Step) applyAdd(d dialect, text []byte, root map[string]any) ([]byte, error) {
	now, ok := lookup(root, s.Path)
	list, array := now.([]any)
	if ok && !array {
		return nil, errors.New("is no list")
	}
	var missing []json.RawMessage
	var values []any
	for _, raw := range s.Add {
		v, err := decode(raw)
		if err != nil {
			return nil, err
		}
		if !has(list, v) && !has(values, v) {
			missing, values = append(missing, raw), append(values, v)
		}
	}
	if len(missing) == 0 && ok {
		return text, nil
	}
	s.forget()
	s.Added = missing
	if !ok {
		raw, err := json.Marshal(missing)
		if err != nil {
			return nil, err
		}
		return s.insert(d, text, root, raw, values)
	}
	want := slices.Concat(list, values)
	if s.Front {
		want = slices.Concat(values, list)
	}
	after, err := d.extend(text, s.Path, s.Front, missing)
	if err != nil {
		return nil, err
	}
	if after, err = proven(d, after, with(root, s.Path, want)); err != nil {
		return nil, err
	}
	s.Done = true
	front := prefix(text, after)
	back := suffix(text[front:], after[front:])
	if from, to, err := d.value(after, s.Path); err == nil { // the whole list: that is found again
		front, back = min(front, from), min(back, len(after)-to)
	}
	front, back = outside(text, front, -1), len(text)-outside(text, len(text)-back, 1)
	s.Put, s.Was = string(after[front:len(after)-back]), string(text[front:len(text)-back])
	return after, nil
}

func (s *Step) revertAdd(d dialect, text []byte, root map[string]any) ([]byte, error) {
	now, _ := lookup(root, s.Path)
	list, array := now.([]any)
	if !array {
		return text, nil
	}
	var places []int
	for _, raw := range s.Added {
		v, err := decode(raw)
		if err != nil {
			return nil, err
		}
		if i := slices.IndexFunc(list, func(e any) bool { return equal(e, v) }); i >= 0 {
			places = append(places, i)
		}
	}
	slices.Sort(places)
	left := make([]any, 0, len(list))
	for i, v := range list {
		if !slices.Contains(places, i) {
			left = append(left, v)
		}
	}
	switch {
	case s.Made != nil && len(left) == 0:
		return s.remove(d, text, root)
	case len(places) == 0:
		return text, nil
	}
	want := with(root, s.Path, left)
	if s.Put != "" && bytes.Count(text, []byte(s.Put)) == 1 {
		after := bytes.Replace(text, []byte(s.Put), []byte(s.Was), 1)
		if after, err := proven(d, after, want); err == nil {
			return after, nil
		}
	}
	after, err := d.shrink(text, s.Path, places)
	if err != nil {
		return nil, err
	}
	return proven(d, after, want)
}
