package token_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pulley/proxy/token"
)

func TestOwnTokens(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	clock := func() time.Time { return now }
	key, err := token.OpenKey(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	own, err := token.NewOwn(key, clock)
	if err != nil {
		t.Fatal(err)
	}
	tok := own.Mint("registry-1.docker.io", "repository:library/debian:pull", 5*time.Minute)
	if !token.IsOwn(tok) || !token.IsOwn("bearer "+tok) || token.IsOwn("Bearer eyJhbGciOi") {
		t.Error("IsOwn does not tell ours from others'")
	}
	c, ok := own.Verify(tok, "registry-1.docker.io")
	if !ok || c.Scope != "repository:library/debian:pull" || !c.Expires.Equal(now.Add(5*time.Minute)) {
		t.Errorf("verified as %+v, %v", c, ok)
	}
	if _, ok := own.Verify(tok, "ghcr.io"); ok {
		t.Error("holds for another host")
	}
	for i := range tok {
		bad := []byte(tok)
		bad[i] ^= 1
		if _, ok := own.Verify(string(bad), "registry-1.docker.io"); ok && i < len(tok)-1 {
			t.Fatalf("holds with byte %d changed", i)
		}
	}
	if _, ok := own.Verify(strings.TrimSuffix(tok, tok[len(tok)-4:]), "registry-1.docker.io"); ok {
		t.Error("holds when cut short")
	}
	other, err := token.NewOwn(bytes.Repeat([]byte{1}, token.KeyBytes), clock)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := other.Verify(tok, "registry-1.docker.io"); ok {
		t.Error("holds under another key")
	}
	now = now.Add(5 * time.Minute)
	if _, ok := own.Verify(tok, "registry-1.docker.io"); ok {
		t.Error("holds after its time")
	}
}

func TestOpenKeyKeeps(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	a, err := token.OpenKey(dir)
	if err != nil {
		t.Fatal(err)
	}
	b, err := token.OpenKey(dir)
	if err != nil || !bytes.Equal(a, b) {
		t.Fatalf("another key at the second start (%v)", err)
	}
	file := filepath.Join(dir, "token.key")
	if st, err := os.Stat(file); err != nil || runtime.GOOS != "windows" && st.Mode().Perm() != 0o600 {
		t.Errorf("key file: %v, %v", st.Mode(), err)
	}
	if err := os.WriteFile(file, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	if c, err := token.OpenKey(dir); err != nil || len(c) != token.KeyBytes || bytes.Equal(a, c) {
		t.Errorf("a broken key file is not replaced: %v", err)
	}
}

func FuzzVerify(f *testing.F) {
	own, err := token.NewOwn(make([]byte, token.KeyBytes), nil)
	if err != nil {
		f.Fatal(err)
	}
	stranger, err := token.NewOwn(bytes.Repeat([]byte{7}, token.KeyBytes), nil)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(stranger.Mint("h", "s", time.Hour))
	f.Add("pulley.1..")
	f.Fuzz(func(t *testing.T, tok string) {
		if _, ok := own.Verify(tok, "h"); ok {
			t.Fatalf("accepted %q", tok)
		}
	})
}
