package page

import (
	"fmt"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/model"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// bytes is where they came from, and how full the cache is.
type bytes struct {
	split          *part.Meter
	fromCache, net *part.Text
	share          *part.Text
	fill           *part.Meter
	size           *part.Text
	root           fyne.CanvasObject
}

func newBytes() *bytes {
	b := &bytes{
		split: part.NewMeter(), fromCache: part.NewText(""), net: part.NewText(""), share: part.NewMuted(""),
		fill: part.NewMeter(), size: part.NewText(""),
	}
	b.fill.Height = 4
	b.root = titled(part.NewText("Where bytes came from"), b.share, column(9,
		b.split,
		row(16, legend(theme.Cached, b.fromCache), legend(theme.Fetched, b.net), layout.NewSpacer()),
		part.NewRule(),
		between(part.NewText("Cache"), b.size),
		b.fill,
	))
	return b
}

func (b *bytes) show(v model.View) {
	span, sum := "today", v.State.Traffic.Today
	if sum.FromCache+sum.FromNet == 0 {
		span, sum = "in all", v.State.Traffic.Ever
	}
	cached, fetched := sum.FromCache, sum.FromNet
	whole := float64(cached + fetched)
	if whole > 0 {
		b.split.Set(part.Share{Part: float64(cached) / whole, Color: theme.Cached},
			part.Share{Part: float64(fetched) / whole, Color: theme.Fetched})
		b.share.Set(fmt.Sprintf("%s, %.0f %% from cache", span, 100*float64(cached)/whole))
	} else {
		b.split.Set()
		b.share.Set("nothing pulled yet")
	}
	b.fromCache.Set(words.Bytes(cached) + " from cache")
	b.net.Set(words.Bytes(fetched) + " from registries")

	held, most := v.State.Cache.Size, v.State.Cache.MaxSize
	if most > 0 {
		b.size.Set(words.Bytes(held) + " of " + words.Bytes(most))
		b.fill.Set(part.Share{Part: float64(held) / float64(most), Color: theme.Muted})
	} else {
		b.size.Set(words.Bytes(held))
		b.fill.Set()
	}
}

// legend is a dot in the colour of a share, and what it stands for.
func legend(name fyne.ThemeColorName, text *part.Text) fyne.CanvasObject {
	return row(6, middle(part.NewDot(name)), text)
}
