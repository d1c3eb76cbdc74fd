package cache

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
)

// bufSize is the unit of copying: large enough that system calls do not count,
// small enough that 64 transfers need 16 MiB.
const bufSize = 256 << 10

var bufPool = sync.Pool{New: func() any { b := make([]byte, bufSize); return &b }}

// hashSize is what is read at a time to be hashed: hashing takes so much longer that
// more would not be quicker.
const hashSize = 64 << 10

var hashPool = sync.Pool{New: func() any { b := make([]byte, hashSize); return &b }}

// hashFront continues the hash of the unbroken front with p, which has just been
// written there, for who set hashing. If others wrote behind it, catchUp follows.
// Hashing in the writer's goroutine, while the bytes are hot, is what lets Commit
// find everything hashed. Needs mu not.
func (f *Fill) hashFront(p []byte) {
	f.hash.Write(p)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hashed += int64(len(p))
	f.hashing = false
	f.cond.Broadcast()
	f.startCatchUp()
}

// startCatchUp hashes from the file what is there and was not hashed on its way
// in: resumed bytes, and ranges that arrived before those in front of them.
// Needs mu.
func (f *Fill) startCatchUp() {
	if f.hashing || f.failure != nil || f.have.covered(f.hashed) == f.hashed {
		return
	}
	f.hashing = true
	f.refs++
	f.c.wg.Go(f.catchUp)
}

func (f *Fill) catchUp() {
	buf := hashPool.Get().(*[]byte)
	defer hashPool.Put(buf)
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.failure == nil {
		n := min(f.have.covered(f.hashed)-f.hashed, hashSize)
		if n == 0 {
			break
		}
		off := f.hashed
		f.mu.Unlock()
		_, err := f.r.ReadAt((*buf)[:n], off)
		if err == nil {
			f.hash.Write((*buf)[:n])
		}
		f.mu.Lock()
		if err != nil {
			f.breakOff(&DiskError{Op: "read back " + f.key.hex(), Err: err}, true)
			break
		}
		f.hashed += n
	}
	f.hashing = false
	f.cond.Broadcast()
	f.announce()
	f.unref()
}

// hashFile reads f to its end. pace, if there is one, is told how many bytes were read,
// and its error ends that.
func hashFile(f *os.File, pace func(n int64) error) (key, error) {
	h := sha256.New()
	buf := hashPool.Get().(*[]byte)
	defer hashPool.Put(buf)
	for off := int64(0); ; {
		n, err := f.ReadAt(*buf, off)
		h.Write((*buf)[:n])
		off += int64(n)
		if errors.Is(err, io.EOF) {
			return key(h.Sum(nil)), nil
		}
		if err == nil && pace != nil {
			err = pace(int64(n))
		}
		if err != nil {
			return key{}, err
		}
	}
}

// key is a sha256 digest as bytes.
type key [sha256.Size]byte

func (k key) hex() string           { return fmt.Sprintf("%x", k[:]) }
func (k key) digest() digest.Digest { return digest.NewDigestFromBytes(digest.SHA256, k[:]) }

func (k key) compare(o key) int { return bytes.Compare(k[:], o[:]) }

func keyOf(d digest.Digest) (key, error) {
	if encoded, ok := strings.CutPrefix(string(d), "sha256:"); ok {
		if k, ok := parseHex(encoded); ok {
			return k, nil
		}
	}
	return key{}, fmt.Errorf("cache: digest %.80q: %w", string(d), ErrUnsupported)
}

func parseHex(s string) (k key, ok bool) {
	if len(s) != 2*len(k) {
		return k, false
	}
	for i := range k {
		hi, lo := nibble(s[2*i]), nibble(s[2*i+1])
		if hi < 0 || lo < 0 {
			return k, false
		}
		k[i] = byte(hi<<4 | lo)
	}
	return k, true
}

func nibble(b byte) int {
	switch {
	case '0' <= b && b <= '9':
		return int(b - '0')
	case 'a' <= b && b <= 'f':
		return int(b-'a') + 10
	}
	return -1
}
