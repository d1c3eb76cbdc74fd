package trust

import (
	"strings"
)

// commandLine is args as a person would type them.
func commandLine(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		words[i] = quote(a)
	}
	return strings.Join(words, " ")
}

// quote makes s one word for a POSIX shell.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+:@,=", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// sudo joins commands to one line, each as root.
func sudo(commands ...string) string {
	var lines []string
	for _, c := range commands {
		if c != "" {
			lines = append(lines, "sudo "+c)
		}
	}
	return strings.Join(lines, " && ")
}
