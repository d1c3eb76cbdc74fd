package tool

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// box is a folder through which a program with other rights hands over what it printed: there is no pipe to it.
type box struct{ dir string }

func newBox() (*box, error) {
	dir, err := os.MkdirTemp("", "pulley-")
	return &box{dir}, err
}

func (b *box) out() string  { return filepath.Join(b.dir, "out") }
func (b *box) said() string { return filepath.Join(b.dir, "said") }
func (b *box) code() string { return filepath.Join(b.dir, "code") }

func (b *box) close() { _ = os.RemoveAll(b.dir) }

// answer is what is in it.
func (b *box) answer(into any, args []string) error {
	out, err := os.ReadFile(b.out())
	if err != nil {
		return fmt.Errorf("pulley %s: what it did with an administrator's rights is not known: %w", strings.Join(args, " "), err)
	}
	said, _ := os.ReadFile(b.said()) // none: it said nothing
	text, err := os.ReadFile(b.code())
	code, bad := strconv.Atoi(strings.TrimSpace(string(text)))
	var failed error
	switch {
	case err != nil || bad != nil:
		failed = errors.New("how is not known")
	case code != 0:
		failed = fmt.Errorf("exit status %d", code)
	}
	return answer(into, args, out, said, failed)
}

var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellWord is a word as a POSIX shell takes it.
func shellWord(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// appleString is a text as AppleScript takes it.
func appleString(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`
}

// appleScript has macOS ask for a password, and root's shell run a program that prints into a box.
func appleScript(b *box, environ []string, program string, args []string) string {
	words := append([]string{"/usr/bin/env"}, environ...)
	words = append(append(words, program, "--json"), args...)
	for i, word := range words {
		words[i] = shellWord(word)
	}
	line := fmt.Sprintf("%s >%s 2>%s; echo $? >%s", strings.Join(words, " "), shellWord(b.out()), shellWord(b.said()), shellWord(b.code()))
	return "do shell script " + appleString(line) + " with administrator privileges"
}

// powerString is a text as PowerShell takes it: typographic quotes end one too.
func powerString(text string) string {
	return "'" + strings.NewReplacer("'", "''", "‘", "‘‘", "’", "’’", "‚", "‚‚", "‛", "‛‛").Replace(text) + "'"
}

// declinedCode is what powerScript ends with where the person said no.
const declinedCode = 126

// powerScript has Windows ask, and a PowerShell with an administrator's rights run a program that prints into a box.
func powerScript(b *box, environ []string, program string, args []string) string {
	var inner strings.Builder
	for _, kv := range environ {
		key, value, _ := strings.Cut(kv, "=")
		fmt.Fprintf(&inner, "[Environment]::SetEnvironmentVariable(%s, %s)\n", powerString(key), powerString(value))
	}
	quoted := make([]string, len(args)+1)
	for i, arg := range append([]string{"--json"}, args...) {
		quoted[i] = windowsWord(arg)
	}
	fmt.Fprintf(&inner, "$p = Start-Process -FilePath %s -ArgumentList %s -NoNewWindow -Wait -PassThru -RedirectStandardOutput %s -RedirectStandardError %s\n",
		powerString(program), powerString(strings.Join(quoted, " ")), powerString(b.out()), powerString(b.said()))
	fmt.Fprintf(&inner, "Set-Content -LiteralPath %s -Value $p.ExitCode\n", powerString(b.code()))
	return fmt.Sprintf("try { Start-Process -FilePath powershell.exe -Verb RunAs -WindowStyle Hidden -Wait -ErrorAction Stop "+
		"-ArgumentList '-NoProfile -NonInteractive -ExecutionPolicy Bypass -EncodedCommand %s' } catch { exit %d }", encoded(inner.String()), declinedCode)
}

// encoded is a script as -EncodedCommand takes it: base64 of UTF-16, little end first.
func encoded(script string) string {
	var data []byte
	for _, unit := range utf16.Encode([]rune(script)) {
		data = binary.LittleEndian.AppendUint16(data, unit)
	}
	return base64.StdEncoding.EncodeToString(data)
}

// windowsWord is a word as a program of Windows parts its command line (CommandLineToArgvW).
func windowsWord(word string) string {
	if word != "" && !strings.ContainsAny(word, " \t\n\v\"") {
		return word
	}
	var b strings.Builder
	b.WriteByte('"')
	slashes := 0
	for _, r := range word {
		switch r {
		case '\\':
			slashes++
			continue
		case '"':
			b.WriteString(strings.Repeat(`\`, 2*slashes+1))
		default:
			b.WriteString(strings.Repeat(`\`, slashes))
		}
		slashes = 0
		b.WriteRune(r)
	}
	b.WriteString(strings.Repeat(`\`, 2*slashes) + `"`)
	return b.String()
}
