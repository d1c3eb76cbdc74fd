//go:build xvfb

package main_test

import (
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/internal/control/client"
)

// programs is the folder with both programs, built once.
var programs string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "programs")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		programs = dir
		for _, build := range [][]string{
			{"CGO_ENABLED=1", "pulley-tray", "."},
			{"CGO_ENABLED=0", "pulley", "../pulley"},
		} {
			command := exec.Command("go", "build", "-o", filepath.Join(dir, build[1]), build[2])
			command.Env = append(os.Environ(), build[0])
			if out, err := command.CombinedOutput(); err != nil {
				fmt.Fprintf(os.Stderr, "%s cannot be built: %v\n%s", build[1], err, out)
				return 1
			}
		}
		return m.Run()
	}())
}

// tray starts the tray in a session.
func (s *session) tray(t *testing.T, more ...string) *process {
	t.Helper()
	command := exec.Command(filepath.Join(programs, "pulley-tray"))
	command.Env = s.environ(more...)
	return start(t, command)
}

// daemon starts a daemon by itself, and waits until it serves.
func (s *session) daemon(t *testing.T) *process {
	t.Helper()
	command := exec.Command(filepath.Join(programs, "pulley"), "up")
	command.Env = s.environ()
	p := start(t, command)
	eventually(t, "the daemon was ready", func() bool { return strings.Contains(p.out.String(), "ready ") })
	return p
}

// state is what the daemon itself says; ok is false when none answers.
func (s *session) state(t *testing.T) (state control.State, ok bool) {
	t.Helper()
	c := client.New(filepath.Join(s.home, "control.sock"))
	defer c.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	state, err := c.State(ctx)
	return state, err == nil
}

// becomes waits until the daemon says what is wanted.
func (s *session) becomes(t *testing.T, what string, is func(control.State) bool) {
	t.Helper()
	eventually(t, "the daemon said "+what, func() bool {
		state, ok := s.state(t)
		return ok && is(state)
	})
}

func (s *session) route(t *testing.T, registry string) string {
	t.Helper()
	state, _ := s.state(t)
	for _, r := range state.Registries {
		if r.Name == registry {
			return r.Route
		}
	}
	return ""
}

func TestMenuSwitchesTheDaemon(t *testing.T) {
	s := newSession(t)
	icon := func() *statusIcon { a := newArea(t, s); s.tray(t); return a.icon(t) }()
	icon.find("On · 127.0.0.1:")
	on := icon.pixels()

	off := icon.find("Turn off")
	icon.click(off)
	s.becomes(t, "off", func(c control.State) bool { return !c.Enabled })
	icon.find("Off: engines go straight through")
	if icon.pixels() == on {
		t.Error("the icon is the same on and off")
	}
	icon.click(icon.find("Turn on"))
	s.becomes(t, "on", func(c control.State) bool { return c.Enabled })
	icon.find("On · 127.0.0.1:")
	icon.click(off) // from a menu that was read long ago
	s.becomes(t, "off", func(c control.State) bool { return !c.Enabled })

	old := icon.find("docker.io · Automatic > Direct")
	icon.click(icon.find("docker.io · Automatic > Offline"))
	s.becomes(t, "docker.io offline", func(control.State) bool { return s.route(t, "docker.io") == "offline" })
	if l := icon.find("docker.io · Offline > Offline"); !l.checked {
		t.Error("the route in force is not checked")
	}
	icon.click(old)
	s.becomes(t, "docker.io direct", func(control.State) bool { return s.route(t, "docker.io") == "direct" })
	icon.click(icon.find("More registries > quay.io · Automatic > Offline"))
	s.becomes(t, "quay.io offline", func(control.State) bool { return s.route(t, "quay.io") == "offline" })

	text := icon.text()
	for _, want := range []string{"Free space… (0 B cached)\n", "\nOpen Pulley\n", "\nSettings…\n", "\nQuit\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("the menu lacks %q:\n%s", want, text)
		}
	}
}

// What reaches the panel is the drawing: soft edges are transparent, not of
// another colour.
func TestIconIsDrawnInItsColour(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	const red, green, blue = 0x0d, 0x94, 0x88
	soft, pixels := 0, icon.pixels()
	for i := 0; i < len(pixels); i += 4 {
		if alpha := pixels[i]; alpha > 0 && alpha < 255 {
			soft++
		} else if alpha == 0 {
			continue
		}
		for j, want := range []int{red, green, blue} {
			// A pixel that is hardly there has only a rough colour.
			if got, most := int(pixels[i+1+j]), 3+255/int(pixels[i]); got < want-most || got > want+most {
				t.Fatalf("pixel %d is %x", i/4, pixels[i:i+4])
			}
		}
	}
	if soft == 0 {
		t.Error("no soft edges")
	}
}

func TestWindowOpensAndHides(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	tray := s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	if s.x.windows("Pulley") != nil {
		t.Error("the window is open at start, though there is an icon")
	}
	icon.click(icon.find("Open Pulley"))
	id := s.window(t)
	eventually(t, "the window was drawn", func() bool { return colours(s.x.picture(id)) > 50 })
	icon.click(icon.find("Turn off"))
	s.becomes(t, "off", func(c control.State) bool { return !c.Enabled })
	icon.click(icon.find("Turn on"))
	icon.find("On · 127.0.0.1:")
	if path := os.Getenv("PULLEY_SCREENSHOT"); path != "" {
		save(t, path, s.settled(t, id))
	}

	s.x.shut(id)
	eventually(t, "the window was hidden", func() bool { return s.x.windows("Pulley") == nil })
	icon.click(icon.find("Open Pulley"))
	s.window(t)

	icon.click(icon.find("Quit"))
	if code := tray.ended(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

// window waits for the one window of the tray.
func (s *session) window(t *testing.T) (id uint32) {
	t.Helper()
	eventually(t, "the window was open", func() bool {
		windows := s.x.windows("Pulley")
		if len(windows) == 1 {
			id = windows[0]
		}
		return len(windows) == 1
	})
	return id
}

// settled is a window's picture when it has stopped changing.
func (s *session) settled(t *testing.T, id uint32) *image.NRGBA {
	t.Helper()
	last, same := s.x.picture(id), 0
	eventually(t, "the window stood still", func() bool {
		next := s.x.picture(id)
		if string(next.Pix) == string(last.Pix) {
			same++
		} else {
			last, same = next, 0
		}
		return same > 25
	})
	return last
}

func colours(picture *image.NRGBA) int {
	seen := map[[3]byte]bool{}
	for i := 0; i < len(picture.Pix); i += 4 {
		seen[[3]byte(picture.Pix[i:])] = true
	}
	return len(seen)
}

func save(t *testing.T, path string, picture image.Image) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(png.Encode(file, picture), file.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestChildEndsWithTheTray(t *testing.T) {
	for name, end := range map[string]func(*process, *statusIcon){
		"quit":    func(_ *process, icon *statusIcon) { icon.click(icon.find("Quit")) },
		"SIGTERM": func(p *process, _ *statusIcon) { _ = p.Process.Signal(syscall.SIGTERM) },
		"SIGHUP":  func(p *process, _ *statusIcon) { _ = p.Process.Signal(syscall.SIGHUP) },
	} {
		t.Run(name, func(t *testing.T) {
			s := newSession(t)
			a := newArea(t, s)
			tray := s.tray(t)
			icon := a.icon(t)
			icon.find("On · 127.0.0.1:")
			state, _ := s.state(t)
			end(tray, icon)
			if code := tray.ended(t); code != 0 {
				t.Errorf("exit status %d", code)
			}
			if err := syscall.Kill(state.PID, 0); !errors.Is(err, syscall.ESRCH) {
				t.Errorf("the daemon is still there: %v", err)
			}
			if _, ok := s.state(t); ok {
				t.Error("a daemon still answers")
			}
		})
	}
}

func TestAttachedDaemonOutlivesTheTray(t *testing.T) {
	s := newSession(t)
	s.daemon(t)
	before, _ := s.state(t)
	a := newArea(t, s)
	tray := s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	icon.click(icon.find("Quit (the daemon stays)"))
	if code := tray.ended(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	if after, ok := s.state(t); !ok || after.PID != before.PID {
		t.Errorf("the daemon was pid %d and is %d", before.PID, after.PID)
	}
}

func TestDaemonThatDiedIsStartedAgain(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("On · 127.0.0.1:")
	before, _ := s.state(t)
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	s.becomes(t, "another pid", func(c control.State) bool { return c.PID != before.PID })
	icon.find("On · 127.0.0.1:")
}

// A tray that is killed leaves its daemon, and the next tray finds it.
func TestDaemonOutlivesATrayThatCrashed(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	tray := s.tray(t)
	a.icon(t).find("On · 127.0.0.1:")
	before, _ := s.state(t)
	t.Cleanup(func() {
		_ = syscall.Kill(before.PID, syscall.SIGTERM)
		eventually(t, "the daemon was gone", func() bool { return errors.Is(syscall.Kill(before.PID, 0), syscall.ESRCH) })
	})
	_ = tray.Process.Kill()
	tray.ended(t)
	a.mu.Lock()
	a.item = ""
	a.mu.Unlock()
	s.tray(t)
	a.icon(t).find("Quit (the daemon stays)")
	if after, ok := s.state(t); !ok || after.PID != before.PID {
		t.Errorf("the daemon was pid %d and is %d", before.PID, after.PID)
	}
}

func TestDaemonThatCannotStart(t *testing.T) {
	s := newSession(t)
	s.configure(t, "nonsense = 1\n")
	a := newArea(t, s)
	s.tray(t)
	icon := a.icon(t)
	icon.find("Pulley is not running")
	if text := icon.text(); !strings.Contains(text, "nonsense") {
		t.Errorf("the menu does not say why:\n%s", text)
	}
	s.configure(t, "")
	icon.click(icon.find("Start Pulley"))
	icon.find("On · 127.0.0.1:")
}

func TestRefusalIsShown(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	s.tray(t, "PULLEY_ENABLED=true")
	icon := a.icon(t)
	icon.click(icon.find("Turn off"))
	icon.find("could not turn off: ")
	icon.find("On · 127.0.0.1:")
}

func TestSecondInstanceShowsTheFirst(t *testing.T) {
	s := newSession(t)
	a := newArea(t, s)
	s.tray(t)
	a.icon(t).find("On · 127.0.0.1:")
	second := s.tray(t)
	if code := second.ended(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	s.window(t)
}

// Without a status area the window is all there is: it opens by itself, and
// closing it ends the program.
func TestNoStatusArea(t *testing.T) {
	s := newSession(t)
	tray := s.tray(t)
	s.x.shut(s.window(t))
	if code := tray.ended(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
	eventually(t, "the daemon was gone", func() bool { _, ok := s.state(t); return !ok })
}

// A panel that starts after the tray finds its icon.
func TestStatusAreaComesLater(t *testing.T) {
	s := newSession(t)
	tray := s.tray(t)
	id := s.window(t)
	a := newArea(t, s)
	icon := a.icon(t)
	s.x.shut(id)
	eventually(t, "the window was hidden", func() bool { return s.x.windows("Pulley") == nil })
	icon.click(icon.find("Quit"))
	if code := tray.ended(t); code != 0 {
		t.Errorf("exit status %d", code)
	}
}

func TestWrongUsage(t *testing.T) {
	for _, args := range [][]string{{"--bogus"}, {"up"}} {
		command := exec.Command(filepath.Join(programs, "pulley-tray"), args...)
		command.Env = []string{"PATH=" + os.Getenv("PATH")}
		tray := start(t, command)
		if code := tray.ended(t); code != 2 {
			t.Errorf("%q: exit status %d", args, code)
		}
		if out := tray.out.String(); out != "pulley-tray: unknown arguments; try: pulley-tray --help\n" {
			t.Errorf("%q: it says %q", args, out)
		}
	}
}

func TestNoDisplay(t *testing.T) {
	for name, display := range map[string]string{"none": "", "gone": ":4711"} {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			command := exec.Command(filepath.Join(programs, "pulley-tray"))
			command.Env = []string{"HOME=" + home, "PULLEY_HOME=" + home, "DISPLAY=" + display, "PATH=" + os.Getenv("PATH")}
			tray := start(t, command)
			if code := tray.ended(t); code != 1 {
				t.Errorf("exit status %d", code)
			}
			out := tray.out.String()
			if strings.Count(out, "\n") != 1 || !strings.HasPrefix(out, "pulley-tray: ") || !strings.HasSuffix(out, "with: pulley up\n") {
				t.Errorf("it says %q", out)
			}
			if left, _ := os.ReadDir(home); len(left) > 0 {
				t.Errorf("it left %v", left)
			}
		})
	}
}
