package registry

import (
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// guess is what mirrors said a tag stands for while the origin could not be asked.
type guess struct {
	Digest digest.Digest `json:"digest"`
	From   []string      `json:"from"` // names of mirrors
}

// suppose believes mirrors about a tag until the origin can be asked again: the
// tag's manifest, which is stored, can be served, and is never fresh.
func (s *shelf) suppose(k tagKey, e entry, from []string) error {
	e.Checked = time.Time{}
	err := s.guesses.update(k.String(), func(old guess) (guess, bool) {
		return guess{e.Digest, from}, old.Digest != e.Digest || !slices.Equal(old.From, from)
	})
	if err != nil {
		return err
	}
	if kept, ok := s.kept(k); ok && kept.Digest == e.Digest {
		return nil // the origin said the same, once
	}
	return s.keep(k, e)
}

// guess is what mirrors said and the origin has not spoken about since.
func (s *shelf) guess(k tagKey) guess { return s.guesses.get(k.String()) }

func (s *shelf) forgetGuess(k tagKey) error {
	return s.guesses.update(k.String(), func(old guess) (guess, bool) { return guess{}, old.Digest != "" })
}
