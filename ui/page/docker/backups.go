package docker

import (
	"context"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/container"
	"fyne.io/fyne/v2/layout"

	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// showBackups lists the files as they were before they were changed.
func showBackups(d page.Desk) {
	if d.Tool == nil {
		return
	}
	m := part.NewModal(lang.Say("docker.backups.title"), lang.Say("docker.backups.about"), fyne.NewSize(620, 440))
	m.Set([]fyne.CanvasObject{part.NewSkeleton(5)}, m.Cancel("docker.close"))
	m.Open(d.Window())
	d.Work(func(ctx context.Context) func() {
		var list []model.Backup
		err := d.Tool.Run(ctx, &list, "connect", "--backups")
		return func() {
			if m.Gone() {
				return
			}
			var body []fyne.CanvasObject
			switch {
			case err != nil:
				body = append(body, part.NewQuote(words.Reason(err)))
			case len(list) == 0:
				body = append(body, part.NewMuted(lang.Say("docker.backups.none")))
			default:
				rows := part.VBox(0)
				for i, b := range list {
					if i > 0 {
						rows.Add(part.NewRule())
					}
					rows.Add(backupRow(d, b))
				}
				body = append(body, rows)
			}
			m.Set(body, m.Cancel("docker.close"))
		}
	})
}

func backupRow(d page.Desk, b model.Backup) fyne.CanvasObject {
	path := part.NewText(b.Path).Giving()
	path.Style.Monospace, path.Scale = true, theme.SizeSmall
	kept := part.NewMuted(lang.Say("docker.backups.absent")).Giving()
	aside := part.HBox(8)
	if b.InUse {
		aside.Add(part.Middle(part.NewBadge(lang.Say("docker.backups.needed"), theme.Cached)))
	}
	now := d.Now()
	when := part.NewTip(part.NewMuted(words.Ago(&b.Time, now)), func() string { return words.Exact(b.Time, now) })
	aside.Add(part.Middle(when))
	if !b.Absent {
		kept.Set(b.File)
		aside.Add(part.Middle(part.NewCopy("", func() string { return b.File }, d.Copy)))
	}
	left := part.VBox(2, part.NewTip(path, path.Words), part.NewTip(kept, kept.Words))
	return container.New(layout.NewCustomPaddedLayout(9, 9, 0, 0), part.Between(left, container.New(layout.NewCustomPaddedLayout(0, 0, 12, 0), aside)))
}
