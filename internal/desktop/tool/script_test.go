package tool

import (
	"encoding/base64"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

var odd = []string{"", "a", "a b", `it's "quoted"`, `C:\x y\`, `\\"`, "$HOME `id`", "‘typographic’", "new\nline"}

func TestShellWords(t *testing.T) {
	for _, word := range odd {
		out, err := exec.CommandContext(t.Context(), "sh", "-c", "printf %s "+shellWord(word)).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q came as %q (%v)", word, out, err)
		}
	}
}

// TestAppleScript has a shell do what AppleScript would hand it, and looks what is in the box.
func TestAppleScript(t *testing.T) {
	tool := faked(t, "findings")
	b, err := newBox()
	if err != nil {
		t.Fatal(err)
	}
	script := appleScript(b, []string{fakeVar + "=fake:findings", "HOME=/Users/it's \"me\""}, tool.Program, []string{"connect", "a b"})
	found := regexp.MustCompile(`(?s)^do shell script "(.*)" with administrator privileges$`).FindStringSubmatch(script)
	if found == nil {
		t.Fatal(script)
	}
	line := strings.NewReplacer(`\\`, `\`, `\"`, `"`).Replace(found[1])
	if out, err := exec.CommandContext(t.Context(), "sh", "-c", line).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var got echoed
	if err := b.answer(&got, []string{"connect"}); err == nil || err.Error() != "docker: two findings; try: pulley doctor --fix" || len(got.Args) != 1 {
		t.Errorf("%v, %q", err, got.Args)
	}
	b.close()
	if _, err := os.Stat(b.dir); !os.IsNotExist(err) {
		t.Error(err)
	}
	if err := b.answer(&got, []string{"connect"}); err == nil || !strings.Contains(err.Error(), "is not known") {
		t.Error(err)
	}
}

func TestPowerScript(t *testing.T) {
	b := &box{dir: "box"}
	script := powerScript(b, []string{`HOME=C:\Users\O'Neil`}, `C:\Program Files\Pulley\pulley.exe`, []string{"connect", "a b", `say "x"`})
	found := regexp.MustCompile(`-EncodedCommand ([A-Za-z0-9+/=]+)'`).FindStringSubmatch(script)
	if found == nil || !strings.Contains(script, "-Verb RunAs") || !strings.Contains(script, "exit 126") {
		t.Fatal(script)
	}
	data, err := base64.StdEncoding.DecodeString(found[1])
	if err != nil {
		t.Fatal(err)
	}
	inner := strings.ReplaceAll(string(data), "\x00", "")
	for _, want := range []string{
		`SetEnvironmentVariable('HOME', 'C:\Users\O''Neil')`, `-FilePath 'C:\Program Files\Pulley\pulley.exe'`,
		`-ArgumentList '--json connect "a b" "say \"x\""'`, "-Value $p.ExitCode",
	} {
		if !strings.Contains(inner, want) {
			t.Errorf("%s is not in\n%s", want, inner)
		}
	}
}

func TestWindowsWords(t *testing.T) {
	for word, want := range map[string]string{"": `""`, "a": "a", "a b": `"a b"`, `a b\`: `"a b\\"`, `a\"b`: `"a\\\"b"`, `a\b`: `a\b`} {
		if got := windowsWord(word); got != want {
			t.Errorf("%s: %s, want %s", word, got, want)
		}
	}
}
