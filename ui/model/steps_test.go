package model_test

import (
	"fmt"
	"slices"
	"testing"

	"pulley/ui/model"
)

func TestSteps(t *testing.T) {
	plan := model.Wiring{
		Engine: model.Engine{Running: true}, Trust: true, How: model.Activation{Kind: "restart", Text: "systemctl restart docker"},
		Diff: "--- /a\n+++ /a\n@@ -1 +1 @@\n-x\n+y\n--- /b\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n",
	}
	states := func(s *model.WireSteps) (list []string) {
		for _, p := range s.List {
			list = append(list, fmt.Sprint(p.Kind, " ", p.Thing, " ", p.State))
		}
		return list
	}
	expect := func(s *model.WireSteps, want ...string) {
		t.Helper()
		if got := states(s); !slices.Equal(got, want) {
			t.Errorf("%q, not %q", got, want)
		}
	}
	s := model.PlanSteps(plan, true)
	expect(s, "write /a 0", "remove /b 0", "trust  0", "activate systemctl restart docker 0", "prove  0")
	s.Began(model.WireStep{Kind: model.StepStop, Thing: "Docker"}) // nobody knew
	s.Began(model.WireStep{Kind: model.StepWrite, Thing: "/a"})
	expect(s, "stop Docker 2", "write /a 1", "remove /b 0", "trust  0", "activate systemctl restart docker 0", "prove  0")
	s.Began(model.WireStep{Kind: model.StepActivate, Thing: "systemctl restart docker"})
	s.Began(model.WireStep{Kind: model.StepPutBack})
	expect(s, "stop Docker 2", "write /a 2", "activate systemctl restart docker 3", "put back  1")
	s.Began(model.WireStep{Kind: model.StepRestored})
	s.Ended(false)
	expect(s, "stop Docker 2", "write /a 2", "activate systemctl restart docker 3", "restored  2")
	if !s.Restored() {
		t.Error("it does not say that everything was put back")
	}
	s = model.PlanSteps(plan, true)
	s.Began(model.WireStep{Kind: model.StepProve, Thing: "hello-world"})
	s.Ended(true)
	expect(s, "prove hello-world 2")
}
