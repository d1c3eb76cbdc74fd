package imagelist

import (
	"bytes"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Kube names the images in Kubernetes manifests: YAML of any number of documents, or JSON. The kind does not matter,
// so that workloads, lists and custom resources (Knative, Argo Rollouts, operators) are all read: taken is every
// "image" of an entry in a list called containers, initContainers or ephemeralContainers
// (https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/pod-v1/#Container), and every
// "image.reference" of an entry in a list called volumes
// (https://kubernetes.io/docs/concepts/storage/volumes/#image). Manifests name no platform.
//
// file is r's name in results. An error is a FileError, or an *UnresolvedError with the images that could be named. A
// template that was not rendered is a FileError which says how to do that.
func Kube(r io.Reader, file string) ([]Image, error) {
	var l list
	if err := l.kube(r, file); err != nil {
		return nil, err
	}
	return l.result()
}

// KubeAt is Kube for a file, or for all *.yaml, *.yml and *.json under a directory, hidden directories left out.
func KubeAt(path string) ([]Image, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, failed(path, err)
	}
	var l list
	if !info.IsDir() {
		if err := l.kubeFile(path); err != nil {
			return nil, err
		}
		return l.result()
	}
	read := 0
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return failed(p, err)
		case d.IsDir() && p != path && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || !manifest(p):
			return nil
		}
		if info, err := os.Stat(p); err != nil || !info.Mode().IsRegular() {
			return nil //nolint:nilerr // a link to nowhere, or to a directory, which is walked where it is
		}
		read++
		return l.kubeFile(p)
	})
	if err != nil {
		return nil, err
	}
	if read == 0 {
		return nil, FileError{File: path, Text: "no *.yaml, *.yml or *.json in it"}
	}
	return l.result()
}

func manifest(path string) bool {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".yaml", ".yml", ".json":
		return true
	}
	return false
}

func (l *list) kubeFile(path string) error {
	data, err := readFile(path)
	if err != nil {
		return err
	}
	return l.kube(bytes.NewReader(data), path)
}

func (l *list) kube(r io.Reader, file string) error {
	data, err := read(r, file)
	if err != nil {
		return err
	}
	docs, err := documents(data, file)
	if err != nil {
		// {{ }} is what YAML stumbles over in a template, but it may also be text in a manifest that is broken elsewhere.
		if n := templateLine(data); n > 0 {
			return unrendered(file, n)
		}
		return err
	}
	for _, d := range docs {
		if n := rewrites(d); n != nil {
			return FileError{File: file, Line: n.Line, Text: "the kustomization changes which images are used; try: kubectl kustomize " +
				filepath.Dir(file) + " | pulley pull --kube -"}
		}
		if err := l.walk(d, file); err != nil {
			return err
		}
	}
	return nil
}

func unrendered(file string, line int) FileError {
	return FileError{File: file, Line: line, Text: "a template that is not rendered ({{ }}); try: helm template … | pulley pull --kube -"}
}

// templateLine is the first line with "{{"; 0 without one.
func templateLine(data []byte) int {
	at := bytes.Index(data, []byte("{{"))
	if at < 0 {
		return 0
	}
	return bytes.Count(data[:at], []byte("\n")) + 1
}

// rewrites finds what in a kustomization gives the resources beside it other images than they say
// (https://kubectl.docs.kubernetes.io/references/kustomize/kustomization/images/).
func rewrites(doc *yaml.Node) *yaml.Node {
	if !strings.HasPrefix(text(child(doc, "apiVersion")), "kustomize.config.k8s.io/") && text(child(doc, "kind")) != "Kustomization" {
		return nil
	}
	for _, key := range []string{"images", "helmCharts"} {
		if n := child(doc, key); n != nil && len(n.Content) > 0 {
			return n
		}
	}
	return nil
}

// walk looks for lists of containers and volumes anywhere below n. What stands behind an alias is walked once: bounded
// has seen to it that there is an end, and the images are the same.
func (l *list) walk(n *yaml.Node, file string) error {
	seen := make(map[*yaml.Node]bool)
	var walk func(n *yaml.Node) error
	walk = func(n *yaml.Node) error {
		if n = plainNode(n); n == nil || seen[n] {
			return nil
		}
		seen[n] = true
		for i, c := range n.Content {
			if n.Kind == yaml.MappingNode {
				if i%2 == 0 {
					continue
				}
				if err := l.entries(text(n.Content[i-1]), c, file); err != nil {
					return err
				}
			}
			if err := walk(c); err != nil {
				return err
			}
		}
		return nil
	}
	return walk(n)
}

// entries takes the images of a list under key.
func (l *list) entries(key string, n *yaml.Node, file string) error {
	path := []string{"image"}
	switch key {
	case "containers", "initContainers", "ephemeralContainers":
	case "volumes":
		path = []string{"image", "reference"}
	default:
		return nil
	}
	if n = plainNode(n); n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	for _, e := range n.Content {
		v := e
		for _, p := range path {
			v = child(v, p)
		}
		name := strings.TrimSpace(text(v))
		switch {
		case v != nil && v.Kind == yaml.MappingNode && len(v.Content) > 0 && v.Content[0].Kind == yaml.MappingNode:
			return unrendered(file, v.Line) // {{ .x }} is a mapping with a mapping for its key
		case slices.Contains([]string{"", "auto"}, name):
			// Left to a controller; "auto" is Istio's word for its own proxy:
			// https://istio.io/latest/docs/setup/additional-setup/gateway/
		case strings.Contains(name, "{{"):
			return unrendered(file, v.Line)
		default:
			l.add(Image{Name: name, File: file, Line: v.Line})
		}
	}
	return nil
}
