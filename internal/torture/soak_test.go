//go:build linux

package main

import (
	"io"
	"math"
	"strings"
	"testing"
	"time"
)

// TestMemoryThatGrowsIsNoticed: a slow leak is told from a cache that fills once and from the collector's ups and downs.
func TestMemoryThatGrowsIsNoticed(t *testing.T) {
	const mib = 1 << 20
	for _, tc := range []struct {
		name, says string
		n          int
		memory     func(i float64) float64 // MiB
	}{
		{"flat, up and down", "", 60, func(i float64) float64 { return 30 + 6*math.Sin(i) }},
		{"fills once", "", 60, func(i float64) float64 { return 40 - 25*math.Exp(-i/4) }},
		{"a leak", "memory grows", 60, func(i float64) float64 { return 30 + i/2 + 6*math.Sin(i) }},
		{"too short", "too few", 9, func(float64) float64 { return 30 }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := newSoak(time.Hour, io.Discard)
			for i := range tc.n {
				s.samples = append(s.samples, sample{memory: int64(tc.memory(float64(i)) * mib)})
			}
			err := s.verdict()
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}
