package cache

import (
	"encoding/binary"
	"hash/crc32"
)

// record is what is known of a blob.
type record struct {
	stamp
	used    int64 // ns since 1970
	stamped bool  // false: hash before serving
}

// recordLength is five numbers, a flag and a checksum.
const recordLength = 5*8 + 1 + 4

func encodeRecord(r record) []byte {
	b := make([]byte, 0, recordLength)
	for _, n := range []int64{r.size, r.mtime, r.ctime, int64(r.inode), r.used} {
		b = binary.BigEndian.AppendUint64(b, uint64(n))
	}
	if r.stamped {
		b = append(b, 1)
	} else {
		b = append(b, 0)
	}
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, crcTable))
}

func decodeRecord(b []byte) (r record, ok bool) {
	if len(b) != recordLength || binary.BigEndian.Uint32(b[recordLength-4:]) != crc32.Checksum(b[:recordLength-4], crcTable) {
		return r, false
	}
	n := func(i int) int64 { return int64(binary.BigEndian.Uint64(b[8*i:])) }
	r.stamp = stamp{size: n(0), mtime: n(1), ctime: n(2), inode: uint64(n(3))}
	r.used = n(4)
	r.stamped = b[40] == 1
	return r, true
}

func usedKey(k key, used int64) []byte {
	return append(binary.BigEndian.AppendUint64(make([]byte, 0, 8+len(k)), uint64(used)), k[:]...)
}
