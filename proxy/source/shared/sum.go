package shared

import (
	"encoding/base64"
	"encoding/hex"

	"github.com/opencontainers/go-digest"
)

// sumHeader is a digest as x-amz-checksum-sha256 has it, so that the store refuses
// other bytes.
func sumHeader(d digest.Digest) string {
	b, err := hex.DecodeString(d.Encoded())
	if err != nil { // it was checked
		return ""
	}
	return base64.StdEncoding.EncodeToString(b)
}
