package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// TestCommandsInDocsRun types every line of every block that the README and docs/ give to be typed: as a person who follows the
// page does, block by block, with a daemon, a home and a Docker Hub of their own. A line that needs what this test has not is in
// [docsElsewhere], with the test that has it; one that is neither run nor there fails.
func TestCommandsInDocsRun(t *testing.T) {
	world := newDocsWorld(t)
	met := map[string]bool{}
	for _, page := range docsPages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		notTyped(t, page, string(text))
		for _, b := range commandBlocks(string(text)) {
			for _, line := range b.lines {
				met[line] = true
			}
			t.Run(fmt.Sprintf("%s:%d", filepath.Base(page), b.at), func(t *testing.T) {
				t.Parallel()
				if b.list { // each line by itself
					for _, line := range b.lines {
						t.Run("", func(t *testing.T) { world.follow(t, []string{line}) })
					}
					return
				}
				world.follow(t, b.lines)
			})
		}
	}
	// What is said whole in a sentence can be typed as well.
	for line, page := range spokenWhole(t, met) {
		met[line] = true
		t.Run(filepath.Base(page)+"/"+line, func(t *testing.T) {
			t.Parallel()
			world.follow(t, []string{line})
		})
	}
	if len(met) < 120 {
		t.Errorf("only %d different lines were found", len(met))
	}
	for _, line := range slices.Concat(keys(docsElsewhere), keys(docsPrepared)) {
		if !met[line] {
			t.Errorf("no page has the line %q any more", line)
		}
	}
}

// TestDocsElsewhere: the tests that are named instead of being run here are there, and run that.
func TestDocsElsewhere(t *testing.T) {
	for line, where := range docsElsewhere {
		text, err := os.ReadFile(filepath.Join("..", "..", where.file))
		switch {
		case err != nil:
			t.Errorf("%s: %v", line, err)
		case !strings.Contains(string(text), where.test):
			t.Errorf("%s: %s has no %s", line, where.file, where.test)
		case !strings.Contains(string(text), where.has):
			t.Errorf("%s: %s: there is no %s in it", line, where.file, where.has)
		}
	}
}

func keys[V any](m map[string]V) (list []string) {
	for k := range m {
		list = append(list, k)
	}
	return list
}

// docsPages are the pages whose commands are typed.
func docsPages(t *testing.T) []string {
	t.Helper()
	list, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(list) < 15 {
		t.Fatal(list, err)
	}
	return append(list, "../../README.md")
}

// commandBlock is a block of lines to be typed.
type commandBlock struct {
	at    int // line of the page
	lines []string
	list  bool // a list of commands with what each is for, not one thing after the other
}

// commandBlocks are those of a page: blocks without a language. What the program prints, below a line with a $, is for
// [TestOutputInDocs].
func commandBlocks(text string) (all []commandBlock) {
	for _, m := range fence.FindAllStringSubmatchIndex(text, -1) {
		switch text[m[2]:m[3]] {
		case "", "powershell":
		default:
			continue
		}
		b := commandBlock{at: 1 + strings.Count(text[:m[0]], "\n"), list: true}
		for line := range strings.Lines(strings.ReplaceAll(text[m[4]:m[5]], "\\\n", " ")) {
			command, explained, _ := strings.Cut(strings.TrimSpace(line), " # ")
			if parts := gap.Split(command, 2); len(parts) == 2 && explained == "" && !strings.HasPrefix(command, "openssl") {
				command = parts[0]
			} else {
				b.list = false
			}
			if command = strings.Join(strings.Fields(command), " "); command != "" && !strings.HasPrefix(command, "#") {
				b.lines = append(b.lines, command)
			}
		}
		all = append(all, b)
	}
	return all
}

// placeholder is a word that stands for others.
var placeholder = regexp.MustCompile(`…|\[|\b[A-Z]{2,}\b|引擎名`)

// spokenWhole are commands with arguments that stand in sentences of pages, complete, and in no block.
func spokenWhole(t *testing.T, typed map[string]bool) map[string]string {
	t.Helper()
	lines := map[string]string{}
	for _, page := range docsPages(t) {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range spans(string(text)) {
			all := invocations(line)
			if len(all) == 1 && len(all[0]) > 1 && !placeholder.MatchString(line) && !typed[line] && parses(all[0], true) == nil {
				lines[line] = page
			}
		}
	}
	return lines
}

// notTyped holds that a block with a language is none of commands.
func notTyped(t *testing.T, page, text string) {
	t.Helper()
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "", "powershell", "console", "toml", "json", "yaml", "promql":
			continue
		case "text", "ini":
		default:
			t.Errorf("%s: a block of %s: nothing says what is done with such blocks", page, m[1])
		}
		for line := range strings.Lines(m[2]) {
			if len(invocations(line)) > 0 {
				t.Errorf("%s: %s is no command there", page, line)
			}
		}
	}
}

// docsWorld is what all blocks have in common.
type docsWorld struct {
	hub      *hubtest.Hub
	more     string // settings that lead to it
	roots    []string
	resolver *waytest.Resolver
	proxy    string
	programs string // a folder of programs that stand in for real ones
}

func newDocsWorld(t *testing.T) *docsWorld {
	t.Helper()
	w := &docsWorld{hub: &hubtest.Hub{Sites: []*hubtest.Site{{Host: "ghcr.io"}, {Host: "quay.io"}}}, programs: t.TempDir()}
	mirrors := []*hubtest.Hub{{Of: w.hub, RegistryHost: "mirror.gcr.io", Auth: hubtest.Open}, {Of: w.hub, RegistryHost: "docker.m.daocloud.io", Auth: hubtest.Open}}
	for _, h := range append([]*hubtest.Hub{w.hub}, mirrors...) {
		if err := h.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(h.Close)
	}
	for i, name := range []string{"library/alpine:latest", "library/debian:latest", "library/debian:12", "library/redis:latest"} {
		name, tag, _ := strings.Cut(name, ":")
		w.hub.Push(name, tag, hubtest.RandomImage(uint64(900+i), 1, 200<<10))
	}
	w.hub.Site("ghcr.io").Push("org/app", "latest", hubtest.RandomImage(910, 1, 200<<10))
	w.hub.Site("quay.io").Push("podman/hello", "latest", hubtest.RandomImage(911, 1, 200<<10))
	for _, h := range mirrors {
		w.more += h.Addresses()
	}
	w.resolver = waytest.DoH(t, nil)
	w.roots = []string{w.resolver.Root}
	w.proxy = "http://" + waytest.HTTP(t, "", "").Addr
	engine, err := exec.LookPath(docsEngineName) // TestMain put it there
	if err != nil {
		t.Fatal(err)
	}
	for name, script := range docsPrograms {
		if err := os.WriteFile(filepath.Join(w.programs, name), []byte("#!/bin/bash -e\n"+strings.ReplaceAll(script, "ENGINE", engine)+"\n"), 0o700); err != nil { //nolint:gosec // a program
			t.Fatal(err)
		}
	}
	buildPulley(t)
	return w
}

// docsPerson is somebody who follows a page, with a daemon that runs.
type docsPerson struct {
	t       *testing.T
	home    string
	env     []string
	dial    []string          // addresses in the pages, and what listens in their stead
	instead *strings.Replacer // what the pages call things, to what they are called here
}

// follow types lines one after the other.
func (w *docsWorld) follow(t *testing.T, lines []string) {
	t.Helper()
	var p *docsPerson
	for _, line := range lines {
		if _, ok := docsElsewhere[line]; ok {
			continue
		}
		if target, ok := strings.CutPrefix(line, "make "); ok { // .ci/run and .ci/bare run those
			target, _, _ = strings.Cut(target, " ")
			if text, err := os.ReadFile("../../Makefile"); err != nil || !strings.Contains(string(text), "\n"+target+": ##") {
				t.Errorf("%s: the Makefile has no such target (%v)", line, err)
			}
			continue
		}
		if danger.MatchString(line) {
			t.Errorf("%s: changes this machine: name the test that does it elsewhere", line)
			continue
		}
		if p == nil {
			p = w.person(t, elsewhereMeant.MatchString(strings.Join(lines, "\n")))
		}
		if said, err := w.types(p, line); err != nil {
			t.Errorf("%s: %v\n%s", line, err, said)
		}
	}
}

// danger is what would change the machine of whoever runs the tests as root.
var danger = regexp.MustCompile(`\b(curl|pulley (connect [^-]|disconnect|ca (un)?trust($| [^-]| --all)|service (install|uninstall|start|stop)))`)

// elsewhereMeant are lines that are about a machine elsewhere.
var elsewhereMeant = regexp.MustCompile(`\b(build|jump)\b`)

// person starts a daemon for somebody new, who has a machine elsewhere or none.
func (w *docsWorld) person(t *testing.T, elsewhere bool) *docsPerson {
	t.Helper()
	far := "ssh://nobody@" + deadAddress(t)
	who := waytest.NewPerson(t)
	if elsewhere {
		machine := waytest.SSHD(t, "")
		far, who = machine.URL(), waytest.Knowing(t, machine)
		who.Dot()
	}
	settings := hubtest.Settings{Origin: w.hub, Roots: w.roots, More: w.more}
	p := &docsPerson{t: t, home: who.Home}
	pulleyHome := homeWith(t, settings)
	daemon, address := killableDaemon(t, filepath.Join(built.dir, "pulley"), pulleyHome, who.Environ()...)
	t.Cleanup(func() { stopDaemon(daemon) })
	engine := newFakeEngine(t)
	engine.mirrors("http://" + address)
	p.env = slices.DeleteFunc(os.Environ(), func(line string) bool {
		name, _, _ := strings.Cut(line, "=")
		return strings.HasSuffix(strings.ToUpper(name), "_PROXY") || strings.HasPrefix(name, "DOCKER_") || strings.HasPrefix(name, "PULLEY_") ||
			strings.HasPrefix(name, "XDG_") || strings.HasPrefix(name, "SSH_") || strings.HasPrefix(name, "AWS_")
	})
	p.env = append(p.env, "HOME="+who.Home, "PULLEY_HOME="+pulleyHome, "EDITOR=true", "USER=me", "ENGINE=unix://"+engine.socket,
		"PATH="+strings.Join([]string{built.dir, w.programs, filepath.Join(who.Home, "bin"), os.Getenv("PATH")}, ":"))
	p.instead = strings.NewReplacer(
		"ssh://me@build.example", far, "ssh://me@jump.example", far, "http://proxy.example:3128", w.proxy,
		"https://1.1.1.1/dns-query", w.resolver.URL,
		"/etc/ssl/company.pem", w.hub.RootsFile(),
		"/etc/pulley/", who.Home+"/", "/usr/local/", who.Home+"/local/", `manifests\`, "manifests/", `\pulley.json`, "/pulley.json",
		"IMAGE", "alpine", "--free 10GB", "--free 100KB",
	)
	p.dial = []string{"127.0.0.1:5055=" + address}
	return p
}

// types has a line of a page run by a shell, and what has to be before it.
func (w *docsWorld) types(p *docsPerson, line string) (string, error) {
	p.t.Helper()
	ready := docsPrepared[line]
	if ready.office && len(p.dial) == 1 {
		w.office(p)
	}
	script := p.instead.Replace(ready.given + "\n" + line)
	ctx, cancel := context.WithTimeout(p.t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euc", script) //nolint:gosec // lines of our own pages
	cmd.Dir = p.home
	cmd.Env = append(slices.Clone(p.env), "DOCS_DIAL="+strings.Join(p.dial, ","))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	said := &endless{}
	if ready.until != "" { // it goes on for ever: Ctrl-C when that was said
		said.until = regexp.MustCompile(ready.until)
		said.then = func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGINT) }
	}
	cmd.Stdout, cmd.Stderr = said, said
	err := cmd.Run()
	if err == nil && said.until != nil && !said.ended {
		err = fmt.Errorf("it ended by itself, and never said %s", said.until)
	}
	if ready.fails != "" {
		var status *exec.ExitError
		if !errors.As(err, &status) || status.ExitCode() != 1 || !strings.Contains(said.said.String(), ready.fails) {
			return said.said.String(), fmt.Errorf("want status 1 and word of %s: %w", ready.fails, err)
		}
		err = nil
	}
	return said.said.String(), err
}

// endless is the output of a command, which is ended when it has said something.
type endless struct {
	said  bytes.Buffer
	until *regexp.Regexp
	then  func()
	ended bool
}

func (e *endless) Write(p []byte) (int, error) {
	n, err := e.said.Write(p)
	if e.until != nil && !e.ended && e.until.Match(e.said.Bytes()) {
		e.ended = true
		e.then()
	}
	return n, err
}

// office starts the Pulley of docs/team.md as that page says: its certificate, its settings, its password.
func (w *docsWorld) office(p *docsPerson) {
	p.t.Helper()
	text, err := os.ReadFile("../../docs/team.md")
	if err != nil {
		p.t.Fatal(err)
	}
	certificate := regexp.MustCompile(`(?s)\n(openssl req .*?)\n` + "```").FindSubmatch(text)
	settings := regexp.MustCompile("(?s)```toml\n(listen = .*?)```").FindSubmatch(text)
	if certificate == nil || settings == nil {
		p.t.Fatal("docs/team.md has changed")
	}
	if said, err := w.types(p, string(certificate[1])); err != nil {
		p.t.Fatalf("%v\n%s", err, said)
	}
	if err := os.WriteFile(filepath.Join(p.home, "office.password"), []byte("team:the-password\n"), 0o600); err != nil {
		p.t.Fatal(err)
	}
	at := waytest.FreeAddr(p.t)
	_, port, _ := strings.Cut(at, ":")
	own := strings.Replace(p.instead.Replace(string(settings[1])), "0.0.0.0:5055", "0.0.0.0:"+port, 1)
	theirs := hubtest.Settings{Origin: w.hub, More: w.more, Listen: "0.0.0.0:" + port}.String()
	_, tables, _ := strings.Cut(own, "\n") // listen is there already
	home := homeWith(p.t, hubtest.Settings{Origin: w.hub})
	if err := os.WriteFile(filepath.Join(home, "config.toml"), []byte(theirs+tables), 0o600); err != nil {
		p.t.Fatal(err)
	}
	daemon, _ := killableDaemon(p.t, filepath.Join(built.dir, "pulley"), home, "HOME="+home)
	p.t.Cleanup(func() { stopDaemon(daemon) })
	if said, err := w.types(p, "pulley address set cache.office.example "+at); err != nil {
		p.t.Fatalf("%v\n%s", err, said)
	}
	p.dial = append(p.dial, "cache.office.example:5055="+at)
}
