package cache

import (
	"encoding/binary"
	"maps"
	"slices"
)

// encodeShares is how a record keeps who brought how many bytes of a blob.
func encodeShares(of map[string]int64) string {
	var b []byte
	for _, source := range slices.Sorted(maps.Keys(of)) {
		if source != "" && len(source) <= maxName {
			b = binary.AppendUvarint(appendText(b, source), uint64(of[source]))
		}
	}
	return string(b)
}

// sharesOf adds up who brought what of a download.
func sharesOf(ps parts) string {
	of := make(map[string]int64)
	for _, p := range ps {
		of[p.Source] += p.End - p.Off
	}
	return encodeShares(of)
}

// addShares adds a blob of size bytes to to; what nobody is known to have brought
// is from "".
func addShares(to map[string]int64, from string, size int64) {
	for b := []byte(from); len(b) > 0; {
		source, after, ok := cutText(b)
		n, used := binary.Uvarint(after)
		if !ok || used <= 0 {
			break
		}
		b = after[used:]
		to[source] += int64(n)
		size -= int64(n)
	}
	if size > 0 {
		to[""] += size
	}
}
