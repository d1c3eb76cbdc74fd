//go:build linux

package main

import (
	"bytes"
	"encoding/binary"
	"sync"
)

// secrets are words that must turn up nowhere, of eight bytes or more: thousands of tokens in a long run, so that a file is
// read once for all of them. They are told apart by their last eight bytes; the first ones of tokens are often the same.
type secrets struct {
	mu     sync.Mutex
	byTail map[uint64][][]byte
	maybe  [1 << 16]bool // the last two bytes of any
}

const tailLen = 8

func (s *secrets) add(words ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.byTail == nil {
		s.byTail = map[uint64][][]byte{}
	}
	for _, w := range words {
		tail := binary.BigEndian.Uint64([]byte(w[len(w)-tailLen:]))
		s.byTail[tail] = append(s.byTail[tail], []byte(w))
		s.maybe[uint16(tail)] = true //nolint:gosec // its last two bytes are meant
	}
}

// in is a secret that a text holds, "" if it holds none.
func (s *secrets) in(text []byte) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	for end := tailLen; end <= len(text); end++ {
		if !s.maybe[binary.BigEndian.Uint16(text[end-2:])] {
			continue
		}
		for _, w := range s.byTail[binary.BigEndian.Uint64(text[end-tailLen:])] {
			if bytes.HasSuffix(text[:end], w) {
				return string(w)
			}
		}
	}
	return ""
}
