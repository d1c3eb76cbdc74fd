package main

import (
	"slices"
	"testing"
)

// TestServiceSaysWhatItDoesNotSee: what a shell has set holds for a daemon that is started there, and not for the service.
func TestServiceSaysWhatItDoesNotSee(t *testing.T) {
	environ := []string{"HOME=/home/me", "PULLEY_HOME=/srv/p", "PULLEY_LISTEN=127.0.0.1:6000", "all_proxy=socks5://127.0.0.1:1080", "HTTPS_PROXY="}
	if got, want := unseen(environ, false), []string{"PULLEY_LISTEN", "all_proxy"}; !slices.Equal(got, want) {
		t.Errorf("a person's own: %q, want %q", got, want)
	}
	if got, want := unseen(environ, true), []string{"PULLEY_HOME", "PULLEY_LISTEN", "all_proxy"}; !slices.Equal(got, want) {
		t.Errorf("the system's: %q, want %q", got, want)
	}
}
