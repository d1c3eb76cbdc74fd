package docker_test

import (
	"context"
	"testing"

	"pulley/ui/lang"
	"pulley/ui/page/docker"
	"pulley/ui/page/pagetest"
)

// TestDockerLooks draws all of it in every look. PULLEY_SHEETS keeps the pictures.
func TestDockerLooks(t *testing.T) {
	pagetest.Looks(t, func(t *testing.T, look pagetest.Look) {
		name := look.Name
		r := pagetest.New(t, look.Size, look.Theme, pagetest.Engines())
		d := docker.New(r.Desk)
		r.Put(d, pagetest.Running())
		r.Shoot("docker-loading-" + name)
		r.Work()
		r.Expect("Docker Engine", lang.Say("docker.contexts.title"))
		r.Shoot("docker-" + name)
		d.Take("build-1")
		r.Shoot("docker-context-" + name)
		r.Tool.OnFollow = func(ctx context.Context, line func(string), _ []string) error {
			line(`{"time":"2026-03-04T11:48:00Z","event":"up","context":"build-1","port":5055}`)
			r.Shoot("docker-sharing-" + name)
			return nil
		}
		r.Press(lang.Say("docker.share.start"))
		r.Shoot("docker-share-" + name)
		r.Press(lang.Say("docker.share.start"))
		r.Press(lang.Say("docker.egress.start"))
		r.Shoot("docker-egress-" + name)
		r.Press(lang.Say("docker.cancel"))
		d.Take("podman")
		r.Work()
		r.Shoot("docker-podman-" + name)
		r.Press(lang.Say("docker.cancel"))
		r.Press(lang.Say("docker.connect.again", "Engine", "Docker Engine"))
		r.Shoot("docker-connect-" + name)
		r.Press(lang.Say("docker.cancel"))
		r.Press(lang.Say("docker.backups.title"))
		r.Shoot("docker-backups-" + name)
		r.Press(lang.Say("docker.close"))
		r.Press(lang.Say("docker.contexts.new"))
		r.Entries()[1].SetText("tcp://prod:2376")
		r.Shoot("docker-form-" + name)
	})
}
