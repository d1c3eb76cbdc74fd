//go:build cgo

package main

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/ui/model"
)

// asker is a command line program that knows contexts by their addresses, and which of those answer.
type asker struct {
	hosts map[string]string
	up    map[string]bool
	asked []string
}

func (a *asker) Run(_ context.Context, into any, args ...string) error {
	var answer []map[string]any
	if args[1] == "ls" {
		for _, name := range []string{"default", "far"} {
			answer = append(answer, map[string]any{"name": name, "host": a.hosts[name]})
		}
	} else {
		a.asked = append(a.asked, strings.Join(args[2:], " "))
		for _, name := range args[2:] {
			answer = append(answer, map[string]any{"name": name, "reachable": a.up[a.hosts[name]]})
		}
	}
	text, err := json.Marshal(answer)
	return errors.Join(err, json.Unmarshal(text, into))
}

// An engine is asked again when its turn comes, or when its context leads elsewhere; what the one before had said is not said of
// it.
func TestContextsAreAskedInTurn(t *testing.T) {
	tool := &asker{hosts: map[string]string{"default": "unix:///a", "far": "ssh://old"}, up: map[string]bool{"unix:///a": true}}
	c := &contexts{tool: tool, model: model.New(), reports: map[string]model.ContextReport{}, asked: map[string]question{}}
	now := time.Now()
	look := func(after time.Duration, want ...string) {
		t.Helper()
		tool.asked = nil
		now = now.Add(after)
		c.look(t.Context(), now)
		if !slices.Equal(tool.asked, want) {
			t.Errorf("after %v it asks %q, not %q", after, tool.asked, want)
		}
	}
	look(0, "default far")
	look(time.Minute)
	look(testEvery, "default") // the other one did not answer
	if r, known := c.model.View().Reports["far"]; !known || r.Reachable {
		t.Errorf("far: %+v, %v", r, known)
	}
	tool.hosts["far"], tool.up["ssh://new"] = "ssh://new", true
	look(time.Minute, "far")
	if r := c.model.View().Reports["far"]; !r.Reachable {
		t.Errorf("far, which is elsewhere: %+v", r)
	}
	look(testFailed, "default far")
}
