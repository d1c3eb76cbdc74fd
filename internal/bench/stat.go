package main

import (
	"fmt"
	"slices"
	"time"
)

// pair runs a and b in turn, n times each, and prints both medians and ratio a ÷ b.
// Each function returns a figure in unit; more is better when it is a rate.
func pair(n int, unit string, names [2]string, a, b func() (float64, error)) error {
	var as, bs []float64
	for range n {
		x, err := a()
		if err != nil {
			return err
		}
		y, err := b()
		if err != nil {
			return err
		}
		as, bs = append(as, x), append(bs, y)
	}
	fmt.Printf("    %-8s %10.1f %s   (%.1f to %.1f)\n", names[0], median(as), unit, slices.Min(as), slices.Max(as))
	fmt.Printf("    %-8s %10.1f %s   (%.1f to %.1f)\n", names[1], median(bs), unit, slices.Min(bs), slices.Max(bs))
	fmt.Printf("    ratio    %10.2f\n", median(as)/median(bs))
	return nil
}

func median(xs []float64) float64 {
	sorted := slices.Sorted(slices.Values(xs))
	middle := len(sorted) / 2
	if len(sorted)%2 == 1 {
		return sorted[middle]
	}
	return (sorted[middle-1] + sorted[middle]) / 2
}

// rate is MiB per second.
func rate(bytes int64, took time.Duration) float64 {
	return float64(bytes) / (1 << 20) / took.Seconds()
}
