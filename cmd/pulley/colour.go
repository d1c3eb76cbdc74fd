package main

import (
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/term"
)

// isTerminal reports whether a person looks at w, or types what r reads.
func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// draws reports whether a person looks at w through a terminal that takes more than lines: ECMA-48's control sequences.
func draws(w io.Writer) bool {
	return isTerminal(w) && os.Getenv("TERM") != "dumb" && takesSequences(w.(*os.File)) //nolint:forcetypeassert // a terminal is one
}

// colours reports whether w shows colours and the person wants them: https://no-color.org.
func colours(w io.Writer) bool { return os.Getenv("NO_COLOR") == "" && draws(w) }

// painted is a text in a colour, where w shows those. Nothing may be known by its colour alone.
func painted(w io.Writer, colour, text string) string {
	if !colours(w) {
		return text
	}
	return paint(colour, text)
}

// paint colours a text for a terminal: a name of dockercontext.Colours, or #rrggbb.
func paint(colour, text string) string {
	code := map[string]string{"red": "31", "orange": "38;5;208", "yellow": "33", "green": "32", "blue": "34", "purple": "35", "grey": "90"}[colour]
	if rgb, err := strconv.ParseUint(strings.TrimPrefix(colour, "#"), 16, 32); err == nil && strings.HasPrefix(colour, "#") {
		code = fmt.Sprintf("38;2;%d;%d;%d", rgb>>16&0xff, rgb>>8&0xff, rgb&0xff)
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}
