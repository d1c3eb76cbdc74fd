package tool

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"pulley/internal/cause"
)

// This binary plays `pulley` and pkexec too, as the variable fakeVar or its own name says.
const fakeVar = "PULLEY_HOME" // one of those that go with AsRoot

// endedVar is an address that is called by a program that has been asked to end.
const endedVar = "PULLEY_TEST_ENDED"

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "pkexec" {
		pkexec()
	}
	if behaviour, ok := strings.CutPrefix(os.Getenv(fakeVar), "fake:"); ok {
		fake(behaviour)
	}
	goleak.VerifyTestMain(m)
}

type echoed struct {
	Args    []string `json:"args"`
	Environ []string `json:"environ"`
}

func fake(behaviour string) {
	switch behaviour {
	case "echo":
		_ = json.NewEncoder(os.Stdout).Encode(echoed{os.Args[1:], os.Environ()})
	case "findings":
		fmt.Println(`{"args":["found"]}`)
		fmt.Fprintln(os.Stderr, "a note\npulley: docker: two findings; try: pulley doctor --fix")
		os.Exit(1)
	case "fails":
		fmt.Fprintln(os.Stderr, "pulley: docker: /etc/docker/daemon.json belongs to root\nit is late\ncause: permission\ncause: of what is to come")
		os.Exit(1)
	case "garbage":
		fmt.Println("hello")
	case "silent":
		os.Exit(3)
	case "owner": // of one that tells endedVar how it ends
		_ = (&Tool{Program: os.Args[0], Environ: append(os.Environ(), fakeVar+"=fake:waits")}).Follow(context.Background(), func(line string) {
			fmt.Println(line)
		}, "context", "share", "build")
	case "waits", "fails at the end":
		fmt.Print("one\ntwo\r\n")
		_, _ = io.Copy(io.Discard, os.Stdin)
		if c, err := net.Dial("tcp", os.Getenv(endedVar)); err == nil { //nolint:noctx // a test's
			_ = c.Close()
			os.Exit(0)
		}
		fmt.Print("three")
		if behaviour != "waits" {
			fmt.Fprintln(os.Stderr, "pulley: build: its settings could not be put back")
			os.Exit(1)
		}
	}
	os.Exit(0)
}

func faked(t *testing.T, behaviour string) *Tool {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	environ := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, fakeVar+"=") })
	return &Tool{Program: self, Environ: append(environ, fakeVar+"=fake:"+behaviour)}
}

func TestRun(t *testing.T) {
	var got echoed
	if err := faked(t, "echo").Run(t.Context(), &got, "connect", "docker", "--dry-run"); err != nil {
		t.Fatal(err)
	}
	if want := []string{"--until-eof", "--json", "connect", "docker", "--dry-run"}; !slices.Equal(got.Args, want) {
		t.Errorf("%q, want %q", got.Args, want)
	}
	if err := faked(t, "echo").Run(t.Context(), nil, "off"); err != nil {
		t.Error(err)
	}
}

// Lines are handed over while the program still runs: this one ends only when it was heard.
func TestRunHandsOverLinesAsTheyCome(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	var heard []string
	err := faked(t, "waits").Run(ctx, func(line []byte) {
		heard = append(heard, string(line))
		if len(heard) == 2 {
			cancel(enough)
		}
	}, "connect")
	if !errors.Is(err, enough) || !slices.Equal(heard, []string{"one", "two", "three"}) {
		t.Errorf("%v, %q", err, heard)
	}
}

func TestRunFails(t *testing.T) {
	for behaviour, want := range map[string]string{
		"findings": "docker: two findings; try: pulley doctor --fix",
		"fails":    "docker: /etc/docker/daemon.json belongs to root",
		"garbage":  "pulley x: its answer cannot be read: invalid character 'h' looking for beginning of value; the two programs may be of different versions",
		"silent":   "pulley ended by itself: exit status 3",
	} {
		var got echoed
		err := faked(t, behaviour).Run(t.Context(), &got, "x")
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", behaviour, err, want)
		}
		if got := cause.Of(err); got != map[string]string{"fails": cause.Permission}[behaviour] {
			t.Errorf("%s: it is of the kind %q", behaviour, got)
		}
		if both := behaviour == "findings"; both != (len(got.Args) == 1) {
			t.Errorf("%s: decoded %q", behaviour, got.Args)
		}
	}
	missing := &Tool{Program: filepath.Join(t.TempDir(), "pulley")}
	if err := missing.Run(t.Context(), nil, "x"); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Error(err)
	}
}

func TestFollowEndsTheProgramAndHearsItsLastWords(t *testing.T) {
	for behaviour, want := range map[string]string{"waits": "", "fails at the end": "build: its settings could not be put back"} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		var heard []string
		err := faked(t, behaviour).Follow(ctx, func(line string) {
			heard = append(heard, line)
			if line == "two" {
				cancel()
			}
		}, "context", "share", "build")
		cancel()
		if got := fmt.Sprint(err); err != nil && got != want || err == nil && want != "" {
			t.Errorf("%s: %v, want %q", behaviour, err, want)
		}
		if heard = slices.DeleteFunc(heard, func(l string) bool { return strings.HasPrefix(l, "pulley: ") }); !slices.Equal(heard, []string{"one", "two", "three"}) {
			t.Errorf("%s: %q", behaviour, heard)
		}
	}
}

func TestARunThatIsCancelledEndsTheProgram(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	time.AfterFunc(100*time.Millisecond, func() { cancel(enough) })
	if err := faked(t, "waits").Run(ctx, nil, "connect"); !errors.Is(err, enough) {
		t.Error(err)
	}
}

// A desktop app that was killed leaves no share, and no half wired engine, that nobody knows of any more.
func TestWhatWasBegunEndsWithItsOwner(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // a test's
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	tool := faked(t, "owner")
	owner := exec.CommandContext(t.Context(), tool.Program)
	owner.Env = append(tool.Environ, endedVar+"="+l.Addr().String())
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "two" {
	}
	if err := owner.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = owner.Wait()
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(time.Minute))
	c, err := l.Accept()
	if err != nil {
		t.Fatalf("it lives on: %v", err)
	}
	_ = c.Close()
}
