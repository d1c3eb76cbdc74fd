package config

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// keyLines maps the path of each key of a valid file to its line: "cache.max_size", "registry[0].mirror[1].url".
// What stands in an inline table or array has the line of its key.
func keyLines(data []byte) map[string]int {
	lines := make(map[string]int)
	counts := make(map[string]int) // elements seen of each array of tables
	prefix := ""
	var p unstable.Parser
	p.Reset(data)
	for p.NextExpression() {
		e := p.Expression()
		keys, offset := keyOf(e)
		if len(keys) == 0 {
			continue
		}
		line := 1 + bytes.Count(data[:offset], []byte("\n"))
		switch e.Kind {
		case unstable.Table:
			prefix = inArrays(keys, counts)
			note(lines, prefix, line)
		case unstable.ArrayTable:
			path := inArrays(keys[:len(keys)-1], counts)
			path = join(path, keys[len(keys)-1])
			prefix = fmt.Sprintf("%s[%d]", path, counts[path])
			counts[path]++
			note(lines, path, line)
			note(lines, prefix, line)
		case unstable.KeyValue:
			path := prefix
			for _, k := range keys {
				path = join(path, k)
				note(lines, path, line)
			}
		default:
		}
	}
	return lines
}

func note(lines map[string]int, path string, line int) {
	if _, known := lines[path]; !known {
		lines[path] = line
	}
}

// keyOf is the dotted key of an expression and where it begins.
func keyOf(e *unstable.Node) (keys []string, offset uint32) {
	first := true
	for it := e.Key(); it.Next(); {
		if first {
			offset, first = it.Node().Raw.Offset, false
		}
		keys = append(keys, string(it.Node().Data))
	}
	return keys, offset
}

// inArrays is the path of a table, going into the latest element of each array of tables on the way.
func inArrays(keys []string, counts map[string]int) string {
	path := ""
	for _, k := range keys {
		path = join(path, k)
		if n := counts[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	return strings.TrimPrefix(path, ".")
}
