package first_test

import (
	"context"
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/page/first"
	"pulley/ui/page/pagetest"
)

// newcomer is a daemon as somebody finds it who has just come. at is called in the middle of tests and pulls.
type newcomer struct {
	page.Daemon
	pulls   int
	at      func(where string)
	did     []string
	refuses error
}

func (d *newcomer) CAs(context.Context) ([]control.CA, error) {
	return []control.CA{{Permitted: []string{"docker.io", "ghcr.io", "quay.io", "gcr.io", "registry.k8s.io", "mcr.microsoft.com", "public.ecr.aws", "nvcr.io"}}}, nil
}

func (d *newcomer) Sources(context.Context, string) ([]control.Source, error) {
	return []control.Source{
		{Registry: "docker.io", Name: "origin", Origin: true, Enabled: true, URL: "https://registry-1.docker.io"},
		{Registry: "docker.io", Name: "daocloud", URL: "https://docker.m.daocloud.io"},
		{Registry: "docker.io", Name: "1ms", URL: "https://docker.1ms.run"},
		{Registry: "docker.io", Name: "xuanyuan", URL: "https://docker.xuanyuan.me"},
		{Registry: "docker.io", Name: "google", URL: "https://mirror.gcr.io"},
	}, nil
}

func (d *newcomer) WatchMirrorTest(_ context.Context, _, name string, progress func(control.MirrorTesting)) (control.MirrorReport, error) {
	r := map[string]control.MirrorReport{
		"origin":   {Reachable: true, FirstByte: 610 * time.Millisecond, Rate: 1.1e6, Agrees: "yes"},
		"daocloud": {Reachable: true, FirstByte: 48 * time.Millisecond, Rate: 9.4e6, Agrees: "yes"},
		"1ms":      {Reachable: true, FirstByte: 92 * time.Millisecond, Rate: 3.2e6, Agrees: "yes"},
		"xuanyuan": {Error: "no answer in time"},
		"google":   {Reachable: true, FirstByte: 300 * time.Millisecond, Rate: 6.0e6, Agrees: "no"},
	}[name]
	progress(control.MirrorTesting{FirstByte: r.FirstByte, Bytes: 1 << 20, Size: 4 << 20, Rate: r.Rate})
	if d.at != nil {
		d.at(name)
	}
	return r, nil
}

func (d *newcomer) SwitchMirror(_ context.Context, registry, name string, on bool) error {
	d.did = append(d.did, registry+"/"+name+map[bool]string{true: " on", false: " off"}[on])
	return d.refuses
}

func (d *newcomer) RemoveImage(_ context.Context, image string) (control.Freed, error) {
	d.did = append(d.did, "remove "+image)
	return control.Freed{}, nil
}

func (d *newcomer) Pull(_ context.Context, _ control.Pull, progress func(control.Pulling)) (control.Pulled, error) {
	d.pulls++
	image := control.PulledImage{Size: 3 << 20, Fetched: 3 << 20}
	one := control.Pulling{Digest: "sha256:a", What: "layer", Have: 2 << 20, Size: 3 << 20, Source: "daocloud"}
	if d.pulls > 1 {
		image.Fetched, one.Cached, one.Source = 0, true, ""
	}
	progress(one)
	if d.at != nil {
		d.at("pull")
	}
	one.Have, one.Done = one.Size, true
	progress(one)
	return control.Pulled{Images: []control.PulledImage{image}}, nil
}

func firstTool() *pagetest.CLI {
	tool := pagetest.Engines()
	tool.Answers["ca trust --dry-run"] = `{"deeds":[{"store":"system (update-ca-certificates)","kind":"system","root":true,"what":"install -m 0644 pulley-2f81.crt /usr/local/share/ca-certificates && update-ca-certificates"},{"store":"Firefox (x.default)","kind":"browser","what":"certutil -A -d sql:/home/me/.mozilla/firefox/x.default"}]}`
	tool.Answers["ca trust"] = `{"trusted":true,"stores":[]}`
	tool.Answers["connect docker --mirror --yes"] = `[{"engine":{"id":"docker","name":"Docker Engine","running":true},"way":"mirror","done":true,"proven":true,"proof":"docker pulls alpine:latest through Pulley (cache)"}]`
	return tool
}

// TestFirstLooks draws all of it in every look. PULLEY_SHEETS keeps the pictures.
func TestFirstLooks(t *testing.T) {
	pagetest.Looks(t, func(t *testing.T, look pagetest.Look) {
		name := look.Name
		r := pagetest.New(t, look.Size, look.Theme, firstTool())
		daemon := &newcomer{}
		r.Daemon = daemon
		done := 0
		f := first.New(r.Desk, func() { done++ })
		r.Put(f, model.View{Phase: model.Running})
		r.Work()
		r.Shoot("first-1-" + name)
		r.Press(lang.Say("first.trust.do"))
		r.Shoot("first-2-" + name)
		r.Press(lang.Say("first.next"))
		r.Shoot("first-3-" + name)
		daemon.at = func(where string) {
			if where == "1ms" {
				r.Shoot("first-3-running-" + name)
			}
		}
		r.Press(lang.Say("first.mirrors.measure"))
		r.Shoot("first-3-over-" + name)
		r.Press(lang.Say("first.mirrors.use"))
		daemon.at = func(string) { r.Shoot("first-4-running-" + name) }
		r.Press(lang.Say("first.prove.do"))
		r.Shoot("first-4-" + name)
		r.Press(lang.Say("first.prove.finish"))
		r.Shoot("first-5-" + name)
		r.Press(lang.Say("first.done"))
		if done != 1 {
			t.Error("nobody was told")
		}
	})
}
