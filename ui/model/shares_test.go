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
	l.lines = append(l.lines, `{"event":"retry","error":"build: nobody listens for ssh there","cause":"refused"}`)
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

// kept is what is remembered from one run to the next.
type kept map[string]string

func (k kept) Choice(key string) string { return k[key] }
func (k kept) Choose(key, value string) { k[key] = value }

// A share that ended with the program is offered by the next run, and does not begin by itself; one that a person ended is not.
func TestSharesOfTheRunBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		memory := kept{}
		before := NewShares()
		before.Recall(memory)
		program, quit := context.WithCancel(t.Context())
		for _, name := range []string{"build", "other", "third"} {
			go before.Run(program, &lender{wait: true, lines: []string{`{"event":"up","port":1}`}}, name, name == "build")
		}
		synctest.Wait()
		before.Stop("other")
		synctest.Wait()
		quit()
		synctest.Wait()

		s := NewShares()
		s.Recall(memory)
		list := s.List()
		if len(list) != 2 || list[0] != (Share{Context: "build", Wire: true, State: ShareLapsed}) || list[1].Context != "third" {
			t.Fatalf("%+v", list)
		}
		s.Stop("third") // dismissed
		l := &lender{wait: true, lines: []string{`{"event":"up","port":1}`}}
		go s.Run(t.Context(), l, "build", list[0].Wire)
		synctest.Wait()
		if got, _ := s.Get("build"); got.State != ShareUp || !slices.Contains(l.args, "--wire") {
			t.Errorf("%+v %q", got, l.args)
		}
		s.Stop("build")
		synctest.Wait()
		last := NewShares()
		last.Recall(memory)
		last.Recall(kept{"docker.shares": "no JSON"})
		if list := last.List(); len(list) > 0 {
			t.Errorf("%+v", list)
		}
	})
}
