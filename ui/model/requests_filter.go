package model

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Only is a class of requests.
type Only int

// The classes.
const (
	Everything Only = iota
	FromNetwork
	Failures
)

// Filter says which requests are shown. The zero value lets all through.
type Filter struct {
	Text     string // all its words, in any case
	Registry string // "": any
	Door     string // "": any
	Only     Only
}

// Any tells whether all are let through.
func (f Filter) Any() bool {
	return f.Registry == "" && f.Door == "" && f.Only == Everything && strings.TrimSpace(f.Text) == ""
}

// Lets tells whether a request is shown.
func (f Filter) Lets(r *Request) bool {
	s := newSieve(f)
	return s.lets(r)
}

// sieve is a filter with its words and a place to look for them in.
type sieve struct {
	filter Filter
	words  [][]byte
	text   []byte
}

func newSieve(f Filter) *sieve {
	return &sieve{filter: f, words: bytes.Fields([]byte(strings.ToLower(f.Text)))}
}

func (s *sieve) lets(r *Request) bool {
	f := s.filter
	switch {
	case f.Registry != "" && r.Registry != f.Registry,
		f.Door != "" && r.Door != f.Door,
		f.Only == FromNetwork && r.FromNet == 0,
		f.Only == Failures && !r.Bad():
		return false
	case len(s.words) == 0:
		return true
	}
	s.text = s.text[:0]
	s.say(r.Registry, "/", r.Repository)
	if isDigest(r.Reference) {
		s.say("@", r.Reference)
	} else if r.Reference != "" {
		s.say(":", r.Reference)
	}
	s.say("\n", r.Digest, "\n", r.What, " ", r.Method, " ", r.Door, " ", r.Client, "\n", r.Agent, "\n", r.Source, "\n", r.Way, "\n", r.Note, "\n", r.Err)
	if r.Status > 0 {
		s.text = append(s.text, '\n', byte('0'+r.Status/100%10), byte('0'+r.Status/10%10), byte('0'+r.Status%10))
	}
	for _, w := range s.words {
		if !bytes.Contains(s.text, w) {
			return false
		}
	}
	return true
}

// say adds texts in lower case.
func (s *sieve) say(texts ...string) {
	for _, text := range texts {
		for n := 0; n < len(text); {
			c := text[n]
			if c < utf8.RuneSelf {
				if 'A' <= c && c <= 'Z' {
					c += 'a' - 'A'
				}
				s.text = append(s.text, c)
				n++
				continue
			}
			r, size := utf8.DecodeRuneInString(text[n:])
			s.text = utf8.AppendRune(s.text, unicode.ToLower(r))
			n += size
		}
	}
}

// Filter is the one in force, or being put in force.
func (l *Requests) Filter() Filter { return l.filter }

// Sift is the work of putting a filter in force: it reads what there was when it was begun, and can be done beside the
// log's goroutine while that goes on taking news.
type Sift struct {
	filter Filter
	all    []*Request
	number uint64
}

// Begin puts a filter in force for what comes. What there is is shown as before until Finish.
func (l *Requests) Begin(f Filter) Sift {
	l.filter = f
	l.sifts++
	return Sift{filter: f, all: l.all[:len(l.all):len(l.all)], number: l.sifts}
}

// Run does the work; nil, false where ctx ended before it.
func (s Sift) Run(ctx context.Context) (found []*Request, done bool) {
	if s.filter.Any() {
		return s.all, true
	}
	const often = 4096
	sieve := newSieve(s.filter)
	for n, r := range s.all {
		if n%often == 0 && ctx.Err() != nil {
			return nil, false
		}
		if sieve.lets(r) {
			found = append(found, r)
		}
	}
	return found, true
}

// Finish shows what was found and what came since. It is false for one that was overtaken by another.
func (l *Requests) Finish(s Sift, found []*Request) bool {
	if s.number != l.sifts {
		return false
	}
	var last, oldest uint64
	if len(s.all) > 0 {
		last = s.all[len(s.all)-1].Seq
	}
	if len(l.all) > 0 {
		oldest = l.all[0].Seq
	}
	shown := slices.Clip(found)
	for len(shown) > 0 && shown[0].Seq < oldest {
		shown = shown[1:]
	}
	from, _ := slices.BinarySearchFunc(l.all, last+1, func(r *Request, seq uint64) int {
		switch {
		case r.Seq < seq:
			return -1
		case r.Seq > seq:
			return 1
		}
		return 0
	})
	for _, r := range l.all[from:] {
		if s.filter.Lets(r) {
			shown = append(shown, r)
		}
	}
	l.shown, l.unseen = shown, 0
	return true
}
