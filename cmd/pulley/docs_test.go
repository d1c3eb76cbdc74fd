package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestCommandsInDocs: what the README and docs/ tell people to type is there: the command, its flags, and as many arguments as it wants.
// Of a command that only stands in a sentence, arguments may be left out.
func TestCommandsInDocs(t *testing.T) {
	list, err := filepath.Glob("../../docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	fenced, spoken := 0, 0
	for _, page := range append(list, "../../README.md", "../../CONTRIBUTING.md", "../../CHANGELOG.md") {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range copied(string(text)) {
			for _, words := range invocations(line) {
				fenced++
				if err := parses(words, true); err != nil {
					t.Errorf("%s: %s: %v", page, line, err)
				}
			}
		}
		for _, span := range spans(string(text)) {
			for _, words := range invocations(span) {
				spoken++
				if err := parses(words, false); err != nil {
					t.Errorf("%s: `%s`: %v", page, span, err)
				}
			}
		}
	}
	if fenced < 100 || spoken < 100 { // there are more: they would not be found any more
		t.Errorf("%d commands to be copied and %d in sentences were found", fenced, spoken)
	}
}

// TestWrongCommandsInDocs: the test above can fail.
func TestWrongCommandsInDocs(t *testing.T) {
	for _, line := range []string{
		"pulley conect docker", "pulley mirror enable google", "pulley connect --prox", "sudo bin/pulley route docker.io auto now",
		"$ pulley cache gc --free much", "pulley config set listen", "pulley context share   # which one?",
	} {
		all := invocations(line)
		if len(all) != 1 {
			t.Errorf("%s: %d commands", line, len(all))
			continue
		}
		if parses(all[0], true) == nil {
			t.Errorf("%s was believed", line)
		}
	}
}

var (
	fence = regexp.MustCompile("(?ms)^[ \t]*```([a-z]*)[^\n]*\n(.*?)^[ \t]*```")
	span  = regexp.MustCompile("`([^`]+)`")
	next  = regexp.MustCompile(`\s(?:\||&&|;)\s|;\s`)
	gap   = regexp.MustCompile(`\s{2,}|\t`)
)

// program are the ways in which ours is called.
var program = map[string]bool{"pulley": true, "bin/pulley": true, "/usr/local/bin/pulley": true}

// copied are the lines of blocks that people type or paste; one that goes on with a backslash is one line.
func copied(text string) (lines []string) {
	for _, m := range fence.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "", "sh", "bash", "console", "text", "powershell":
			lines = append(lines, strings.Split(strings.ReplaceAll(m[2], "\\\n", " "), "\n")...)
		}
	}
	return lines
}

// spans are the commands that stand in sentences.
func spans(text string) (list []string) {
	for _, m := range span.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		list = append(list, strings.Join(strings.Fields(m[1]), " "))
	}
	return list
}

// invocations are the arguments of each pulley that a line runs. What follows a wide gap or a # explains it.
func invocations(line string) (all [][]string) {
	line = strings.TrimPrefix(strings.TrimPrefix(strings.TrimSpace(line), "$ "), "fix: ")
	line = gap.Split(line, 2)[0]
	line, _, _ = strings.Cut(line, " # ")
	for _, part := range next.Split(line, -1) {
		part, _, _ = strings.Cut(part, " > ")
		part, _, _ = strings.Cut(part, " < ")
		words := strings.Fields(part)
		for len(words) > 0 && (words[0] == "sudo" || words[0] == "env" || words[0] == "@reboot" || strings.Contains(words[0], "=")) {
			words = words[1:]
		}
		if len(words) > 0 && program[words[0]] {
			all = append(all, words[1:])
		}
	}
	return all
}

// parses has the real command tree read arguments, and runs nothing.
func parses(words []string, whole bool) error {
	args := make([]string, 0, len(words))
	for _, word := range words {
		switch word = strings.Trim(word, `[]"'`); word {
		case "", "…", "|":
		default:
			args = append(args, strings.TrimSuffix(word, "…"))
		}
	}
	cmd, rest, err := newRoot().Find(args)
	if err != nil {
		return err
	}
	cmd.InitDefaultHelpFlag()
	if err := cmd.ParseFlags(rest); !whole && err != nil && strings.Contains(err.Error(), "flag needs an argument") {
		return nil
	} else if err != nil {
		return err
	}
	left := cmd.Flags().Args()
	switch {
	case cmd.HasSubCommands() && len(left) > 0:
		return fmt.Errorf("%s has no %s", cmd.CommandPath(), left[0])
	case whole && len(left) == 0 && cmd.HasSubCommands() && cmd.HasParent():
		return errors.New("a command that only has others below it")
	case !whole || strings.Contains(strings.Join(words, " "), "--help"):
		return nil
	}
	return cmd.ValidateArgs(left)
}
