package cache_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"pulley/cache"
)

// TestPowerLoss lets the power go at random moments of random work, on a disk that
// keeps what was synced and of the rest whatever a seed says; cache.db is an older
// one or has gone. Between losses the process is also killed or ended in order, so
// that what a new one finds is not on disk for good. What was promised holds.
// N worlds (default 12), SEED to repeat the first.
func TestPowerLoss(t *testing.T) {
	n, seed := number("N", 12), uint64(number("SEED", rand.IntN(1e9)))
	t.Logf("SEED=%d N=%d", seed, n)
	for i := range uint64(n) {
		if !t.Run(fmt.Sprint(seed+i), func(t *testing.T) { powerWorld(t, rand.New(rand.NewPCG(seed+i, 7))) }) {
			return
		}
	}
}

func powerWorld(t *testing.T, rng *rand.Rand) {
	l, clk := newLedger(), newClock()
	l.power = true
	dir := t.TempDir()
	disk := cache.NewPowerDisk(dir)
	boot := 0
	for range 2 + rng.IntN(4) {
		// The cache works in the background as well: what this sets later is set under its lock.
		end := &ending{t: t, rng: rand.New(rand.NewPCG(rng.Uint64(), 9)), dir: dir, disk: disk, l: l, at: never}
		disk.Before = end.before
		c, err := cache.Open(cache.Options{Now: clk.now}.WithDisk(disk).In(dir).WithBoot(fmt.Sprint(boot)).Quick())
		if err != nil {
			t.Fatal(err)
		}
		l.check(t, c)
		end.in(rng.IntN(140))
		for range 4 + rng.IntN(8) {
			l.random(c, clk, rng)
			if passOn != nil && rng.IntN(8) == 0 {
				c = passOn(l, c, clk, rng, fmt.Sprint(boot))
				end.forget()
			}
		}
		switch rng.IntN(4) {
		case 0: // in order, unless it came to an end before
		default:
			end.in(0)
			_ = c.Flush()
			end.before("end", dir)
		}
		_ = c.Close()
		disk.Before = nil
		l.loose = true
		if end.next == "" {
			continue
		}
		dir, disk, l = end.next, end.then, end.ledger
		if l.loose = !end.lost; end.lost {
			boot++
		}
	}
	c, err := cache.Open(cache.Options{Now: clk.now}.WithDisk(disk).In(dir).WithBoot(fmt.Sprint(boot)).Quick())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	l.check(t, c)
	l.clear(t, c)
}

// random does something.
func (l *ledger) random(c *cache.Cache, clk *clock, rng *rand.Rand) {
	clk.step(time.Minute)
	places := []place{placeA, placeB, placeD, placeL}
	at := places[rng.IntN(len(places))]
	switch rng.IntN(12) {
	case 0, 1, 2, 3, 4:
		p := []*parcel{parcelA, parcelB, parcelC, parcelD, parcelL}[rng.IntN(5)]
		l.commit(c, at, p, []string{"put", "fill", "upload"}[rng.IntN(3)])
	case 5:
		l.pin(c, at, rng.IntN(2) == 0)
	case 6:
		l.remove(c, at)
	case 7:
		l.evict(c, rng.Int64N(c.Stat().Size+1))
	case 8:
		l.half(c, bytesOf(uint64(1210+rng.IntN(3)), 30_000))
	case 9:
		importStep(l, c, clk)
	default:
		_ = c.Flush()
	}
}

// passOn gives the directory to another cache, where there is a hand-over.
var passOn func(l *ledger, c *cache.Cache, clk *clock, rng *rand.Rand, boot string) *cache.Cache

const never = 1 << 40

// ending ends a process at one of its changes: by a kill, or the power goes.
type ending struct {
	t    *testing.T
	rng  *rand.Rand
	dir  string
	disk *cache.PowerDisk
	l    *ledger

	mu     sync.Mutex
	at     int
	old    []byte // cache.db as it was some time ago
	next   string // the folder that is left
	then   *cache.PowerDisk
	ledger *ledger
	lost   bool
}

// in has it end after n more changes.
func (e *ending) in(n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.at = n
}

// forget has no older cache.db come back than there is now: those before it were closed in order.
func (e *ending) forget() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.old = nil
}

func (e *ending) before(string, string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	db := filepath.Join(e.dir, "cache.db")
	if e.next != "" {
		return
	}
	if e.at%20 == 7 {
		e.old, _ = os.ReadFile(db)
	}
	if e.at--; e.at >= 0 {
		return
	}
	e.ledger, e.next = e.l.clone(), filepath.Join(e.t.TempDir(), "next")
	var err error
	if e.lost = e.rng.IntN(3) > 0; !e.lost {
		e.then, err = e.disk.Killed(e.next)
	} else if err = e.disk.Lose(e.next, e.rng, []float64{0, 0.5, 0.9}[e.rng.IntN(3)]); err == nil {
		e.then = cache.NewPowerDisk(e.next)
		now, _ := os.ReadFile(db)
		if b := [][]byte{now, e.old, nil}[e.rng.IntN(3)]; b != nil {
			err = os.WriteFile(filepath.Join(e.next, "cache.db"), b, 0o600)
		}
	}
	e.disk.Off()
	if err != nil {
		e.t.Error(err)
	}
}
