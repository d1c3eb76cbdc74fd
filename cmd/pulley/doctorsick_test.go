//go:build !darwin

// macOS answers at 127.0.0.1 alone of 127.0.0.0/8.

package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pulley/internal/doctor"
	"pulley/internal/hubtest"
	"pulley/internal/waytest"
)

// logins is docker's configuration with these passwords.
func (p *patient) logins(auths map[string]string) {
	p.t.Helper()
	list := map[string]any{}
	for host, userPassword := range auths {
		list[host] = map[string]string{"auth": base64.StdEncoding.EncodeToString([]byte(userPassword))}
	}
	p.dockerConfig(map[string]any{"auths": list})
}

func (p *patient) dockerConfig(v any) {
	p.t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.docker, "config.json"), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// setting adds to config.toml before the daemon starts.
func (p *patient) setting(format string, args ...any) {
	p.settings.More += fmt.Sprintf(format, args...) + "\n"
}

// deadAddress is one that nobody listens at.
func deadAddress(t *testing.T) string {
	t.Helper()
	return waytest.FreeAddr(t)
}

// TestDoctorBlamesThisMachine: each fault of the daemon, the settings, the engine, docker's logins, the mirrors and the cache
// is named, and nothing beside it.
func TestDoctorBlamesThisMachine(t *testing.T) {
	mirrored := func(p *patient) { p.withMirrors, p.mirrors = true, p.mirrors[:1]; p.begin() }
	for _, c := range []struct {
		name  string
		sick  func(p *patient) // starts the daemon, or does not
		image string
		want  []string
		words []string
	}{
		{"it does not run", func(p *patient) { p.home = homeWith(p.t, p.settings); p.engine.mirrors("http://127.0.0.1:1") },
			"", []string{"daemon.down", "engine.deadport"}, []string{"not running", "fix: pulley up"}},
		{"it does not run, and the engine waits for it", func(p *patient) {
			p.settings.Listen = deadAddress(p.t)
			p.home = homeWith(p.t, p.settings)
			p.engine.mirrors("http://" + p.settings.Listen)
		}, "", []string{"daemon.down"}, nil},
		{"somebody has its port", func(p *patient) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				p.t.Fatal(err)
			}
			p.t.Cleanup(func() { _ = l.Close() })
			p.settings.Listen = l.Addr().String()
			p.home = homeWith(p.t, p.settings)
			p.engine.set(map[string]any{"RegistryConfig": map[string]any{"Mirrors": []string{"http://" + p.settings.Listen}}})
		}, "", []string{"daemon.port"}, []string{"is held by", "fix: pulley config set listen 127.0.0.1:"}},
		{"another pulley has its port", func(p *patient) {
			p.begin()
			p.settings.Listen = p.address
			p.home = homeWith(p.t, p.settings)
		}, "", []string{"daemon.other"}, []string{"another PULLEY_HOME"}},
		{"settings are broken", func(p *patient) {
			p.begin()
			if err := os.WriteFile(filepath.Join(p.home, "config.toml"), []byte("lisen = \"x\"\n"), 0o600); err != nil {
				p.t.Fatal(err)
			}
		}, "", []string{"settings.broken"}, []string{"config.toml:1: lisen: unknown key", "fix: pulley config edit"}},
		{"switched off", func(p *patient) { p.begin(); p.says("off") }, "", []string{"daemon.off"}, []string{"fix: pulley on"}},
		{"paused", func(p *patient) { p.begin(); p.says("pause", "1h") }, "", []string{"daemon.paused"}, []string{"paused until", "fix: pulley on"}},
		{"offline, and it was never pulled", func(p *patient) { p.begin(); p.says("route", "docker.io", "offline") },
			"alpine", []string{"route.offline"}, []string{"not in the cache", "fix: pulley route docker.io auto"}},

		{"the engine does not answer", func(p *patient) { p.begin(); p.engine.socket += ".not" }, "", []string{"engine.down"}, []string{"docker's engine does not answer", "fix: pulley context test default"}},
		{"the engine goes by", func(p *patient) { p.begin(); p.engine.set(nil) }, "", []string{"engine.unwired"}, []string{"fix: pulley connect docker"}},
		{"the engine has another mirror", func(p *patient) { p.begin(); p.engine.mirrors("https://mirror.example") }, "", []string{"engine.other"}, []string{"https://mirror.example"}},
		{"the engine's mirror is a dead port", func(p *patient) { p.begin(); p.engine.mirrors("http://" + deadAddress(p.t)) }, "", []string{"engine.deadport"}, []string{"nothing listens", "Pulley listens at"}},
		{"the engine's proxy is a dead port", func(p *patient) {
			p.begin()
			p.engine.set(map[string]any{"HttpsProxy": "http://" + deadAddress(p.t)})
		}, "", []string{"engine.deadport"}, []string{"cannot pull at all"}},
		{"the engine excepts the registry", func(p *patient) {
			p.begin()
			p.engine.set(map[string]any{"HttpsProxy": "http://" + p.address, "NoProxy": "localhost,.docker.io"})
		}, "", []string{"engine.noproxy"}, []string{"NO_PROXY is localhost,.docker.io"}},
		{"the engine's proxy is not believed", func(p *patient) {
			p.begin()
			p.engine.set(map[string]any{"HttpsProxy": "http://" + p.address})
		}, "", []string{"trust.missing"}, []string{"fix: pulley ca trust"}},

		{"a wrong password", func(p *patient) {
			p.origin.SetUser("alice", "open sesame")
			p.logins(map[string]string{dockerHub: "alice:wrong horse"})
			p.begin()
		}, "", []string{"login.refused"}, []string{"refused", "fix: docker login docker.io"}},
		{"a login that may not", func(p *patient) {
			p.origin.SetUser("alice", "open sesame")
			p.origin.Push("library/secret", "1", hubtest.RandomImage(71, 1, 1<<20))
			p.origin.SetPrivate("library/secret", "bob")
			p.logins(map[string]string{dockerHub: "alice:open sesame"})
			p.begin()
		}, "library/secret:1", []string{"manifest.denied"}, []string{"your login may not pull it"}},
		{"a credential helper that is not there", func(p *patient) {
			p.dockerConfig(map[string]any{"credsStore": "nobody-has-this"})
			p.begin()
		}, "", []string{"login.helper"}, []string{"credential helper fails"}},

		{"a mirror is dead", func(p *patient) { mirrored(p); p.mirrors[0].Down() }, "", []string{"mirror.dead"}, []string{"mirror m1 of docker.io does not work", "fix: pulley mirror off m1"}},
		{"a mirror wants an account", func(p *patient) {
			mirrored(p)
			p.mirrors[0].SetFaults(hubtest.Faults{Kind: hubtest.Manifest, Status: 403})
		}, "", []string{"mirror.denied"}, []string{"lets nobody in", "403"}},
		{"a mirror is slow", func(p *patient) {
			mirrored(p)
			p.mirrors[0].SetFaults(hubtest.Faults{Kind: hubtest.Blob, Total: 300 << 10})
		}, "", []string{"mirror.slow"}, []string{"mirror m1 of docker.io sends 0."}},
		{"a mirror disagrees", func(p *patient) {
			p.withMirrors, p.mirrors = true, p.mirrors[:1]
			p.mirrors[0].Push("library/alpine", "latest", hubtest.RandomImage(99, 1, 1<<20))
			p.begin()
		}, "", []string{"mirror.differs"}, []string{"another image for a tag"}},
		{"a mirror lies", func(p *patient) {
			mirrored(p)
			p.mirrors[0].SetFaults(hubtest.Faults{Kind: hubtest.Blob, WrongByte: hubtest.At(77)})
		}, "", []string{"mirror.lies"}, []string{"not what its digest says", "fix: pulley mirror off m1"}},
		{"a mirror has closed", func(p *patient) {
			p.settings.Registry = "[[registry.mirror]]\nname = \"ustc\"\nenabled = true\n"
			p.begin()
		}, "", []string{"mirror.closed"}, []string{"serves the public no more, since 2022-08", "fix: pulley mirror off ustc"}},
		{"a mirror needs an id", func(p *patient) {
			p.settings.Registry = "[[registry.mirror]]\nname = \"aliyun\"\nenabled = true\n"
			p.begin()
		}, "", []string{"mirror.incomplete"}, []string{"needs the id of an Alibaba Cloud account"}},
		{"a mirror is Pulley", func(p *patient) {
			p.settings.Listen = deadAddress(p.t)
			p.settings.Registry = fmt.Sprintf("[[registry.mirror]]\nname = \"me\"\nurl = \"http://%s\"\nstyle = \"host\"\nenabled = true\n", p.settings.Listen)
			p.begin()
		}, "", []string{"loop.mirror"}, []string{"mirror me of docker.io is Pulley itself", "fix: pulley mirror off me"}},
		{"a way out is Pulley", func(p *patient) {
			p.settings.Listen = deadAddress(p.t)
			p.setting("[[egress]]\nname = \"round\"\nurl = \"http://%s\"\nfor = [\"docker.io\"]", p.settings.Listen)
			p.begin()
		}, "", []string{"loop.egress"}, []string{"egress round is Pulley itself", "fix: pulley egress rm round"}},
		{"the registry is Pulley", func(p *patient) {
			p.settings.Listen = deadAddress(p.t)
			p.setting("[[registry]]\nname = \"lab.test\"\nhosts = [\"lab.test\"]\n[[address]]\nhost = \"lab.test\"\nuse = [%q]", p.settings.Listen)
			p.begin()
		}, "lab.test/app:1", []string{"loop.origin"}, []string{"lab.test is Pulley itself"}},

		{"the cache's folder is a file", func(p *patient) {
			file := filepath.Join(p.t.TempDir(), "cache")
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				p.t.Fatal(err)
			}
			p.setting("[cache]\ndir = %q", file)
			p.begin()
		}, "", []string{"disk.cache"}, []string{"cannot be used"}},
		{"the cache cannot be written", func(p *patient) {
			p.begin()
			p.says("pull", "alpine")
			_ = p.daemon.Process.Signal(os.Interrupt)
			_ = p.daemon.Wait()
			lock := filepath.Join(p.home, "cache", "lock") // not the folder's mode, which means nothing to root
			if err := errors.Join(os.Remove(lock), os.Mkdir(lock, 0o700)); err != nil {
				p.t.Fatal(err)
			}
			p.begin()
		}, "", []string{"disk.readonly"}, nil},
		{"a tiny cache", func(p *patient) { p.setting("[cache]\nmax_size = \"200MiB\""); p.begin() }, "", []string{"disk.small"}, []string{"fix: pulley config set cache.max_size 20GiB"}},
		{"no TLS where it is expected", func(p *patient) {
			at := speaksPlain(p.t)
			p.setting("[[registry]]\nname = \"lab.test\"\nhosts = [\"lab.test\"]\n[[address]]\nhost = \"lab.test\"\nuse = [%q]", at)
			p.begin()
		}, "lab.test/app:1", []string{"tls.plain"}, []string{"fix: pulley config set registry.lab.test.insecure true"}},
		{"a registry that nobody knows", func(p *patient) { p.begin() }, "qauy.io/org/app:1", []string{"names.unknown"}, []string{"fix: pulley doctor quay.io/org/app:1"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			c.sick(p)
			var args []string
			if c.image != "" {
				args = append(args, c.image)
			}
			p.blames(t, p.doctor(args...), c.want, c.words...)
		})
	}
}

// speaksPlain is a server of web pages without TLS.
func speaksPlain(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close() })
	return l.Addr().String()
}

// TestDoctorNamesPoison: the address that the system knows is somebody else's. The resolver of fetch.doh knows better, and
// where that is set it is a warning alone, since Pulley gets round it.
func TestDoctorNamesPoison(t *testing.T) {
	p := newPatient(t)
	resolver := waytest.DoH(t, map[string][]string{"localhost": {"127.0.0.2"}})
	_, port, _ := net.SplitHostPort(p.origin.Addr())
	p.settings.Roots = []string{resolver.Root}
	p.setting("[[registry]]\nname = \"lab.test\"\nhosts = [\"localhost:%s\"]", port)
	p.origin.SetFaults(hubtest.Faults{Addr: "127.0.0.1", WrongName: true})
	p.begin()
	r := p.doctor("lab.test/library/alpine")
	p.blames(t, r, []string{"names.poisoned"}, "localhost answers from 127.0.0.1, an address it does not own (DNS poisoned)", "somebody-else.example", "fix: pulley config set fetch.doh https://")
	if r.Problems != 1 || strings.Count(described(r), "not examined: localhost answers from") < 4 {
		t.Errorf("%s", described(r))
	}
	p.says("config", "set", "fetch.doh", resolver.URL)
	r = p.doctor("lab.test/library/alpine")
	p.blames(t, r, []string{"names.poisoned"}, "fetch.doh knows it at 127.0.0.2", "Pulley gets round it (direct 127.0.0.2 (doh))")
	if r.Problems != 0 {
		t.Errorf("%s", described(r))
	}
}

// TestDoctorFollowsDocker: the engine that is looked at is the one that docker talks to.
func TestDoctorFollowsDocker(t *testing.T) {
	p := admitted(t)
	said := func(id string) string {
		t.Helper()
		r := p.doctorOf()
		for _, f := range r.Findings {
			if f.ID == id {
				return f.What + "; " + f.Fix
			}
		}
		t.Errorf("no %s:\n%s", id, described(r))
		return ""
	}
	p.want("the engine", said("engine.context"), `unix://.* DOCKER_HOST says so`)
	p.engine.socket += ".not"
	p.want("an engine that is gone", said("engine.down"), `unset DOCKER_HOST`)
	p.more = []string{"DOCKER_HOST=", "DOCKER_CONTEXT=nowhere"}
	p.want("a context that is none", said("engine.context"), `no such context, but DOCKER_CONTEXT names it; .*unset DOCKER_CONTEXT`)
}

// TestDoctorTrustRejected: a client that hangs up on our certificate is told of.
func TestDoctorTrustRejected(t *testing.T) {
	p := admitted(t)
	p.distrust()
	p.until("word of it", func() bool { return strings.Contains(p.says("status"), "does not trust") })
	p.blames(t, p.doctor(), []string{"trust.rejected"}, "does not trust Pulley's certificate for registry-1.docker.io", "fix: pulley ca trust")
}

// TestDoctorFindsNothing where nothing is wrong.
func TestDoctorFindsNothing(t *testing.T) {
	for _, c := range []struct {
		name  string
		image string
		well  func(p *patient)
	}{
		{"plain", "", func(p *patient) { p.begin() }},
		{"by name", "alpine:latest", func(p *patient) { p.begin() }},
		{"mirrors", "alpine", func(p *patient) { p.withMirrors = true; p.begin() }},
		{"a route that is a mirror", "alpine", func(p *patient) { p.withMirrors = true; p.begin(); p.says("route", "docker.io", "m2") }},
		{"direct", "alpine", func(p *patient) { p.begin(); p.says("route", "docker.io", "direct") }},
		{"offline, by choice", "", func(p *patient) {
			p.begin()
			p.says("pull", "alpine")
			p.says("route", "docker.io", "offline")
			p.origin.Down()
		}},
		{"offline, and it is cached", "alpine", func(p *patient) {
			p.begin()
			p.says("pull", "alpine")
			p.says("route", "docker.io", "offline")
			p.origin.Down()
		}},
		{"private, with a login", "library/secret:1", func(p *patient) {
			p.origin.SetUser("alice", "open sesame")
			p.origin.Push("library/secret", "1", hubtest.RandomImage(71, 1, 1<<20))
			p.origin.SetPrivate("library/secret", "alice")
			p.logins(map[string]string{dockerHub: "alice:open sesame"})
			p.begin()
		}},
		{"a limit with room", "alpine", func(p *patient) { p.origin.SetRateLimit(100); p.begin() }},
		{"access for others", "", func(p *patient) {
			p.settings.More = "[access]\nallow = [\"127.0.0.0/8\"]\n"
			p.settings.Listen = "0.0.0.0:" + strings.TrimPrefix(deadAddress(p.t), "127.0.0.1:")
			p.start()
			_, port, _ := net.SplitHostPort(p.address)
			p.engine.mirrors("http://127.0.0.1:" + port)
		}},
		{"the environment's proxy is us", "alpine", func(p *patient) { p.begin(); p.more = []string{"HTTPS_PROXY=http://" + p.address} }},
		{"a rate that a person has set", "alpine", func(p *patient) { p.settings.Fetch += "\nmax_rate = \"20MiB/s\""; p.begin() }},
		{"a registry that redirects", "alpine", func(p *patient) {
			p.origin.SetFaults(hubtest.Faults{Kind: hubtest.Ping, Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://elsewhere.example/v2/"}}})
			p.begin()
		}},
		{"many platforms", "library/multi:1", func(p *patient) {
			p.origin.Push("library/multi", "1", hubtest.MultiArch(map[string]hubtest.Image{"linux/amd64": hubtest.RandomImage(74, 1, 1<<20), "linux/arm64": hubtest.RandomImage(75, 1, 1<<20)}))
			p.begin()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			p := newPatient(t)
			c.well(p)
			var args []string
			if c.image != "" {
				args = append(args, c.image)
			}
			p.blames(t, p.doctor(args...), nil)
		})
	}
}

// TestDoctorFixes what is safe, and nothing else.
func TestDoctorFixes(t *testing.T) {
	p := newPatient(t)
	p.settings.Registry = "[[registry.mirror]]\nname = \"ustc\"\nenabled = true\n"
	p.begin()
	p.says("off")
	p.engine.set(nil)
	before, err := os.ReadFile(filepath.Join(p.home, "config.toml"))
	if err != nil {
		t.Fatal(err)
	}
	out, _, status := p.command("doctor", "--engine", "default")
	if after, _ := os.ReadFile(filepath.Join(p.home, "config.toml")); string(after) != string(before) || status != 0 {
		t.Errorf("status %d, and without --fix the settings became:\n%s", status, after)
	}
	p.want("doctor", out, `(?m)^warning +pulley is switched off$`, `fix: pulley on +\(or: pulley doctor --fix\)`, `fix: pulley connect docker\n`, `(?m)^  warning  mirrors +mirror ustc`, `3 warnings`)
	out, said, _ := p.command("doctor", "--fix", "--engine", "default")
	p.want("doctor --fix", out, `fix: pulley on: done`, `fix: pulley mirror off ustc docker.io: done`, `fix: pulley connect docker\n`)
	if said != "" {
		t.Errorf("stderr %q", said)
	}
	p.want("status", p.says("status"), `on`)
	p.blames(t, p.doctor(), []string{"engine.unwired"})
}

// TestDoctorKeepsSecrets: a report may be shown to strangers.
func TestDoctorKeepsSecrets(t *testing.T) {
	const planted = "s3cr3t-Pl4nted"
	p := newPatient(t)
	p.origin.SetUser("alice", planted)
	p.logins(map[string]string{dockerHub: "alice:" + planted})
	p.setting("[[egress]]\nname = \"jump\"\nurl = \"http://quentin:%s@%s\"\nfor = [\"docker.io\"]", planted, deadAddress(t))
	p.setting("[[egress]]\nname = \"jump2\"\nurl = \"socks5://mallory:%s@%s\"\nfor = [\"ghcr.io\"]", planted, deadAddress(t))
	p.begin()
	p.more = []string{"HTTPS_PROXY=http://trent:" + planted + "@" + deadAddress(t), "MY_TOKEN=" + planted}
	p.engine.set(map[string]any{"HttpsProxy": "http://peggy:" + planted + "@" + deadAddress(t)})
	for _, args := range [][]string{{"doctor", "--json"}, {"doctor"}, {"doctor", "--fix", "--engine", "default"}} {
		out, said, _ := p.command(args...)
		for _, secret := range []string{planted, "alice", "quentin", "mallory", "trent@", "trent:", "peggy", "Bearer ey", base64.StdEncoding.EncodeToString([]byte("alice:" + planted))} {
			if strings.Contains(out+said, secret) {
				t.Errorf("%s: %q is in it:\n%s%s", args, secret, out, said)
			}
		}
		if !strings.Contains(out, "egress jump does not work") {
			t.Errorf("it says nothing of the way out:\n%s", out)
		}
	}
	p.more = nil
	p.says("egress", "use", "jump", "-")
	p.origin.SetFaults(hubtest.Faults{Kind: hubtest.CDN, Status: 403})
	out, said, _ := p.command("doctor", "--json", "alpine")
	if strings.Contains(out+said, planted) || strings.Contains(out, "signature") || strings.Contains(out, "X-Amz") || !strings.Contains(out, "blob.signed") {
		t.Errorf("%s%s", out, said)
	}
}

// TestDoctorUsage: what a person got wrong is said as that.
func TestDoctorUsage(t *testing.T) {
	p := admitted(t)
	for _, c := range []struct {
		args []string
		said string
	}{
		{[]string{"doctor", "no/such image"}, "is no image's name"},
		{[]string{"doctor", "--engine", "nosuch"}, "nosuch: no such engine here"},
		{[]string{"doctor", "a", "b"}, "want an image, or nothing"},
	} {
		if _, said, status := p.command(c.args...); status != 2 || !strings.Contains(said, c.said) {
			t.Errorf("%v: %d %s", c.args, status, said)
		}
	}
	r := p.doctor()
	if i := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool { return f.ID == "engine" }); i < 0 {
		t.Errorf("%s", described(r))
	}
}
