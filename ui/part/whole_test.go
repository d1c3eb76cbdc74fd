package part_test

import (
	"testing"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/test"

	"pulley/ui/part"
)

func TestTextThatIsCutSaysAllOfItself(t *testing.T) {
	pass := part.Clock(t)
	const words = "quay.io/prometheus/node-exporter:v1.8.1"
	whole := part.NewWhole(part.NewText(words).Giving())
	b := newBoard(t, container.NewWithoutLayout(whole))
	said := func(width float32) string {
		whole.Resize(fyne.NewSize(width, 20))
		test.MoveMouse(b.window.Canvas(), fyne.NewPos(5, 5))
		pass(time.Second)
		got := b.Explained()
		test.MoveMouse(b.window.Canvas(), fyne.NewPos(5, 300))
		return got
	}
	if got := said(100); got != words {
		t.Errorf("cut, it says %q", got)
	}
	if got := said(600); got != "" {
		t.Errorf("with room for all of it, it says %q", got)
	}
	if got := whole.AccessibilityLabel(); got != words {
		t.Errorf("read out it is %q", got)
	}
}
