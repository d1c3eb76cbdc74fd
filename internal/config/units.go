package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes. Text: "20GiB", "500 MB", "1024".
type Size int64

// Rate is a number of bytes per second; 0 is no limit. Text: "20MiB/s", "".
type Rate int64

// Quota is a number of bytes per period; zero Bytes is no quota. Text: "10GiB/month", "1GiB/day", "".
type Quota struct {
	Bytes Size
	Per   string // "day" or "month"
}

// The texts that name what is allowed; they end error messages.
const (
	allowedSize     = `a size such as "20GiB", "500MB" or "1024"`
	allowedRate     = `a rate such as "20MiB/s", or "" for no limit`
	allowedQuota    = `a quota such as "10GiB/month" or "1GiB/day", or "" for none`
	allowedDuration = `a duration such as "60s", "12h" or "7d", or "0"`
)

var sizeUnits = []struct {
	suffix string
	bytes  int64
}{
	{"kib", 1 << 10}, {"mib", 1 << 20}, {"gib", 1 << 30}, {"tib", 1 << 40},
	{"kb", 1e3}, {"mb", 1e6}, {"gb", 1e9}, {"tb", 1e12}, {"b", 1},
}

// UnmarshalText reads a size; anything but a finite number ≥ 0 with a known unit is an error.
func (s *Size) UnmarshalText(text []byte) error {
	n, err := parseSize(string(text))
	*s = Size(n)
	return err
}

func parseSize(text string) (int64, error) {
	t := strings.ToLower(strings.TrimSpace(text))
	unit := int64(1)
	for _, u := range sizeUnits {
		if rest, ok := strings.CutSuffix(t, u.suffix); ok {
			t, unit = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	if n, err := strconv.ParseInt(t, 10, 64); err == nil {
		if n < 0 || n > math.MaxInt64/unit {
			return 0, fmt.Errorf("out of range")
		}
		return n * unit, nil
	}
	if strings.Trim(t, "0123456789.") != "" { // no exponents, signs, "inf" or "nan"
		return 0, fmt.Errorf("no size")
	}
	f, err := strconv.ParseFloat(t, 64)
	if err != nil {
		return 0, fmt.Errorf("no size")
	}
	if f *= float64(unit); f >= math.MaxInt64 {
		return 0, fmt.Errorf("out of range")
	}
	return int64(f), nil
}

// MarshalText writes the size with the largest unit that divides it.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

func (s Size) String() string {
	if s == 0 {
		return "0"
	}
	for _, u := range []struct {
		name  string
		bytes Size
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}} {
		if s%u.bytes == 0 {
			return strconv.FormatInt(int64(s/u.bytes), 10) + u.name
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

// UnmarshalText reads a rate; the "/s" may be left out.
func (r *Rate) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	if t == "" {
		*r = 0
		return nil
	}
	n, err := parseSize(strings.TrimSuffix(t, "/s"))
	*r = Rate(n)
	return err
}

// MarshalText writes the rate as UnmarshalText reads it; "" for no limit.
func (r Rate) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

func (r Rate) String() string {
	if r == 0 {
		return ""
	}
	return Size(r).String() + "/s"
}

// UnmarshalText reads a quota.
func (q *Quota) UnmarshalText(text []byte) error {
	t := strings.TrimSpace(string(text))
	if t == "" {
		*q = Quota{}
		return nil
	}
	amount, per, _ := strings.Cut(t, "/")
	if per != "day" && per != "month" {
		return fmt.Errorf("no quota")
	}
	n, err := parseSize(amount)
	if err != nil {
		return err
	}
	*q = Quota{Bytes: Size(n), Per: per}
	return nil
}

// MarshalText writes the quota as UnmarshalText reads it.
func (q Quota) MarshalText() ([]byte, error) {
	if q.Bytes == 0 {
		return nil, nil
	}
	return []byte(q.Bytes.String() + "/" + q.Per), nil
}

const day = 24 * time.Hour

// ParseDuration reads what time.ParseDuration reads, and whole or broken days ("7d", "1.5d", "1d12h"); never negative.
func ParseDuration(text string) (time.Duration, error) {
	t := strings.TrimSpace(text)
	var days time.Duration
	if n, rest, ok := strings.Cut(t, "d"); ok {
		f, err := strconv.ParseFloat(n, 64)
		if err != nil || !(f >= 0) || f > 36500 || strings.Trim(n, "0123456789.") != "" {
			return 0, fmt.Errorf("no duration")
		}
		if days, t = time.Duration(f*float64(day)), rest; t == "" {
			return days, nil
		}
	}
	d, err := time.ParseDuration(t)
	if err != nil || d < 0 || d > 36500*day {
		return 0, fmt.Errorf("no duration")
	}
	return days + d, nil
}

// FormatDuration writes d so that ParseDuration reads it, short: "7d", "60s", "1h30m".
func FormatDuration(d time.Duration) string {
	switch {
	case d == 0:
		return "0"
	case d%day == 0:
		return strconv.FormatInt(int64(d/day), 10) + "d"
	case d < 2*time.Minute && d%time.Second == 0:
		return strconv.FormatInt(int64(d/time.Second), 10) + "s"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
