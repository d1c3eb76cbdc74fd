package mirrors_test

import (
	"testing"

	"pulley/ui/page/pagetest"
)

// TestMirrorsLooks draws the page and its form in every look. PULLEY_SHEETS keeps the pictures.
func TestMirrorsLooks(t *testing.T) {
	pagetest.Looks(t, func(t *testing.T, look pagetest.Look) {
		r := newRigIn(t, look.Language, look.Theme, look.Size)
		r.Shoot("mirrors-" + look.Name)
		r.page.Take("docker.io/near")
		r.Laid() // texts break by the width that they have by then
		r.Laid()
		r.Shoot("mirrors-detail-" + look.Name)
		add := "Add a mirror"
		if look.Language == "zh-CN" {
			add = "添加镜像站"
		}
		r.Tap(add)
		r.Shoot("mirrors-form-" + look.Name)
	})
}
