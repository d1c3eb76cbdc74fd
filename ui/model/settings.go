package model

import (
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"pulley/internal/config"
)

// SettingKind is what a setting's value is, and so how it is asked for.
type SettingKind int

// Kinds.
const (
	Toggle  SettingKind = iota // "true" or "false"
	OneOf                      // one of Options
	Count                      // a whole number from Least to Most
	Amount                     // "20GiB"
	Speed                      // "20MiB/s", or "" for no limit
	Time                       // "60s", "7d", "0"
	Address                    // "127.0.0.1:5055"
	Folder                     // a path from the root, or "" for the usual place
	WebURL                     // an https:// URL, or ""
	Store                      // of bytes shared with others: "s3://…", or ""
	List                       // texts with commas between them
)

// SettingDef is a key of config.toml that a person sets in the window.
type SettingDef struct {
	Key         string
	Kind        SettingKind
	Options     []string
	Least, Most int
}

// SettingDefs are all of them, in the order in which they are shown.
var SettingDefs = []SettingDef{
	{Key: "tray.language", Kind: OneOf, Options: []string{"auto", "en", "zh-CN"}},
	{Key: "tray.theme", Kind: OneOf, Options: []string{"auto", "light", "dark"}},
	{Key: "tray.notify", Kind: Toggle},
	{Key: "listen", Kind: Address},
	{Key: "access.allow", Kind: List},
	{Key: "access.private_offline", Kind: Time},
	{Key: "cache.max_size", Kind: Amount},
	{Key: "cache.dir", Kind: Folder},
	{Key: "cache.tag_ttl", Kind: Time},
	{Key: "cache.offline_stale", Kind: Toggle},
	{Key: "cache.shared", Kind: Store},
	{Key: "cache.shared_private", Kind: Toggle},
	{Key: "fetch.connections", Kind: Count, Least: 1, Most: 64},
	{Key: "fetch.range_min", Kind: Amount},
	{Key: "fetch.max_rate", Kind: Speed},
	{Key: "fetch.finish", Kind: OneOf, Options: []string{"auto", "always", "never"}},
	{Key: "fetch.doh", Kind: WebURL},
	{Key: "log.max_size", Kind: Amount},
}

// FindSetting finds one by its key.
func FindSetting(key string) (SettingDef, bool) {
	i := slices.IndexFunc(SettingDefs, func(d SettingDef) bool { return d.Key == key })
	if i < 0 {
		return SettingDef{}, false
	}
	return SettingDefs[i], true
}

// Fits tells whether a value is one for the setting, as far as that can be told without the daemon, which has the last word.
func (d SettingDef) Fits(value string) bool {
	switch d.Kind {
	case Toggle:
		return value == "true" || value == "false"
	case OneOf:
		return slices.Contains(d.Options, value)
	case Count:
		n, err := strconv.Atoi(value)
		return err == nil && n >= d.Least && n <= d.Most
	case Amount:
		return ParseSize(value) > 0
	case Speed:
		var r config.Rate
		return r.UnmarshalText([]byte(value)) == nil
	case Time:
		_, err := config.ParseDuration(value)
		return err == nil
	case Address:
		_, port, err := net.SplitHostPort(value)
		n, perr := strconv.Atoi(port)
		return err == nil && perr == nil && n >= 0 && n <= 65535
	case Folder:
		return value == "" || filepath.IsAbs(value)
	case WebURL:
		u, err := url.Parse(value)
		return value == "" || err == nil && u.Scheme == "https" && u.Host != ""
	case Store:
		u, err := url.Parse(value)
		return value == "" || err == nil && u.Scheme != "" && u.Host != ""
	default:
		return true
	}
}

// ParseSize is a size in bytes, or -1 for a text that is none.
func ParseSize(text string) int64 {
	var s config.Size
	if s.UnmarshalText([]byte(text)) != nil {
		return -1
	}
	return int64(s)
}

// SizeText writes a size as config.toml has it.
func SizeText(bytes int64) string { return config.Size(bytes).String() }

// ParseTime is what a setting of Kind Time stands for; ok is false for a text that is none.
func ParseTime(text string) (time.Duration, bool) {
	d, err := config.ParseDuration(text)
	return d, err == nil
}

// Loopback tells whether an address to listen at can be reached from this machine alone.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// SizeSteps are what a slider for the size of a cache offers on a disk with room for so many bytes: round sizes, denser below.
func SizeSteps(room int64) (steps []int64) {
	const gib = 1 << 30
	for _, n := range []int64{2, 5, 10, 15, 20, 30, 40, 50, 75, 100, 150, 200, 300, 400, 500, 750, 1000, 1500, 2000, 4000} {
		if n*gib <= room {
			steps = append(steps, n*gib)
		}
	}
	if len(steps) < 2 {
		return []int64{1 * gib, 2 * gib}
	}
	return steps
}

// NearestStep is the place of the step that is nearest to a size.
func NearestStep(steps []int64, size int64) (best int) {
	for i, s := range steps {
		if abs(s-size) < abs(steps[best]-size) {
			best = i
		}
	}
	return best
}

func abs(n int64) int64 {
	if n < 0 {
		return -n
	}
	return n
}

// Settings is what is set, with what a person changed laid over it until the daemon has taken or refused it. For one
// goroutine.
type Settings struct {
	values map[string]string
	asked  map[string][]string // on their way, the last one wins
	wrong  map[string]string   // why the last change was refused
	era    int
}

// Known tells whether the daemon said what is set.
func (s *Settings) Known() bool { return s.values != nil }

// Ask and Heard go around a question to the daemon: an answer from before a change is not heard.
func (s *Settings) Ask() int { return s.era }

// Heard takes what is set, unless something was changed since it was asked for.
func (s *Settings) Heard(era int, values map[string]string) bool {
	if era != s.era {
		return false
	}
	s.values = values
	return true
}

// Value is what is shown of a setting.
func (s *Settings) Value(key string) string {
	if asked := s.asked[key]; len(asked) > 0 {
		return asked[len(asked)-1]
	}
	return s.values[key]
}

// Wrong is why the last change of a setting was refused; "" where it was not.
func (s *Settings) Wrong(key string) string { return s.wrong[key] }

// Begin shows a change; it is on its way to the daemon. False: it is no change.
func (s *Settings) Begin(key, value string) bool {
	if !s.Known() || s.Value(key) == value {
		delete(s.wrong, key)
		return false
	}
	if s.asked == nil {
		s.asked, s.wrong = map[string][]string{}, map[string]string{}
	}
	delete(s.wrong, key)
	s.asked[key] = append(s.asked[key], value)
	s.era++
	return true
}

// Done says what came of the change of a setting that was begun first. What was refused is shown as it was before.
func (s *Settings) Done(key string, refused error) {
	s.era++
	asked := s.asked[key]
	if len(asked) == 0 {
		return
	}
	if refused != nil {
		s.wrong[key] = refused.Error()
	} else {
		s.values[key] = asked[0]
		delete(s.wrong, key)
	}
	s.asked[key] = asked[1:]
}

// Finds tells whether what a person looks for is in texts: each of its words in one of them, whatever their case.
func Finds(sought string, texts ...string) bool {
	all := strings.ToLower(strings.Join(texts, "\n"))
	for _, word := range strings.Fields(strings.ToLower(sought)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}
