package cache

import "strings"

// pathElement is a part of a name as a file name: ':' would name a stream of the
// file, a final dot is dropped, and some names are devices, with any extension.
// '@' is in no part of a name, so nothing else is called like the result.
func pathElement(s string) string {
	s = strings.ReplaceAll(s, ":", "@")
	if strings.HasSuffix(s, ".") {
		s = s[:len(s)-1] + "@dot"
	}
	base, _, _ := strings.Cut(strings.ToLower(s), ".")
	switch base {
	case "con", "prn", "aux", "nul":
		return "@@" + s
	}
	if len(base) == 4 && (strings.HasPrefix(base, "com") || strings.HasPrefix(base, "lpt")) && '0' <= base[3] && base[3] <= '9' {
		return "@@" + s
	}
	return s
}
