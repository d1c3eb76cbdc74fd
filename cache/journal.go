package cache

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash/crc32"
	"math"
	"os"
	"slices"
	"sync"
)

// A journal says which ranges of a partial file are there and who brought them.
// It is a header and then records of one size, appended after the bytes they name
// were handed to the system: after a kill it names nothing that is not in the
// page cache.
//
//	header  magic[16] digest[32] boot[16] crc32c[4]
//	record  source[2] flags[1] kind[1] a[8] b[8] crc32c[4]    numbers big-endian
//
// The checksum of a record is salted with the digest. Reading stops at the
// first record that does not fit: that is where a kill tore it. A later range
// overrules an earlier one. Source and flags are of ranges alone; where they are
// zero nobody answers for the bytes, and that is also how the ranges read that
// were written before there were sources.
const (
	journalMagic  = "pulley journal 1"
	journalHeader = 16 + 32 + 16 + 4
	journalRecord = 4 + 8 + 8 + 4

	// journalEvery is after how many new bytes of one claim a record is due;
	// a kill loses at most that much of each claim. 24 bytes per 256 KiB cost
	// nothing even at several GiB/s.
	journalEvery = 256 << 10
	// journalMax bounds what is read back: records for 10 TiB.
	journalMax = 1 << 30
	// maxName is how long a source's name may be, in bytes.
	maxName = 1 << 10
)

const (
	kindRange = 1 // bytes [a,b) are in the file
	kindSize  = 2 // the blob has a bytes
	kindSync  = 3 // what the first a bytes of this journal name has reached the disk
	kindName  = 4 // source a has a name of b bytes, which the next records hold
	kindText  = 5 // 16 bytes of a name, zeroes behind its end

	// flagOpen: readers may have the bytes before the digest fits.
	flagOpen    = 1 << 8
	sourceShift = 16
)

var crcTable = crc32.MakeTable(crc32.Castagnoli)

// journal appends to one journal file. Safe for concurrent use.
type journal struct {
	key key

	mu      sync.Mutex
	f       file
	length  int64
	broken  error // the first failure: what follows it could not be read back
	scratch []byte
	names   map[string]uint16 // of the sources that have a number; none for ""
}

// progress is what a journal tells.
type progress struct {
	have  ranges
	parts parts // of just these bytes
	size  int64 // -1 unknown
	good  int64 // bytes of the journal that are intact
	boot  [16]byte
}

// cut forgets everything from end on.
func (p *progress) cut(end int64) {
	p.have.cut(end)
	p.parts.cut(end)
}

func bootMark(id string) (m [16]byte) {
	if id != "" {
		sum := sha256.Sum256([]byte(id))
		copy(m[:], sum[:])
	}
	return m
}

func header(k key, boot [16]byte) []byte {
	b := slices.Concat([]byte(journalMagic), k[:], boot[:])
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
}

func appendRecord(b []byte, k key, kind uint32, x, y int64) []byte {
	start := len(b)
	b = binary.BigEndian.AppendUint32(b, kind)
	b = binary.BigEndian.AppendUint64(b, uint64(x))
	b = binary.BigEndian.AppendUint64(b, uint64(y))
	return binary.BigEndian.AppendUint32(b, recordSum(k, b[start:]))
}

func recordSum(k key, body []byte) uint32 {
	return crc32.Update(crc32.Checksum(k[:], crcTable), crcTable, body)
}

// parseJournal reads the journal of k. ok is false when there is no use in it.
// boot is the mark of the running system: what a journal of another start says
// holds as far as its last kindSync.
func parseJournal(b []byte, k key, boot [16]byte) (p progress, ok bool) {
	p.size = -1
	if len(b) < journalHeader || !bytes.Equal(b[:journalHeader], header(k, [16]byte(b[48:64]))) {
		return p, false
	}
	p.boot = [16]byte(b[48:64])
	limit := int64(len(b))
	if none := ([16]byte{}); p.boot != boot && p.boot != none {
		limit = syncedLength(b, k)
	}
	p.good = journalHeader
	names := map[uint16]string{0: ""}
	for p.good+journalRecord <= limit {
		kind, x, y, fits := readRecord(b[p.good:], k)
		if !fits {
			break
		}
		length := int64(journalRecord)
		name, named := names[uint16(kind>>sourceShift)]
		switch {
		case kind&^(flagOpen|0xffff<<sourceShift) == kindRange && named && 0 <= x && x < y:
			p.have.add(x, y)
			p.parts.set(Part{Off: x, End: y, Source: name, Withheld: kind&flagOpen == 0})
		case kind == kindSize && x >= 0:
			p.size = x
		case kind == kindSync:
		case kind == kindName && 0 < x && x <= math.MaxUint16:
			text, ok := readName(b[p.good+length:limit], k, y)
			if !ok { // torn
				return p.clipped(), true
			}
			names[uint16(x)] = text
			length += (y + 15) / 16 * journalRecord
		default:
			return p.clipped(), p.good > journalHeader
		}
		p.good += length
	}
	return p.clipped(), true
}

// clipped is p without what lies behind the blob's end.
func (p progress) clipped() progress {
	if p.size >= 0 {
		p.cut(p.size)
	}
	return p
}

// readName reads a name of n bytes from the records that b begins with.
func readName(b []byte, k key, n int64) (string, bool) {
	if n <= 0 || n > maxName || int64(len(b)) < (n+15)/16*journalRecord {
		return "", false
	}
	text := make([]byte, 0, n+15)
	for ; int64(len(text)) < n; b = b[journalRecord:] {
		kind, _, _, fits := readRecord(b, k)
		if !fits || kind != kindText {
			return "", false
		}
		text = append(text, b[4:20]...)
	}
	return string(text[:n]), true
}

func readRecord(b []byte, k key) (kind uint32, x, y int64, ok bool) {
	body := b[:journalRecord-4]
	if recordSum(k, body) != binary.BigEndian.Uint32(b[journalRecord-4:]) {
		return 0, 0, 0, false
	}
	return binary.BigEndian.Uint32(body), int64(binary.BigEndian.Uint64(body[4:])), int64(binary.BigEndian.Uint64(body[12:])), true
}

// syncedLength is how much of the journal had reached the disk, data included,
// by its own word.
func syncedLength(b []byte, k key) int64 {
	synced := int64(journalHeader)
	for at := journalHeader; at+journalRecord <= len(b); at += journalRecord {
		kind, x, _, ok := readRecord(b[at:], k)
		if !ok {
			break
		}
		if kind == kindSync {
			synced = min(max(synced, x), int64(at))
		}
	}
	return synced
}

// readJournal reads the journal file name.
func readJournal(name string, k key, boot [16]byte) (progress, bool) {
	fi, err := os.Stat(name)
	if err != nil || fi.Size() > journalMax {
		return progress{size: -1}, false
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return progress{size: -1}, false
	}
	return parseJournal(b, k, boot)
}

// record appends one record. After a failure it does nothing and says so: the
// download can go on, only not be resumed from here.
func (j *journal) record(kind uint32, x, y int64) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	return j.append(appendRecord(j.scratch[:0], j.key, kind, x, y))
}

// part appends a range and, the first time, its source's name.
func (j *journal) part(p Part) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.broken != nil {
		return j.broken
	}
	return j.append(j.appendPart(j.scratch[:0], p))
}

// append writes records. Needs mu.
func (j *journal) append(b []byte) error {
	j.scratch = b
	if _, err := j.f.WriteAt(b, j.length); err != nil {
		j.broken = err
		return err
	}
	j.length += int64(len(b))
	return nil
}

// appendPart needs mu. A source whose name cannot be written down is nobody,
// whose bytes are withheld.
func (j *journal) appendPart(b []byte, p Part) []byte {
	kind := uint32(kindRange)
	n, known := j.names[p.Source]
	if !known && p.Source != "" && len(p.Source) <= maxName && len(j.names) < math.MaxUint16 {
		n = uint16(len(j.names) + 1)
		j.names[p.Source] = n
		b = appendName(b, j.key, n, p.Source)
	}
	if !p.Withheld && (n > 0 || p.Source == "") {
		kind |= flagOpen
	}
	return appendRecord(b, j.key, kind|uint32(n)<<sourceShift, p.Off, p.End)
}

func appendName(b []byte, k key, n uint16, name string) []byte {
	b = appendRecord(b, k, kindName, int64(n), int64(len(name)))
	for len(name) > 0 {
		var text [16]byte
		name = name[copy(text[:], name):]
		b = appendRecord(b, k, kindText, int64(binary.BigEndian.Uint64(text[:])), int64(binary.BigEndian.Uint64(text[8:])))
	}
	return b
}

// sync makes everything named so far durable: the data, then the word for it.
func (j *journal) sync(data file) error {
	j.mu.Lock()
	covered := j.length
	j.mu.Unlock()
	if err := data.Sync(); err != nil {
		return err
	}
	if err := j.record(kindSync, covered, 0); err != nil {
		return err
	}
	return j.f.Sync()
}

func (j *journal) close() error { return j.f.Close() }
