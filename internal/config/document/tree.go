package document

import "slices"

// node is one value as the text means it, with the places where it is written.
type node struct {
	value   *value           // what stands behind an equals sign or in an array; nil for a table or array of headers
	section *section         // its header's, or the root's; nil without one
	dotted  *dotted          // the last entry that makes or fills it by a dotted key
	keys    map[string]*node // of a table
	elems   []*node          // of an array
}

// dotted is an entry whose key goes through a table: its first parts, depth of them, name the table.
type dotted struct {
	entry *entry
	depth int
	in    *value // the inline table that the entry stands in; nil for a line of a section
}

// build finds out what a valid text means.
func build(sections []*section) *node {
	root := &node{section: sections[0]}
	for _, s := range sections {
		at := root
		for i, k := range s.keys {
			at = at.child(k.name)
			if i == len(s.keys)-1 && s.array {
				at.elems = append(at.elems, &node{})
			}
			if at.value == nil && len(at.elems) > 0 {
				at = at.elems[len(at.elems)-1]
			}
		}
		at.section = s
		at.add(s.entries, nil)
	}
	return root
}

func (n *node) child(name string) *node {
	if n.keys == nil {
		n.keys = make(map[string]*node)
	}
	c := n.keys[name]
	if c == nil {
		c = &node{}
		n.keys[name] = c
	}
	return c
}

// add puts entries into a table; in is the inline table they stand in.
func (n *node) add(entries []*entry, in *value) {
	for _, e := range entries {
		at := n
		for i, k := range e.keys {
			if i > 0 {
				at.dotted = &dotted{e, i, in}
			}
			at = at.child(k.name)
		}
		at.fill(e.value)
	}
}

func (n *node) fill(v *value) {
	n.value = v
	n.add(v.entries, v)
	for _, elem := range v.elems {
		child := &node{}
		child.fill(elem)
		n.elems = append(n.elems, child)
	}
}

// find is the node at path; nil if there is none.
func (d *document) find(path Path) *node {
	at := d.root
	for _, step := range path {
		switch step := step.(type) {
		case string:
			at = at.keys[step]
		case int:
			if step < 0 || step >= len(at.elems) {
				return nil
			}
			at = at.elems[step]
		}
		if at == nil {
			return nil
		}
	}
	return at
}

// sections are those of a table and of all below it, in the order of the text.
func (n *node) sections() (list []*section) {
	var walk func(*node)
	walk = func(n *node) {
		if n.section != nil {
			list = append(list, n.section)
		}
		for _, child := range n.keys {
			walk(child)
		}
		for _, child := range n.elems {
			walk(child)
		}
	}
	walk(n)
	slices.SortFunc(list, func(a, b *section) int { return a.from - b.from })
	return list
}
