package edit_test

import (
	"encoding/json"
	"strings"
	"testing"

	"pulley/internal/docker/edit"
)

func yamlSteps() []edit.Step {
	return []edit.Step{
		{Path: []string{"docker", "registry-mirrors"}, Add: []json.RawMessage{json.RawMessage(`"http://host.lima.internal:5055"`)}, Front: true},
		{Path: []string{"env", "http_proxy"}, Value: json.RawMessage(`"http://127.0.0.1:5055"`)},
	}
}

// yamlApplied are texts before and after yamlSteps; the way back is the before, byte for byte.
var yamlApplied = map[string]struct{ before, after string }{
	"colima's own": {
		before: "# Number of CPUs\ncpu: 2\n\n# Docker daemon configuration.\n# docker:\n#   features:\n#     buildkit: false\n# Default: {}\ndocker: {}\n\n# Environment variables\nenv: {}\n",
		after:  "# Number of CPUs\ncpu: 2\n\n# Docker daemon configuration.\n# docker:\n#   features:\n#     buildkit: false\n# Default: {}\ndocker: {\"registry-mirrors\": [\"http://host.lima.internal:5055\"]}\n\n# Environment variables\nenv: {\"http_proxy\": \"http://127.0.0.1:5055\"}\n",
	},
	"in lines, with comments": {
		before: "docker:\n  # ours\n  registry-mirrors: # fast ones\n    # the best\n    - https://mirror.gcr.io # Google's\n  insecure-registries:\n  - reg.corp:5000\nenv:\n  KEY: value # a value\n\n# the end\n",
		after:  "docker:\n  # ours\n  registry-mirrors: # fast ones\n    # the best\n    - \"http://host.lima.internal:5055\"\n    - https://mirror.gcr.io # Google's\n  insecure-registries:\n  - reg.corp:5000\nenv:\n  KEY: value # a value\n  http_proxy: \"http://127.0.0.1:5055\"\n\n# the end\n",
	},
	"dashes as far out as the key; a value replaced": {
		before: "docker:\n  registry-mirrors:\n  - 'https://a.b'\nenv:\n  http_proxy: http://proxy.corp:3128   # corp\n",
		after:  "docker:\n  registry-mirrors:\n  - \"http://host.lima.internal:5055\"\n  - 'https://a.b'\nenv:\n  http_proxy: \"http://127.0.0.1:5055\"   # corp\n",
	},
	"brackets": {
		before: "docker: {features: {buildkit: true}, registry-mirrors: [https://a.b, \"https://c.d\"]}\nenv: {A: \"x, y\"}",
		after:  "docker: {features: {buildkit: true}, registry-mirrors: [\"http://host.lima.internal:5055\", https://a.b, \"https://c.d\"]}\nenv: {A: \"x, y\", \"http_proxy\": \"http://127.0.0.1:5055\"}",
	},
	"a value on a line of its own, and none": {
		before: "env:\n  http_proxy:\n    http://old:1 # why\ndocker:\n  registry-mirrors: []\n",
		after:  "env:\n  http_proxy:\n    \"http://127.0.0.1:5055\" # why\ndocker:\n  registry-mirrors: [\"http://host.lima.internal:5055\"]\n",
	},
	"a key with nothing behind it": {
		before: "env:\n  http_proxy:\n  A: b\n",
		after:  "env:\n  http_proxy: \"http://127.0.0.1:5055\"\n  A: b\ndocker:\n  registry-mirrors:\n    - \"http://host.lima.internal:5055\"\n",
	},
	"nothing": {
		before: "",
		after:  "docker:\n  registry-mirrors:\n    - \"http://host.lima.internal:5055\"\nenv:\n  http_proxy: \"http://127.0.0.1:5055\"\n",
	},
	"comments alone, no end of line": {
		before: "# mine",
		after:  "# mine\ndocker:\n  registry-mirrors:\n    - \"http://host.lima.internal:5055\"\nenv:\n  http_proxy: \"http://127.0.0.1:5055\"\n",
	},
	"a mark and Windows's ends": {
		before: "\ufeffcpu: 2\r\ndocker:\r\n  debug: true\r\n",
		after:  "\ufeffcpu: 2\r\ndocker:\r\n  debug: true\r\n  registry-mirrors:\r\n    - \"http://host.lima.internal:5055\"\r\nenv:\r\n  http_proxy: \"http://127.0.0.1:5055\"\r\n",
	},
	"text in lines behind": {
		before: "docker:\n  debug: true\nenv:\n  A: b\nprovision:\n  - mode: system\n    script: |\n      #!/bin/sh\n      echo hi\n\n      # not a comment\n",
		after:  "docker:\n  debug: true\n  registry-mirrors:\n    - \"http://host.lima.internal:5055\"\nenv:\n  A: b\n  http_proxy: \"http://127.0.0.1:5055\"\nprovision:\n  - mode: system\n    script: |\n      #!/bin/sh\n      echo hi\n\n      # not a comment\n",
	},
	"text in lines as the last value": {
		before: "env:\n  A: |\n    one\n\n    two\n",
		after:  "env:\n  A: |\n    one\n\n    two\n  http_proxy: \"http://127.0.0.1:5055\"\ndocker:\n  registry-mirrors:\n    - \"http://host.lima.internal:5055\"\n",
	},
	"a carriage return alone ends a line": {
		before: "docker: {\r  \"debug\": true}\nenv: # why\r  A: b\r",
		after:  "docker: {\r  \"debug\": true, \"registry-mirrors\": [\"http://host.lima.internal:5055\"]}\nenv: # why\r  A: b\r  http_proxy: \"http://127.0.0.1:5055\"\n",
	},
	"a carriage return alone ends a comment": {
		before: "# mine\rdocker:\n  registry-mirrors:\r  - a # one\r  - b\nenv: {}\n",
		after:  "# mine\rdocker:\n  registry-mirrors:\r  - \"http://host.lima.internal:5055\"\n  - a # one\r  - b\nenv: {\"http_proxy\": \"http://127.0.0.1:5055\"}\n",
	},
	"the line ends of Unicode": {
		before: "docker:\u0085  debug: true # yes\u2028  # no\u2029env:\u0085  A: |\u0085    one\u2028    two\u0085",
		after:  "docker:\u0085  debug: true # yes\u2028  registry-mirrors:\n    - \"http://host.lima.internal:5055\"\n  # no\u2029env:\u0085  A: |\u0085    one\u2028    two\u0085  http_proxy: \"http://127.0.0.1:5055\"\n",
	},
	"an alias replaced": {
		before: "x: &p http://old:1\nenv: {http_proxy: *p, A: *p} # corp\ndocker:\n  registry-mirrors: []\n",
		after:  "x: &p http://old:1\nenv: {http_proxy: \"http://127.0.0.1:5055\", A: *p} # corp\ndocker:\n  registry-mirrors: [\"http://host.lima.internal:5055\"]\n",
	},
	"an alias replaced before a comment": {
		before: "x: &p http://old:1\ndocker: {}\nenv:\n  http_proxy: *p\t# corp\n",
		after:  "x: &p http://old:1\ndocker: {\"registry-mirrors\": [\"http://host.lima.internal:5055\"]}\nenv:\n  http_proxy: \"http://127.0.0.1:5055\"\t# corp\n",
	},
}

func TestYAML(t *testing.T) {
	t.Parallel()
	for name, c := range yamlApplied {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &edit.Edit{Format: edit.YAML, Steps: yamlSteps()}
			after, err := e.Apply([]byte(c.before))
			if err != nil {
				t.Fatal(err)
			}
			if string(after) != c.after {
				t.Fatalf("after:\n%s\nwant:\n%s", after, c.after)
			}
			kept, err := json.Marshal(e) // it is kept in between
			if err != nil {
				t.Fatal(err)
			}
			again := new(edit.Edit)
			if err := json.Unmarshal(kept, again); err != nil {
				t.Fatal(err)
			}
			if twice, err := again.Apply(after); err != nil || string(twice) != c.after {
				t.Fatalf("applied again: %q, %v", twice, err)
			}
			back, err := again.Revert(after)
			if err != nil || string(back) != c.before {
				t.Fatalf("back: %q, %v; want %q", back, err, c.before)
			}
		})
	}
}

// TestYAMLEditedSince takes out what is ours from what somebody, or Colima itself, wrote anew.
func TestYAMLEditedSince(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ before, since, want string }{
		"written anew in lines": {
			before: "docker: {}\nenv: {}\n",
			since:  "docker:\n    registry-mirrors:\n        - http://host.lima.internal:5055\nenv:\n    http_proxy: http://127.0.0.1:5055\ncpu: 4\n",
			want:   "docker: {}\nenv: {}\ncpu: 4\n",
		},
		"a mirror more": {
			before: "docker: {}\nenv: {}\n",
			since:  "docker:\n  registry-mirrors:\n    - http://host.lima.internal:5055\n    - https://a.b # mine\nenv: {}\n",
			want:   "docker:\n  registry-mirrors:\n    - https://a.b # mine\nenv: {}\n",
		},
		"the proxy is somebody's now": {
			before: "docker:\n  debug: true\nenv:\n  http_proxy: http://old:1\n",
			since:  "docker:\n  debug: true\n  registry-mirrors: [ 'http://host.lima.internal:5055' ]\nenv:\n  http_proxy: http://new:1\n",
			want:   "docker:\n  debug: true\nenv:\n  http_proxy: http://new:1\n",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &edit.Edit{Format: edit.YAML, Steps: yamlSteps()}
			if _, err := e.Apply([]byte(c.before)); err != nil {
				t.Fatal(err)
			}
			got, err := e.Revert([]byte(c.since))
			if err != nil || string(got) != c.want {
				t.Fatalf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
}

func TestYAMLRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ text, says string }{
		"broken":               {"docker:\n  a: [1\nenv: {}\n", "line"},
		"a list":               {"- a\n", "not a mapping"},
		"two documents":        {"docker: {}\n---\ndocker: {}\n", "more than one"},
		"a key twice":          {"docker: {}\ndocker: {}\n", "twice"},
		"a shared value":       {"x: &m\n  debug: true\ndocker: *m\n", "docker"},
		"no table":             {"docker: yes please\n", "no table"},
		"comments in brackets": {"docker: { # why\n  debug: true }\n", "docker"},
		"a name for brackets":  {"docker: &d {debug: true}\n", "docker"},
		"a key with a tag":     {"!!str docker: {}\n", "docker"},
		"two marks":            {"\ufeff\ufeffcpu: 2\ndocker: {}\nenv: {}\n", "second byte order mark"},
		"UTF-16":               {"\xff\xfed\x00:\x00 \x001\x00\n\x00", "line 1: not YAML: not UTF-8"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			e := &edit.Edit{Format: edit.YAML, Steps: yamlSteps()}
			got, err := e.Apply([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.says) {
				t.Fatalf("%q, %v; want an error with %q", got, err, c.says)
			}
		})
	}
}
