package token_test

import (
	"strings"
	"testing"

	"pulley/internal/config"
	"pulley/proxy/token"
)

func TestCheckRealm(t *testing.T) {
	cfg := config.Default()
	cfg.Addresses = []config.Address{{Host: "login.elsewhere.example", Use: []string{"127.0.0.1:8443"}}}
	hub := &config.Registry{Name: "docker.io", Hosts: []string{"registry-1.docker.io", "tokens.example.net"}}
	plain := &config.Registry{Name: "lab", Hosts: []string{"lab:5000"}, Insecure: true}
	for name, tt := range map[string]struct {
		reg         *config.Registry
		host, realm string
		ok          bool
	}{
		"docker hub":             {hub, "registry-1.docker.io", "https://auth.docker.io/token", true},
		"its old name":           {hub, "registry.hub.docker.com", "https://auth.docker.io/token", true},
		"same host":              {hub, "ghcr.io", "https://ghcr.io/token", true},
		"same host, other port":  {hub, "reg.example.com:5000", "https://reg.example.com:5001/token", true},
		"sibling":                {hub, "registry.gitlab.com", "https://gitlab.com/jwt/auth", true},
		"sibling, case and dot":  {hub, "Registry.GitLab.com.", "https://GITLAB.com/jwt/auth", true},
		"configured host":        {hub, "registry-1.docker.io", "https://tokens.example.net/t", true},
		"address entry":          {hub, "registry-1.docker.io", "https://login.elsewhere.example/t", true},
		"plain for insecure":     {plain, "lab:5000", "http://lab:5001/t", true},
		"https for insecure":     {plain, "lab:5000", "https://lab:5001/t", true},
		"registry on an address": {plain, "192.168.1.4:5000", "http://192.168.1.4:5001/t", true},

		"foreign":                 {hub, "registry-1.docker.io", "https://evil.example/token", false},
		"looks alike":             {hub, "registry-1.docker.io", "https://auth.docker.io.evil.example/token", false},
		"suffix":                  {hub, "registry-1.docker.io", "https://evildocker.io/token", false},
		"user part":               {hub, "registry-1.docker.io", "https://auth.docker.io@evil.example/token", false},
		"user on the right host":  {hub, "registry-1.docker.io", "https://a:b@auth.docker.io/token", false},
		"plain http":              {hub, "registry-1.docker.io", "http://auth.docker.io/token", false},
		"metadata service":        {hub, "registry-1.docker.io", "https://169.254.169.254/latest", false},
		"metadata, plain":         {plain, "lab:5000", "http://169.254.169.254/latest", false},
		"loopback":                {hub, "registry-1.docker.io", "https://127.0.0.1/token", false},
		"loopback v6":             {hub, "registry-1.docker.io", "https://[::1]/token", false},
		"private":                 {hub, "registry-1.docker.io", "https://10.0.0.1/token", false},
		"public address":          {hub, "registry-1.docker.io", "https://8.8.8.8/token", false},
		"decimal address":         {hub, "registry-1.docker.io", "https://2130706433/token", false},
		"hex address":             {hub, "registry-1.docker.io", "https://0x7f000001/token", false},
		"short address":           {hub, "registry-1.docker.io", "https://127.1/token", false},
		"localhost":               {hub, "registry-1.docker.io", "https://localhost/token", false},
		"single label":            {hub, "registry-1.docker.io", "https://vault/token", false},
		"another customer":        {hub, "a.github.io", "https://b.github.io/token", false},
		"a public suffix":         {hub, "example.co.uk", "https://evil.co.uk/token", false},
		"file":                    {hub, "registry-1.docker.io", "file:///etc/passwd", false},
		"opaque":                  {hub, "registry-1.docker.io", "https:auth.docker.io", false},
		"relative":                {hub, "registry-1.docker.io", "/token", false},
		"empty":                   {hub, "registry-1.docker.io", "", false},
		"unreadable":              {hub, "registry-1.docker.io", "https://auth.docker.io/%zz\x00?secret=1", false},
		"partner of someone else": {hub, "rg.fr-par.scw.cloud.evil.example", "https://api.scaleway.com/t", false},
	} {
		t.Run(name, func(t *testing.T) {
			u, err := token.CheckRealm(cfg, tt.reg, tt.host, tt.realm)
			if (err == nil) != tt.ok {
				t.Errorf("%s → %s: %v, %v", tt.host, tt.realm, u, err)
			}
			if err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("the error shows the query: %v", err)
			}
		})
	}
}
