package imagelist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

const (
	// maxNodes bounds a document once its aliases are followed, so that a few lines cannot stand for billions
	// ("billion laughs"). 16 MiB of plain YAML has fewer.
	maxNodes = 8 << 20
	// maxDepth is how deep a document may nest. Custom resource definitions, the deepest that people have, need
	// some dozens.
	maxDepth = 1000
)

// documents parses YAML (any number of documents) or a stream of JSON values into nodes, each with its line.
func documents(data []byte, file string) (docs []*yaml.Node, err error) {
	defer guard(file, &err)
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if b := bytes.TrimLeft(data, " \t\r\n"); len(b) > 0 && (b[0] == '{' || b[0] == '[') {
		// JSON may be indented by tabs and escape beyond the first plane by surrogates; YAML knows neither.
		if docs, err := jsonDocuments(data); err == nil {
			return docs, nil
		}
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	for {
		n := new(yaml.Node)
		err := dec.Decode(n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, yamlProblem(file, err)
		}
		if err := bounded(n); err != nil {
			return nil, FileError{File: file, Text: err.Error()}
		}
		docs = append(docs, n)
	}
}

var yamlLine = regexp.MustCompile(`line (\d+)`)

// yamlProblem takes the line out of the parser's message.
func yamlProblem(file string, err error) FileError {
	p := FileError{File: file, Text: oneLine(strings.TrimPrefix(err.Error(), "yaml: "))}
	if m := yamlLine.FindStringSubmatch(p.Text); m != nil {
		p.Text = strings.TrimPrefix(p.Text, m[0]+": ")
		p.Line, _ = strconv.Atoi(m[1])
	}
	return p
}

// bounded refuses a document that is too large with its aliases followed, too deep, or without an end. A node is
// counted once: what stands behind its aliases is added, not walked again.
func bounded(n *yaml.Node) error {
	sizes := make(map[*yaml.Node]int)
	var size func(n *yaml.Node, depth int) (int, error)
	size = func(n *yaml.Node, depth int) (int, error) {
		if depth > maxDepth {
			return 0, fmt.Errorf("nested more than %d deep", maxDepth)
		}
		if s, ok := sizes[n]; ok {
			if s < 0 {
				return 0, fmt.Errorf("line %d: an alias that contains itself", n.Line)
			}
			return s, nil
		}
		sizes[n] = -1
		total := 1
		children := n.Content
		if n.Kind == yaml.AliasNode {
			children = []*yaml.Node{n.Alias}
		}
		for _, c := range children {
			s, err := size(c, depth+1)
			if err != nil {
				return 0, err
			}
			if total += s; total > maxNodes {
				return 0, fmt.Errorf("line %d: aliases multiply to more than %d values", n.Line, maxNodes)
			}
		}
		sizes[n] = total
		return total, nil
	}
	_, err := size(n, 0)
	return err
}

// jsonDocuments reads JSON values, one after the other, as kubectl does.
func jsonDocuments(data []byte) ([]*yaml.Node, error) {
	j := jsonReader{dec: json.NewDecoder(bytes.NewReader(data)), data: data, line: 1}
	j.dec.UseNumber()
	var docs []*yaml.Node
	for {
		n, err := j.value(0)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return nil, err
		}
		docs = append(docs, &yaml.Node{Kind: yaml.DocumentNode, Content: []*yaml.Node{n}, Line: n.Line})
	}
}

type jsonReader struct {
	dec  *json.Decoder
	data []byte
	at   int64 // up to where lines were counted
	line int
}

// value reads one value; io.EOF only before its first token.
func (j *jsonReader) value(depth int) (*yaml.Node, error) {
	t, err := j.dec.Token()
	if err != nil {
		return nil, err
	}
	end := j.dec.InputOffset()
	j.line += bytes.Count(j.data[j.at:end], []byte("\n"))
	j.at = end
	n := &yaml.Node{Kind: yaml.ScalarNode, Line: j.line}
	d, ok := t.(json.Delim)
	if !ok {
		if s, ok := t.(string); ok {
			n.Tag, n.Value = "!!str", s
		}
		return n, nil
	}
	if depth > maxDepth || d == '}' || d == ']' {
		return nil, fmt.Errorf("line %d: nested too deep", j.line)
	}
	n.Kind = yaml.MappingNode
	if d == '[' {
		n.Kind = yaml.SequenceNode
	}
	for j.dec.More() {
		c, err := j.value(depth + 1)
		if err != nil {
			return nil, noEOF(err)
		}
		n.Content = append(n.Content, c)
	}
	if _, err := j.dec.Token(); err != nil {
		return nil, noEOF(err)
	}
	return n, nil
}

func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// plainNode follows an alias to what it stands for.
func plainNode(n *yaml.Node) *yaml.Node {
	for n != nil && (n.Kind == yaml.AliasNode || n.Kind == yaml.DocumentNode) {
		switch {
		case n.Kind == yaml.AliasNode:
			n = n.Alias
		case len(n.Content) == 0:
			return nil
		default:
			n = n.Content[0]
		}
	}
	return n
}

// child is the value of key in a mapping, also through "<<" (https://yaml.org/type/merge.html); nil without one.
func child(n *yaml.Node, key string) *yaml.Node { return childIn(n, key, 0) }

func childIn(n *yaml.Node, key string, depth int) *yaml.Node {
	n = plainNode(n)
	if n == nil || n.Kind != yaml.MappingNode || depth > 16 {
		return nil
	}
	var merged *yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		switch k, v := plainNode(n.Content[i]), n.Content[i+1]; {
		case k == nil || k.Kind != yaml.ScalarNode:
		case k.Value == key:
			return plainNode(v)
		case k.Value == "<<" && merged == nil:
			if v = plainNode(v); v != nil && v.Kind == yaml.SequenceNode {
				for _, m := range v.Content {
					if merged == nil {
						merged = childIn(m, key, depth+1)
					}
				}
			} else {
				merged = childIn(v, key, depth+1)
			}
		}
	}
	return merged
}

// text is a scalar's text; empty for anything else.
func text(n *yaml.Node) string {
	if n = plainNode(n); n != nil && n.Kind == yaml.ScalarNode && n.Tag != "!!null" {
		return n.Value
	}
	return ""
}
