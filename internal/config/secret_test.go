package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What is wrong with an address is said without the password in it: the error goes
// into logs, onto the screen and into reports.
func TestErrorsHoldNoPasswords(t *testing.T) {
	const secret = "hunter2"
	for _, text := range []string{
		`[[egress]]` + "\nname = \"a\"\nurl = \"ftp://me:hunter2@proxy\"\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"socks5://me:hunter2@\"\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"socks5://me:hunter2@a b\"\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"http://me:hunter2@proxy:port\"\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"http://me:hunter2%zz@proxy\"\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"http://me:hunter2@proxy/path\"\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"me:hunter2@proxy:1080\"\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"socks5://me:hunter2@proxy:1080\n",
		`[[egress]]` + "\nname = \"a\"\nurl = socks5://me:hunter2@proxy:1080\n",
		`[[egress]]` + "\nname = \"a\"\nurl = 'socks5://me:hunter2@proxy:1080' x\n",
		`[[egress]]` + "\nname = \"a\"\nurl = [\"socks5://me:hunter2@proxy:1080\"]\n",
		`[[egress]]` + "\nname = \"a\"\nurl = \"http://proxy\"\nurl = \"http://me:hunter2@proxy\"\n",
		`[[egress]]` + "\nname = \"a\"\npassword = \"hunter2\"\nurl = \"http://proxy\"\n",
		`[[registry]]` + "\nname = \"docker.io\"\n[[registry.mirror]]\nname = \"m\"\nurl = \"https://me:hunter2@mirror\"\n",
		`[[registry]]` + "\nname = \"docker.io\"\n[[registry.mirror]]\nname = \"m\"\nurl = \"ftp://me:hunter2@mirror\"\n",
		`[[registry]]` + "\nname = \"docker.io\"\n[[registry.mirror]]\nname = \"m\"\nurl = \"https://me:hunter2@mi rror\"\n",
		`[[registry]]` + "\nname = \"docker.io\"\n[[registry.mirror]]\nname = \"m\"\nurl = \"https://mirror\"\nauth = \"me:hunter2\"\n",
		`[[registry]]` + "\nname = \"docker.io\"\n[[registry.mirror]]\nname = \"m\"\nurl = \"https://mirror\"\nauth = \"basic:hunter2\"\n",
		"[cache]\nshared = \"s3://key:hunter2@bucket\"\n",
		"[cache]\nshared = \"s3://bucket?secret_key=hunter2\"\n",
		"[cache]\nshared = \"s3://bucket?endpoint=https://me:hunter2@s3\"\n",
		"[cache]\nshared = \"https://me:hunter2@bucket\"\n",
		"[fetch]\ndoh = \"http://me:hunter2@dns\"\n",
		"[fetch]\ndoh = \"https://me:hunter2@d ns\"\n",
		"[access]\nusers = { me = \"hunter2\" }\n",
	} {
		file := filepath.Join(t.TempDir(), "config.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file, nil)
		if err == nil {
			t.Logf("taken: %q", text)
			continue
		}
		if strings.Contains(err.Error(), secret) {
			t.Errorf("%q: %v", text, err)
		}
	}
}
