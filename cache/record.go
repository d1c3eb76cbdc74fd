package cache

import (
	"encoding/binary"
	"hash/crc32"
)

// record is what is known of a blob: of one that is stored, and of one that is
// not but belongs to an image.
type record struct {
	stamp
	used     int64  // ns since 1970
	proved   int64  // when it was last hashed in full, ns since 1970; 0: never
	refs     uint32 // images and manifests that point at it
	stored   bool
	stamped  bool   // false: hash before serving
	manifest bool   // something says that it is one
	from     string // who brought it: encoded shares
}

// recordV1 is the length of a record before images were known: five numbers, a
// flag and a checksum.
const recordV1 = 5*8 + 1 + 4

const recordFixed = 6*8 + 4 + 1 // what precedes from

const (
	flagStamped = 1 << iota
	flagStored
	flagManifest
)

func encodeRecord(r record) []byte {
	b := make([]byte, 0, recordFixed+len(r.from)+4)
	for _, n := range []int64{r.size, r.mtime, r.ctime, int64(r.inode), r.used, r.proved} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	b = binary.BigEndian.AppendUint32(b, r.refs)
	flags := byte(0)
	for i, set := range []bool{r.stamped, r.stored, r.manifest} {
		if set {
			flags |= 1 << i
		}
	}
	b = append(append(b, flags), r.from...)
	return sealed(b)
}

func decodeRecord(b []byte) (r record, ok bool) {
	body, ok := unsealed(b)
	if !ok {
		return r, false
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(body[8*i:])) }
	switch {
	case len(b) == recordV1:
		r.stored, r.stamped = true, body[40] == 1
	case len(body) >= recordFixed:
		r.proved = n(5)
		r.refs = binary.BigEndian.Uint32(body[48:])
		flags := body[52]
		r.stamped, r.stored, r.manifest = flags&flagStamped != 0, flags&flagStored != 0, flags&flagManifest != 0
		r.from = string(body[recordFixed:])
	default:
		return r, false
	}
	r.stamp = stamp{size: n(0), mtime: n(1), ctime: n(2), inode: uint64(n(3))}
	r.used = n(4)
	return r, true
}

// sealed appends a checksum.
func sealed(b []byte) []byte {
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
}

// unsealed takes it off.
func unsealed(b []byte) ([]byte, bool) {
	n := len(b) - 4
	if n < 0 || binary.BigEndian.Uint32(b[n:]) != crc32.Checksum(b[:n], crcTable) {
		return nil, false
	}
	return b[:n], true
}

// timeKey sorts by time of use.
func timeKey(used int64, name []byte) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(name)), uint64(used)), name...)
}

// timeOf is the time of a key of timeKey.
func timeOf(k []byte) int64 { return int64(binary.BigEndian.Uint64(k)) }
