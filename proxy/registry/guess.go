package registry

import (
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
)

// guess is what mirrors said a tag stands for while the origin could not be asked.
// It is kept beside what the origin said last, never in its place.
type guess struct {
	Digest    digest.Digest `json:"digest"`
	MediaType string        `json:"mediaType"`
	Size      int64         `json:"size"`
	From      []string      `json:"from"` // names of mirrors
	At        time.Time     `json:"at"`
}

func (g guess) entry() entry { return entry{Digest: g.Digest, MediaType: g.MediaType, Size: g.Size} }

// suppose believes mirrors about a tag until the origin can be asked again.
func (s *shelf) suppose(k tagKey, e entry, from []string) error {
	now := s.now()
	return s.guesses.update(k.String(), func(old guess) (guess, bool) {
		same := old.Digest == e.Digest && slices.Equal(old.From, from)
		return guess{e.Digest, e.MediaType, e.Size, from, now}, !same || now.Sub(old.At) >= guessedAnew
	})
}

// guessedAnew keeps what is said again and again from being written each time.
const guessedAnew = 10 * time.Second

// guess is what mirrors said and the origin has not spoken about since.
func (s *shelf) guess(k tagKey) guess { return s.guesses.get(k.String()) }

func (s *shelf) forgetGuess(k tagKey) error {
	return s.guesses.update(k.String(), func(old guess) (guess, bool) { return guess{}, old.Digest != "" })
}
