package wiring

import (
	"context"
	"errors"
	"slices"
	"testing"
)

// Each step is told as it begins, and so is that everything is put back.
func TestStepsAreTold(t *testing.T) {
	d := newDesk(t)
	d.kind.trust = true
	var told []Step
	d.Told = func(s Step) { told = append(told, s) }
	expect := func(want ...Step) {
		t.Helper()
		if !slices.Equal(told, want) {
			t.Errorf("%v, not %v", told, want)
		}
		told = nil
	}
	trust := d.Trust
	d.Trust = func(_ context.Context, install bool) error {
		if install {
			return errors.New("no")
		}
		return nil
	}
	files := []Step{{StepWrite, "/etc/paper/daemon.json"}, {StepWrite, "/etc/paper.d/sub/x.conf"}}
	if err := d.connect(); err == nil {
		t.Fatal("it was trusted")
	}
	expect(files[0], files[1], Step{Kind: StepTrust}, Step{Kind: StepPutBack}, Step{Kind: StepRestored})
	d.Trust = trust
	d.must(d.connect())
	expect(files[0], files[1], Step{Kind: StepTrust}, Step{StepActivate, "restart-paper"})
	_, err := d.disconnect()
	d.must(err)
	expect(Step{StepRemove, "/etc/paper/daemon.json"}, Step{StepRemove, "/etc/paper.d/sub/x.conf"}, Step{Kind: StepUntrust}, Step{StepActivate, "restart-paper"})
}
