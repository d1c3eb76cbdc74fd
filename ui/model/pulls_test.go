package model_test

import (
	"testing"
	"time"

	"pulley/internal/control"
	"pulley/ui/model"
)

func TestPullsAreGroupedByImage(t *testing.T) {
	active := []control.Transfer{
		{Registry: "ghcr.io", Repository: "a/b", Digest: "sha256:33", Since: when.Add(time.Second), Have: 1, Total: 10, Rate: 3},
		{Registry: "docker.io", Repository: "a/b", Digest: "sha256:22", Since: when, Have: 5, Total: -1},
		{Registry: "ghcr.io", Repository: "a/b", Digest: "sha256:11", Since: when.Add(time.Second), Have: 2, Total: 20, Rate: 6},
	}
	for range 2 { // the order does not depend on theirs
		pulls := model.Pulls(active)
		if len(pulls) != 2 || pulls[0].Registry != "docker.io" || pulls[1].Registry != "ghcr.io" {
			t.Fatalf("pulls: %+v", pulls)
		}
		if p := pulls[0]; p.Total != -1 || p.Have != 5 || len(p.Layers) != 1 {
			t.Errorf("a size that is not known: %+v", p)
		}
		p := pulls[1]
		if len(p.Layers) != 2 || p.Layers[0].Digest != "sha256:11" || p.Have != 3 || p.Total != 30 || p.Rate != 9 {
			t.Errorf("%+v", p)
		}
		active[0], active[2] = active[2], active[0]
	}
	if model.Pulls(nil) != nil {
		t.Error("pulls of nothing")
	}
}

func TestHowLongAPullTakes(t *testing.T) {
	for _, c := range []struct {
		pull  model.Pull
		left  time.Duration
		known bool
	}{
		{model.Pull{Have: 10, Total: 110, Rate: 10}, 10 * time.Second, true},
		{model.Pull{Have: 10, Total: -1, Rate: 10}, 0, false},
		{model.Pull{Have: 10, Total: 110}, 0, false},
		{model.Pull{Have: 110, Total: 110, Rate: 10}, 0, false},
		{model.Pull{Have: 0, Total: 1 << 60, Rate: 1}, 0, false},
	} {
		if left, known := c.pull.Left(); left != c.left || known != c.known {
			t.Errorf("%+v: %v, %v", c.pull, left, known)
		}
	}
	if got := model.Done(control.Transfer{Have: 5, Total: 10}); got != 0.5 {
		t.Errorf("half is %v", got)
	}
	if got := model.Done(control.Transfer{Have: 5, Total: -1}); got >= 0 {
		t.Errorf("of an unknown size is %v", got)
	}
}
