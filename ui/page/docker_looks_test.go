package page_test

import (
	"context"
	"testing"

	"fyne.io/fyne/v2"

	"pulley/ui/lang"
	"pulley/ui/page"
	"pulley/ui/theme"
)

// TestDockerLooks draws all of it in every look. PULLEY_SHEETS keeps the pictures.
func TestDockerLooks(t *testing.T) {
	each(t, func(t *testing.T, name string, size fyne.Size, look theme.Choice) {
		r := newDockerRig(t, size, look, dockerTool())
		d := page.NewDocker(r.desk)
		r.put(d, runningView())
		r.shoot("docker-loading-" + name)
		r.work()
		r.expect("Docker Engine", lang.Say("docker.contexts.title"))
		r.shoot("docker-" + name)
		d.Take("build-1")
		r.shoot("docker-context-" + name)
		r.tool.follow = func(ctx context.Context, line func(string), _ []string) error {
			line(`{"time":"2026-03-04T11:48:00Z","event":"up","context":"build-1","port":5055}`)
			r.shoot("docker-sharing-" + name)
			return nil
		}
		r.press(lang.Say("docker.share.start"))
		r.shoot("docker-share-" + name)
		r.press(lang.Say("docker.share.start"))
		r.press(lang.Say("docker.egress.start"))
		r.shoot("docker-egress-" + name)
		r.press(lang.Say("docker.cancel"))
		d.Take("podman")
		r.work()
		r.shoot("docker-podman-" + name)
		r.press(lang.Say("docker.cancel"))
		r.press(lang.Say("docker.connect.again"))
		r.shoot("docker-connect-" + name)
		r.press(lang.Say("docker.cancel"))
		r.press(lang.Say("docker.backups.title"))
		r.shoot("docker-backups-" + name)
		r.press(lang.Say("docker.close"))
		r.press(lang.Say("docker.contexts.new"))
		r.entries()[1].SetText("tcp://prod:2376")
		r.shoot("docker-form-" + name)
	})
}
