package doctor_test

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"pulley/internal/control"
	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/wiring"
	"pulley/internal/doctor"
	"pulley/internal/hubtest"
	"pulley/internal/trust"
)

// found is the first finding with an ID.
func found(t *testing.T, r *doctor.Report, id string) doctor.Finding {
	t.Helper()
	i := slices.IndexFunc(r.Findings, func(f doctor.Finding) bool { return f.ID == id })
	if i < 0 {
		t.Fatalf("no %s: %+v", id, r.Findings)
	}
	return r.Findings[i]
}

// ownAddress is one of this machine's that others reach it by, or loopback where it has none.
func ownAddress(t *testing.T) string {
	t.Helper()
	list, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range list {
		if n, ok := a.(*net.IPNet); ok && n.IP.To4() != nil && !n.IP.IsLoopback() {
			return n.IP.String()
		}
	}
	return "127.0.0.1"
}

// TestAnEngineAtOurOwnAddress is pointed at Pulley: an office's, whose engines all have the one address.
func TestAnEngineAtOurOwnAddress(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	var mirror string
	runs(func(s *control.State, _ *daemon) {
		_, port, _ := net.SplitHostPort(s.Listen)
		s.Listen = "0.0.0.0:" + port
		mirror = "http://" + net.JoinHostPort(ownAddress(t), port)
	})(t, o)
	docker(dockercontext.Entry{Name: "mine", Kind: dockercontext.Local, Host: "unix:///run/docker.sock"},
		dockercontext.Report{Reachable: true, System: "linux/x86_64", Mirrors: []string{mirror}})(t, o)
	if r := examine(t, o); len(troubles(r)) > 0 {
		t.Errorf("%+v", r.Findings)
	}
}

// TestAnEngineWithAStoreOfItsOwn does not care what this system trusts.
func TestAnEngineWithAStoreOfItsOwn(t *testing.T) {
	t.Parallel()
	for id, want := range map[string][]string{"colima:default": nil, "kind:dev": nil, "docker-desktop": {"trust.missing"}} {
		_, o := examined(t)
		authority(t, o)
		runs(func(s *control.State, _ *daemon) {
			o.Engines = func(context.Context) []wiring.Engine {
				return []wiring.Engine{{ID: id, Name: id, Running: true, Wired: wiring.Wired{Way: wiring.Proxy, To: []string{"http://" + s.Listen}}}}
			}
		})(t, o)
		o.Trust = func(string) (trust.Status, error) { return trust.Status{}, nil }
		if got := troubles(examine(t, o)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", id, got)
		}
	}
}

// TestExceptedWithItsPort: NO_PROXY may name the port, and another port is another matter.
func TestExceptedWithItsPort(t *testing.T) {
	t.Parallel()
	hub, o := examined(t)
	_, port, _ := net.SplitHostPort(hub.Addr())
	for noProxy, want := range map[string][]string{".test:" + port: {"engine.noproxy"}, ".test:1": nil} {
		runs(func(s *control.State, _ *daemon) {
			docker(dockercontext.Entry{Name: "mine", Kind: dockercontext.Local, Host: "unix:///run/docker.sock"},
				dockercontext.Report{Reachable: true, System: "linux/x86_64", Proxy: "http://" + s.Listen, NoProxy: noProxy})(t, o)
		})(t, o)
		if got := troubles(examine(t, o)); !slices.Equal(got, want) {
			t.Errorf("%s: %v", noProxy, got)
		}
	}
}

// TestThePlatformIsTheEngines, also when that is slow to answer.
func TestThePlatformIsTheEngines(t *testing.T) {
	t.Parallel()
	hub, o := examined(t)
	hub.Site("lab.test").Push("app", "1", hubtest.MultiArch(map[string]hubtest.Image{
		"linux/amd64": hubtest.RandomImage(2, 1, 1<<20), "linux/arm64": hubtest.RandomImage(3, 1, 1<<20),
	}))
	runs(func(s *control.State, _ *daemon) {
		o.Contexts = slow{contexts{
			entry:  dockercontext.Entry{Name: "mine", Kind: dockercontext.Local, Host: "unix:///run/docker.sock"},
			report: dockercontext.Report{Reachable: true, System: "linux/s390x", Mirrors: []string{"http://" + s.Listen}},
		}}
	})(t, o)
	r := examine(t, o)
	if got := troubles(r); !slices.Equal(got, []string{"manifest.platform"}) || !strings.Contains(found(t, r, got[0]).What, "linux/s390x") {
		t.Errorf("%+v", r.Findings)
	}
}

// slow is docker's contexts whose engine takes a second.
type slow struct{ contexts }

func (s slow) Test(ctx context.Context, name string) dockercontext.Report {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return s.contexts.Test(ctx, name)
}

// TestALockedKeyRing keeps docker's login back: that is said, and no token service is blamed for the time it took.
func TestALockedKeyRing(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	o.Login = func(ctx context.Context, _ string) (string, bool) { <-ctx.Done(); return "", false }
	r := examine(t, o)
	if got := troubles(r); !slices.Equal(got, []string{"login.helper"}) || !strings.Contains(found(t, r, "login.helper").Why, "unlocked") {
		t.Errorf("%+v", r.Findings)
	}
	found(t, r, "manifest")
}

// TestASilentProxy takes all the time that there is for it, and the way without it is looked at all the same.
func TestASilentProxy(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	l, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in its queue
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	o.Environ = []string{"HTTPS_PROXY=http://" + l.Addr().String()}
	r := examine(t, o)
	if got := troubles(r); !slices.Equal(got, []string{"proxy.dead"}) || !strings.Contains(found(t, r, "proxy.dead").Why, "Without it the registry answers.") {
		t.Errorf("%+v", r.Findings)
	}
}

// TestBehindSudo root's own Pulley is looked at, and none runs: it is the person's.
func TestBehindSudo(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	listen := healthy(t)
	edit(t, o, func(text string) string { return "listen = \"" + listen + "\"\n" + text })
	o.Daemon, o.Root, o.Environ = notRunning, true, []string{"SUDO_USER=ann"}
	if f := found(t, examine(t, o), "daemon.other"); f.Fix != "pulley doctor" || !strings.Contains(f.Why, "ann's") {
		t.Errorf("%+v", f)
	}
}

// TestNoTimeLeft blames nobody for what there was no time to look at.
func TestNoTimeLeft(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	o.Resolver = names{"lab.test": nil} // silent: it would be blamed
	ctx, cancel := context.WithTimeout(t.Context(), doctor.StepLimit-time.Second)
	defer cancel()
	r, err := doctor.Examine(ctx, *o)
	if err != nil || len(troubles(r)) > 0 || !strings.Contains(found(t, r, "way.unexamined").What, "no time left") {
		t.Errorf("%v: %+v", err, r.Findings)
	}
}

// TestADaemonThatMayNotBeAsked runs, and the engine that is pointed at it is well.
func TestADaemonThatMayNotBeAsked(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	edit(t, o, func(text string) string { return "listen = \"127.0.0.1:9\"\n" + text })
	o.Daemon = func(context.Context) (doctor.Daemon, error) {
		return nil, fmt.Errorf("not allowed to ask the daemon: %w", fs.ErrPermission)
	}
	docker(dockercontext.Entry{Name: "mine", Kind: dockercontext.Local, Host: "unix:///run/docker.sock"},
		dockercontext.Report{Reachable: true, System: "linux/x86_64", Mirrors: []string{"http://127.0.0.1:9"}})(t, o)
	r := examine(t, o)
	if got := troubles(r); !slices.Equal(got, []string{"daemon.denied"}) || r.Problems > 0 || strings.Contains(fmt.Sprint(r.Findings), "does not run") {
		t.Errorf("%+v", r.Findings)
	}
}

// TestOneMirrorOfAName: the fix is for the registry that was looked at, not for all that have a mirror of that name.
func TestOneMirrorOfAName(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	addMirror(t, o, "shared")
	r := examine(t, o)
	if f := found(t, r, "mirror.dead"); f.Fix != "pulley mirror off shared lab.test" || !f.Safe {
		t.Errorf("%+v", f)
	}
}

// TestOnlyOursIsSafe: a service that root starts is not for --fix to start.
func TestOnlyOursIsSafe(t *testing.T) {
	t.Parallel()
	_, o := examined(t)
	edit(t, o, func(text string) string { return "listen = \"127.0.0.1:9\"\n" + text })
	o.Daemon = notRunning
	o.Start = func(context.Context) string { return "sudo pulley service start --system" }
	if f := found(t, examine(t, o), "daemon.down"); f.Safe || f.Fix != "sudo pulley service start --system" {
		t.Errorf("%+v", f)
	}
}

// TestSecretsThatNobodyEscaped stay out of the report as well: a variable's value may be no URL.
func TestSecretsThatNobodyEscaped(t *testing.T) {
	t.Parallel()
	for _, value := range []string{
		"http://user:p#s3cr3t-planted@127.0.0.1:9", "http://user:p/s3cr3t-planted@127.0.0.1:9", "http://us/er:s3cr3t-planted@127.0.0.1:9",
		"user:s3cr3t-planted@127.0.0.1:9", "http://user:p@s3cr3t-planted@127.0.0.1:9", "http://user:p%23s3cr3t-planted@127.0.0.1:9",
	} {
		_, o := examined(t)
		o.Environ = []string{"HTTPS_PROXY=" + value, "PROXY_TOKEN=lab"}
		secret := strings.TrimSuffix(value[strings.LastIndex(value, ":s")+1:], "@127.0.0.1:9")
		if i := strings.Index(value, ":p"); i > 0 {
			secret = strings.TrimSuffix(value[i+1:], "@127.0.0.1:9")
		}
		o.Daemon = func(context.Context) (doctor.Daemon, error) { // an error may say what it was about
			return nil, fmt.Errorf("with %s, or as %s: no", value, secret)
		}
		r := examine(t, o)
		text := fmt.Sprintf("%+v", *r)
		if strings.Contains(text, "s3cr3t-planted") || !strings.Contains(text, "lab.test") {
			t.Errorf("%s: %s", value, text)
		}
		if (strings.Contains(value, "#") || strings.Contains(value, "p/")) != slices.Contains(troubles(r), "proxy.url") {
			t.Errorf("%s: blamed %v", value, troubles(r))
		}
	}
}

// TestTrust: an engine that has us for a proxy has to believe us, by the system's store or by its own folder.
func TestTrust(t *testing.T) {
	for _, c := range []struct {
		current bool
		way     string
		want    []string
	}{
		{false, "proxy", []string{"trust.missing"}},
		{true, "proxy", nil},
		{false, "mirror", nil},
	} {
		_, o := examined(t)
		authority(t, o)
		var us string
		runs(func(s *control.State, _ *daemon) { us = "http://" + s.Listen })(t, o)
		report := dockercontext.Report{Reachable: true, System: "linux/x86_64", Mirrors: []string{us}}
		if c.way == "proxy" {
			report.Mirrors, report.Proxy = nil, us
		}
		o.Contexts = contexts{entry: dockercontext.Entry{Name: "mine", Kind: dockercontext.Local, Host: "unix:///run/docker.sock"}, report: report}
		o.Trust = func(string) (trust.Status, error) { return trust.Status{Current: c.current}, nil }
		if got := troubles(examine(t, o)); !slices.Equal(got, c.want) {
			t.Errorf("%+v: %v", c, got)
		}
	}
}
