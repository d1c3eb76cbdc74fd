package registry

import (
	"testing"
	"time"
)

// TestRules walks through what is believed about who may pull what, and for
// how long.
func TestRules(t *testing.T) {
	now := time.Unix(1_700_000_000, 0)
	week := 7 * 24 * time.Hour
	alice := Asker{Authorization: "Bearer a", Key: "ka", Subject: "alice"}
	alicesNext := Asker{Authorization: "Bearer a2", Key: "ka2", Subject: "alice"}
	mallory := Asker{Authorization: "Bearer m", Key: "km", Subject: "mallory"}
	nobody := Asker{}

	var s standing
	if s.open(now) || s.openOffline() || s.trusts(nobody, now, week) {
		t.Fatal("a repository is private until an anonymous token was seen to pull it")
	}
	s, changed := s.accepted(alice, now, week)
	if !changed || s.open(now) || s.openOffline() {
		t.Fatal("one person's right does not make a repository public")
	}
	if !s.trusts(alicesNext, now.Add(week-1), week) {
		t.Error("the right belongs to the credentials, not to the token of one pull")
	}
	if s.trusts(alice, now.Add(week), week) {
		t.Error("a right must lapse")
	}
	if s.trusts(mallory, now, week) || s.trusts(nobody, now, week) || s.trusts(Asker{Key: "ka"}, now, week) {
		t.Error("somebody else was trusted")
	}
	if s.trusts(alice, now, 0) {
		t.Error(`private_offline "0" means never`)
	}
	if kept, _ := s.refused(mallory); !kept.trusts(alice, now, week) {
		t.Error("turning one person away took another's right")
	}
	if gone, _ := s.refused(alicesNext); gone.trusts(alice, now, week) {
		t.Error("a definite refusal must erase the right")
	}
	if never, _ := (standing{}).accepted(alice, now, 0); len(never.Rights) != 0 {
		t.Error(`with private_offline "0" nothing is kept`)
	}

	s, _ = s.accepted(nobody, now, week)
	if !s.open(now) || !s.openOffline() {
		t.Error("an anonymous pull makes it public")
	}
	if s.open(now.Add(publicFor)) || !s.openOffline() {
		t.Error("being public is asked about anew after a day, and does not lapse by itself")
	}
	if s, _ = s.refused(nobody); s.open(now) || s.openOffline() {
		t.Error("a repository made private stays public")
	}
}

func TestLedgerSurvivesARestart(t *testing.T) {
	dir, now := t.TempDir(), time.Now
	l, err := openLedger(dir, now)
	if err != nil {
		t.Fatal(err)
	}
	alice := Asker{Authorization: "Bearer a", Key: "ka", Subject: "alice"}
	if err := l.accepted("docker.io/a/b", Asker{}, "", time.Hour); err != nil {
		t.Fatal(err)
	}
	if err := l.accepted("ghcr.io/a/b", alice, "", time.Hour); err != nil {
		t.Fatal(err)
	}
	if !l.admits("ghcr.io/a/b", alice) || l.admits("ghcr.io/a/b", Asker{}) {
		t.Error("a proof of a moment ago")
	}
	if l, err = openLedger(dir, now); err != nil {
		t.Fatal(err)
	}
	if !l.admits("docker.io/a/b", Asker{}) {
		t.Error("public forgotten")
	}
	if l.admits("ghcr.io/a/b", alice) {
		t.Error("proofs of minutes must not outlive the process")
	}
	if !l.admitsOffline("ghcr.io/a/b", alice, time.Hour) {
		t.Error("right forgotten")
	}
	if err := l.refused("ghcr.io/a/b", alice); err != nil {
		t.Fatal(err)
	}
	if l, err = openLedger(dir, now); err != nil {
		t.Fatal(err)
	}
	if l.admitsOffline("ghcr.io/a/b", alice, time.Hour) {
		t.Error("an erased right came back")
	}
}

func TestHashesDoNotMix(t *testing.T) {
	h := hasher("key")
	seen := map[string]string{}
	for what, sum := range map[string]string{
		"basic":          h.header("docker.io", "Basic YTpi"),
		"other registry": h.header("ghcr.io", "Basic YTpi"),
		"bearer":         h.header("docker.io", "Bearer YTpi"),
		"refresh":        h.sum("docker.io", kindRefresh, "a\x00b"),
		"shifted":        h.sum("docker.i", kindPassword, "oa\x00b"),
		"other key":      hasher("yek").header("docker.io", "Basic YTpi"),
	} {
		if other, ok := seen[sum]; ok {
			t.Errorf("%s and %s are the same", what, other)
		}
		seen[sum] = what
	}
	if h.header("docker.io", "Basic YTpi") != h.password("docker.io", "a", "b") {
		t.Error("the token service and the registry must see the same person")
	}
}
