package context

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/docker/cli/cli/context/store"
)

// A Mark is what a person calls a context, so as not to mistake it for another: "production", in red. It lies in the
// context's own metadata, under the key "pulley": docker keeps keys it does not know when it updates, exports and
// imports a context, so the mark goes where the context goes.
type Mark struct {
	Word   string `json:"mark"`
	Colour string `json:"colour"`
}

// Colours are the ones with a name; #rrggbb is one too.
func Colours() []string {
	return []string{"red", "orange", "yellow", "green", "blue", "purple", "grey"}
}

const markKey = "pulley"

const markLength = 32 // in characters

var colourForm = regexp.MustCompile(`^#[0-9a-fA-F]{6}$`)

// isMark reports whether it is a word. As a regular expression this is a megabyte of ranges of Unicode, compiled whenever
// Pulley starts.
func isMark(word string) bool {
	if n := utf8.RuneCountInString(word); n == 0 || n > markLength {
		return false
	}
	for i, r := range word {
		if !unicode.In(r, unicode.L, unicode.N) && (i == 0 || !strings.ContainsRune(" _.-", r)) {
			return false
		}
	}
	return true
}

// check wants a word and a colour that can be shown; no colour is red.
func (m *Mark) check() error {
	if !isMark(m.Word) {
		return fmt.Errorf("mark %q: it is not a word; use up to 32 letters, digits, spaces and - _ .", m.Word)
	}
	if m.Colour == "" {
		m.Colour = "red"
	}
	if !slices.Contains(Colours(), m.Colour) && !colourForm.MatchString(m.Colour) {
		return fmt.Errorf("colour %q: no such colour; use %s or #rrggbb", m.Colour, strings.Join(Colours(), ", "))
	}
	return nil
}

// markOf is nil where there is none, or none that we would have written: contexts come from other machines too.
func markOf(m store.Metadata) *Mark {
	var mark Mark
	if err := json.Unmarshal(metadata(m)[markKey], &mark); err != nil || mark.check() != nil {
		return nil
	}
	return &mark
}
