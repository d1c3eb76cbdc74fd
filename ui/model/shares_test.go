package model

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
)

// lender plays `pulley context share`.
type lender struct {
	lines []string
	args  []string
	err   error
	wait  bool
}

func (l *lender) Follow(ctx context.Context, line func(string), args ...string) error {
	l.args = args
	for _, text := range l.lines {
		line(text)
	}
	if l.wait {
		<-ctx.Done()
		line(`{"event":"finished","context":"build"}`)
	}
	return l.err
}

func TestShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewShares()
		changes := 0
		stop := s.Watch(func() { changes++ })
		l := &lender{wait: true, lines: []string{
			`{"time":"2026-01-02T03:04:05Z","event":"up","context":"build","port":5055,"to":"127.0.0.1:5055"}`, "no JSON", `{"event":"wired","context":"build"}`,
		}}
		go s.Run(t.Context(), l, "build", true)
		synctest.Wait()
		if got, ok := s.Get("build"); !ok || got.State != ShareUp || !got.Wired || got.Address() != "127.0.0.1:5055" || got.Since.Year() != 2026 {
			t.Errorf("%+v", got)
		}
		if !slices.Equal(l.args, []string{"context", "share", "build", "--json", "--wire"}) {
			t.Errorf("%q", l.args)
		}
		s.Run(t.Context(), &lender{err: errors.New("a second one")}, "build", false) // there is one
		if len(s.List()) != 1 || changes < 3 {
			t.Error(s.List(), changes)
		}
		s.Stop("build")
		if got, _ := s.Get("build"); got.State != ShareEnding {
			t.Errorf("%+v", got)
		}
		synctest.Wait()
		if len(s.List()) != 0 {
			t.Errorf("%+v", s.List())
		}
		stop()
		before := changes
		s.Stop("build")
		if changes != before {
			t.Error("somebody who left is told")
		}
	})
}

func TestAShareThatFailsStaysUntilItIsSeen(t *testing.T) {
	s := NewShares()
	l := &lender{lines: []string{`{"event":"up","port":1}`, `{"event":"down","context":"build","error":"build: the link broke"}`}, err: errors.New("build: ssh is not let in")}
	s.Run(t.Context(), l, "build", false)
	if got, _ := s.Get("build"); got.State != ShareFailed || got.Error != "ssh is not let in" {
		t.Errorf("%+v", got)
	}
	s.Run(t.Context(), &lender{}, "build", false) // once more, and well
	if len(s.List()) != 0 {
		t.Errorf("%+v", s.List())
	}
	s.Run(t.Context(), l, "build", false)
	s.Stop("build")
	if len(s.List()) != 0 {
		t.Errorf("%+v", s.List())
	}
}
