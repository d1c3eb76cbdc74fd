package mirrors

import (
	"time"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// speed is how fast a source is: its time to the first byte, its speed, and a bar that compares it with the fastest of
// its registry. While it is tested, the bar is how far the test is.
type speed struct {
	first, rate *part.Text
	bar         *part.Meter
	root        fyne.CanvasObject
}

func newSpeed() *speed {
	s := &speed{first: part.NewMuted(""), rate: part.NewMuted(""), bar: part.NewMeter()}
	s.bar.Height = 4
	s.root = part.VBox(5, part.Between(s.first, s.rate), s.bar)
	return s
}

func (s *speed) show(shown bool, t model.Trial, rate float64, first time.Duration, top float64, fastest bool) {
	part.Show(s.root, shown)
	text, color := lang.Say("mirrors.unmeasured"), theme.Muted
	if rate > 0 {
		text, color = words.Rate(rate), fynetheme.ColorNameForeground
	} else if t.Running {
		text = ""
	}
	s.rate.Tint(color)
	s.rate.Set(text)
	text = ""
	if first > 0 {
		text = words.Span(first)
	}
	s.first.Set(text)
	s.bar.Set(s.share(t, rate, top, fastest))
}

func (s *speed) share(t model.Trial, rate, top float64, fastest bool) part.Share {
	switch {
	case t.Running && t.Far.Size > 0:
		return part.Share{Part: min(float64(t.Far.Bytes)/float64(t.Far.Size), 1), Color: theme.Fetched}
	case t.Running:
		return part.Share{}
	case rate <= 0 || top <= 0:
		return part.Share{}
	case fastest || rate >= top:
		return part.Share{Part: 1, Color: theme.Cached}
	default:
		return part.Share{Part: rate / top, Color: theme.Muted}
	}
}
