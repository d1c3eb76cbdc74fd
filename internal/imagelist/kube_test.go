package imagelist

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestKube(t *testing.T) {
	for _, c := range []struct{ name, file, want string }{
		{
			name: "many documents", file: `---
# a comment alone
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80}]}
---
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      initContainers:
      - name: wait
        image: busybox:1.36
      containers:
      - name: web
        image: "nginx:1.27" # pinned
        env: [{name: image, value: not-me}]
      - {name: side, image: 'docker.io/library/busybox:1.36'}
      ephemeralContainers:
      - image: nicolaka/netshoot
      volumes:
      - name: model
        image: {reference: quay.io/org/model:v1, pullPolicy: IfNotPresent}
      - name: conf
        configMap: {name: x}
---
apiVersion: batch/v1
kind: CronJob
spec: {jobTemplate: {spec: {template: {spec: {containers: [{image: registry.k8s.io/kubectl:v1.31.0}]}}}}}
`, want: "16 busybox:1.36\n19 nginx:1.27\n23 nicolaka/netshoot\n26 quay.io/org/model:v1\n32 registry.k8s.io/kubectl:v1.31.0",
		},
		{
			name: "a list", file: "apiVersion: v1\nkind: List\nitems:\n- kind: Pod\n  spec:\n    containers:\n    - image: a\n- kind: Pod\n  spec:\n    containers:\n    - image: b\n",
			want: "7 a\n11 b",
		},
		{
			name: "custom resources", file: `apiVersion: serving.knative.dev/v1
kind: Service
spec: {template: {spec: {containers: [{image: ghcr.io/knative/helloworld-go}]}}}
---
kind: Rollout
spec: {template: {spec: {containers: [{image: argoproj/rollouts-demo:blue}]}}}
---
kind: CustomResourceDefinition
spec: {versions: [{schema: {properties: {containers: {type: array, items: {properties: {image: {type: string}}}}}}}]}
`, want: "3 ghcr.io/knative/helloworld-go\n6 argoproj/rollouts-demo:blue",
		},
		{
			name: "anchors and merges", file: "x: &c\n  image: a:1\nspec:\n  containers:\n  - <<: *c\n    name: n\n  - <<: [{name: z}, *c]\n    image: b:1\n  - *c\n", want: "2 a:1\n8 b:1",
		},
		{
			name: "kubectl get -o json", file: "{\n\t\"kind\": \"List\",\n\t\"items\": [\n\t\t{\"spec\": {\"containers\": [\n\t\t\t{\"image\": \"a:1\", \"x\": \"\\ud83d\\ude00\\/\", \"n\": 1e400, \"z\": null}\n\t\t]}}\n\t]\n}\n{\"spec\":{\"containers\":[{\"image\":\"b:1\"}]}}\n",
			want: "5 a:1\n9 b:1",
		},
		{name: "a flow mapping that is no JSON", file: "{spec: {containers: [{image: a}]}}\n", want: "1 a"},
		{name: "left to a controller", file: "containers: [{image: auto}, {image: ''}, {image: }, {image: ~}, {name: x}, text, 3, [a]]\n", want: ""},
		{name: "odd shapes", file: "containers: {image: a}\nvolumes: [{image: b}, {image: {reference: [c]}}]\ninitContainers: text\n? [k]\n: v\n", want: ""},
		{name: "numbers are names too", file: "containers: [{image: 1234}]\n", want: "1 1234"},
		{name: "empty", file: "", want: ""},
		{
			name: "a template that YAML stumbles over", file: "spec:\n  containers:\n  {{- range .Values.c }}\n  - image: {{ .image }}\n  {{- end }}\n",
			want: "error: m.yaml:3: a template that is not rendered ({{ }}); try: helm template … | pulley pull --kube -",
		},
		{
			name: "a template that parses", file: "spec:\n  containers:\n  - image: \"{{ .Values.image.repository }}:{{ .Values.tag }}\"\n",
			want: "error: m.yaml:3: a template that is not rendered ({{ }}); try: helm template … | pulley pull --kube -",
		},
		{name: "braces in text", file: "data: {a: '{{ $labels.pod }}'}\ncontainers: [{image: a}]\n", want: "2 a"},
		{name: "a placeholder", file: "containers: [{image: a}, {image: $(IMAGE)}]\n", want: "1 a\n1! \"$(IMAGE)\" is no image name: invalid reference format: repository name (library/$(IMAGE)) must be lowercase"},
		{
			name: "kustomization that replaces images", file: "apiVersion: kustomize.config.k8s.io/v1beta1\nresources: [a.yaml]\nimages:\n- name: a\n  newTag: v2\n",
			want: "error: m.yaml:4: the kustomization changes which images are used; try: kubectl kustomize . | pulley pull --kube -",
		},
		{name: "kustomization that does not", file: "kind: Kustomization\nresources: [a.yaml]\nimages: []\n", want: ""},
		{name: "not YAML", file: "a: b\n\tc: d\n", want: "error: m.yaml:2: found a tab character that violates indentation"},
		{name: "an alias that contains itself", file: "a: &a [*a]\ncontainers: [{image: x}]\n", want: "error: m.yaml: line 1: an alias that contains itself"},
	} {
		t.Run(c.name, func(t *testing.T) {
			images, err := Kube(strings.NewReader(c.file), "m.yaml")
			if got := strings.TrimSpace(lines(t, images, err)); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func bomb() string {
	var b strings.Builder
	b.WriteString("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n")
	for i := 1; i < 12; i++ {
		c := string(rune('a' + i))
		p := "a0"
		if i > 1 {
			p = string(rune('a'+i-1)) + "0"
		}
		b.WriteString(c + "0: &" + c + "0 [" + strings.TrimSuffix(strings.Repeat("*"+p+",", 10), ",") + "]\n")
	}
	return b.String()
}

func TestBombs(t *testing.T) {
	start := time.Now()
	for name, c := range map[string]struct{ file, want string }{
		"aliases":   {bomb(), "aliases multiply"},
		"deep":      {strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested more than 1000 deep"},
		"deep text": {strings.Repeat("- ", 5000) + "x", "nested more than 1000 deep"},
		"deeper":    {strings.Repeat("{\"a\":", 20000), "m.yaml"},
	} {
		_, err := Kube(strings.NewReader(c.file), "m.yaml")
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if d := time.Since(start); d > 10*time.Second {
		t.Errorf("took %v", d)
	}
}

func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestKubeAt(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"a.yaml":          "containers: [{image: a}]\n",
		"sub/b.yml":       "containers: [{image: b}, {image: a}]\n",
		"sub/deep/c.JSON": `{"containers": [{"image": "c"}]}`,
		"README.md":       "containers: [{image: d}]\n",
		".git/x.yaml":     "{{",
	})
	images, err := KubeAt(dir)
	if got, want := lines(t, images, err), "1 a\n1 b\n1 c\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if f := filepath.Join(dir, "sub", "b.yml"); images[1].File != f {
		t.Errorf("file is %s, want %s", images[1].File, f)
	}
	write(t, dir, map[string]string{"chart/templates/d.yaml": "containers:\n- image: {{ .x }}\n"})
	if _, err := KubeAt(dir); err == nil || !strings.HasPrefix(err.Error(), filepath.Join(dir, "chart", "templates", "d.yaml")+":2: a template") {
		t.Errorf("a chart: %v", err)
	}
	if _, err := KubeAt(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no *.yaml") {
		t.Errorf("an empty directory: %v", err)
	}
	if _, err := KubeAt(filepath.Join(dir, "nowhere")); err == nil || strings.Count(err.Error(), "nowhere") != 1 {
		t.Errorf("a missing one: %v", err)
	}
}
