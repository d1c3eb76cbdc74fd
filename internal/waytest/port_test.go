package waytest

import "testing"

// TestNobodyElseGetsAReservedPort: not even who looks for one at the same place, as the tests of another process may.
func TestNobodyElseGetsAReservedPort(t *testing.T) {
	first := FreeAddr(t)
	ports.Add(-1)
	if second := FreeAddr(t); second == first {
		t.Errorf("%s was given twice", first)
	}
}
