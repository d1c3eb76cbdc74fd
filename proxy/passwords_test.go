package proxy

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// book is passwords over hashes that are cheap, counted, and take a tenth of a second.
type book struct {
	*passwords
	mu             sync.Mutex
	asked          []string // hashes compared with
	running, worst int
}

const hashTime = 100 * time.Millisecond

func newBook() *book {
	b := &book{passwords: newPasswords(time.Now)}
	b.compare = func(hash, password []byte) error {
		b.mu.Lock()
		b.asked = append(b.asked, string(hash))
		b.running++
		b.worst = max(b.worst, b.running)
		b.mu.Unlock()
		time.Sleep(hashTime) // in a bubble
		b.mu.Lock()
		defer b.mu.Unlock()
		b.running--
		if string(hash) != "hash of "+string(password) {
			return errors.New("no")
		}
		return nil
	}
	return b
}

var (
	annAndBob = map[string]string{"ann": "hash of a", "bob": "hash of b"}
	desk      = netip.MustParseAddr("192.0.2.1")
	attic     = netip.MustParseAddr("192.0.2.2")
)

func (b *book) want(t *testing.T, what string, from netip.Addr, name, password string, want verdict) {
	t.Helper()
	if got := b.check(from, annAndBob, name, password); got != want {
		t.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

func (b *book) wantAsked(t *testing.T, what string, n int) {
	t.Helper()
	if len(b.asked) != n {
		t.Errorf("%s: %d hashes, want %d", what, len(b.asked), n)
	}
	b.asked = nil
}

// A right password costs one hash for all the connections an engine opens, and again
// when some minutes have gone by. Nothing of it is held in clear, or with a hash that
// another process could make.
func TestARightPasswordIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		var all sync.WaitGroup
		for range 50 {
			all.Go(func() { b.want(t, "at once", desk, "ann", "a", verdict{ok: true}) })
		}
		all.Wait()
		b.wantAsked(t, "50 at once", 1)
		time.Sleep(rightFor - time.Second)
		b.want(t, "from elsewhere", attic, "ann", "a", verdict{ok: true})
		b.wantAsked(t, "remembered", 0)
		time.Sleep(time.Second)
		b.want(t, "later", desk, "ann", "a", verdict{ok: true})
		b.wantAsked(t, "later", 1)
		if other := newBook(); other.mac("credential", "hash of a", "ann", "a") == b.mac("credential", "hash of a", "ann", "a") {
			t.Error("two processes remember the same")
		}
	})
}

// Who is no user any more, or has another password now, is out at once.
func TestWhatIsRememberedEndsWithTheUser(t *testing.T) {
	b := newBook()
	synctest.Test(t, func(t *testing.T) {
		b.want(t, "at first", desk, "ann", "a", verdict{ok: true})
		for what, users := range map[string]map[string]string{
			"removed": {"bob": "hash of b"}, "a new password": {"ann": "hash of c"}, "a name for another": {"bob": "hash of a"},
		} {
			if v := b.check(desk, users, "ann", "a"); v.ok {
				t.Errorf("%s: still let in", what)
			}
		}
	})
}

func TestHashesRunTwoAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		begun := time.Now()
		var all sync.WaitGroup
		for i := range 20 {
			from := netip.AddrFrom4([4]byte{192, 0, 2, byte(i)})
			all.Go(func() { b.want(t, "a guess", from, fmt.Sprint("nobody", i), "x", verdict{}) })
		}
		all.Wait()
		if took := time.Since(begun); b.worst != turnsOfHash || took != 10*hashTime {
			t.Errorf("%d at once, %s", b.worst, took)
		}
		b.wantAsked(t, "names that nobody has cost as much", 20)
	})
}

// Who guesses waits longer each time; everybody else does not, nor who is in already.
func TestGuessesAreSlowedDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		b.want(t, "ann, before", desk, "ann", "a", verdict{ok: true})
		for i := range byAddress.free + 1 {
			b.want(t, fmt.Sprint("guess ", i), desk, "bob", fmt.Sprint(i), verdict{})
		}
		for _, pause := range []time.Duration{time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second} {
			wait := pause - hashTime // from when the guess began
			b.asked = nil
			b.want(t, "too soon", desk, "bob", "b", verdict{wait: wait})
			b.want(t, "too soon, another name", desk, "carl", "c", verdict{wait: wait})
			b.want(t, "in already", desk, "ann", "a", verdict{ok: true})
			b.wantAsked(t, "while waiting", 0)
			time.Sleep(wait - time.Nanosecond)
			b.want(t, "a moment too soon", desk, "bob", "b", verdict{wait: 1})
			time.Sleep(time.Nanosecond)
			b.want(t, "in time, and wrong again", desk, "zoe", fmt.Sprint(pause), verdict{})
		}
		b.want(t, "from elsewhere", attic, "bob", "b", verdict{ok: true})
		time.Sleep(forgetAfter + time.Minute)
		for i := range byAddress.free {
			b.want(t, fmt.Sprint("long after, guess ", i), desk, "zoe", fmt.Sprint(i), verdict{})
		}
		b.want(t, "long after", desk, "bob", "b", verdict{ok: true})
	})
}

// All guesses that come at once count, not only those whose answer is known.
func TestGuessesAtOnceAreNotAllLookedAt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		var all sync.WaitGroup
		for i := range 100 {
			all.Go(func() { b.check(desk, annAndBob, "ann", fmt.Sprint(i)) })
		}
		all.Wait()
		b.wantAsked(t, "100 guesses at once", byAddress.free+1)
	})
}

// From however many addresses they come, guesses at one name are slowed down, and its
// owner gets in all the same from where that was so before.
func TestGuessesAtOneNameFromEverywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		b.want(t, "ann, before", desk, "ann", "a", verdict{ok: true})
		b.asked = nil
		for i := range 1000 {
			b.check(netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}), annAndBob, "ann", fmt.Sprint(i))
		}
		if n := len(b.asked); n < byName.free || n > 25 {
			t.Errorf("%d of 1000 guesses were looked at", n)
		}
		time.Sleep(rightFor)
		b.check(attic, annAndBob, "ann", "x")
		if v := b.check(attic, annAndBob, "ann", "a"); v.wait <= 0 || v.wait > byName.most {
			t.Errorf("from a new address: %+v", v)
		}
		b.want(t, "from her desk", desk, "ann", "a", verdict{ok: true})
	})
}

// An attack from everywhere at everybody takes no more memory than a small one.
func TestMemoryIsBoundedUnderAttack(t *testing.T) {
	b := newBook()
	b.compare = func(_, _ []byte) error { return errors.New("no") }
	for i := range 3 * maxGuessers {
		b.check(netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 0, 0, byte(i >> 8), byte(i), 15: byte(i)}), annAndBob, fmt.Sprint("n", i), "x")
	}
	for what, n := range map[string]int{
		"addresses": len(b.addresses.by), "their order": b.addresses.order.Len(), "names": len(b.names.by),
	} {
		if n != maxGuessers {
			t.Errorf("%d %s, want %d", n, what, maxGuessers)
		}
	}
	if len(b.right)+len(b.friends) != 0 {
		t.Error("wrong passwords are remembered")
	}
}

// One machine has a whole /64 to guess from.
func TestIPv6CountsByNetwork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBook()
		for i := range byAddress.free + 1 {
			b.check(netip.AddrFrom16([16]byte{0x20, 1, 15: byte(i)}), annAndBob, "x", fmt.Sprint(i))
		}
		if v := b.check(netip.MustParseAddr("2001::ff:1"), annAndBob, "ann", "a"); v.wait == 0 {
			t.Errorf("another address of the same machine: %+v", v)
		}
		b.want(t, "another network", netip.MustParseAddr("2001:0:0:1::1"), "ann", "a", verdict{ok: true})
	})
}
