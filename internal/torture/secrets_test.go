//go:build linux

package main

import "testing"

func TestSecretsAreFound(t *testing.T) {
	var s secrets
	s.add("alices-Secret-5c1d", "the same head.one tail", "the same head.another tail", "yet again a tail")
	for text, want := range map[string]string{
		"":                                    "",
		"tail":                                "",
		"alices-Secret-5c1":                   "",
		"lices-Secret-5c1d":                   "",
		"alices-Secret-5c1d":                  "alices-Secret-5c1d",
		"x=alices-Secret-5c1d&y":              "alices-Secret-5c1d",
		"the same head.another tail":          "the same head.another tail",
		"the same head.a third, one tail":     "",
		"so the same head.one tail it is":     "the same head.one tail",
		"not yet again, but yet again a tail": "yet again a tail",
	} {
		if got := s.in([]byte(text)); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
