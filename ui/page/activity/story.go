package activity

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"fyne.io/fyne/v2"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// open tells the story of one request at the side.
func (p *Page) open(id string) {
	r := p.log.Get(id)
	if r == nil || p.detail == id && p.side.Shown() {
		return
	}
	p.detail = id
	p.side.Open(r.Title(), r.Full(), p.story(r)...)
}

func (p *Page) story(r *model.Request) []fyne.CanvasObject {
	objects := []fyne.CanvasObject{part.NewParagraph(gist(r), widget.MediumImportance)}
	for _, trouble := range []struct {
		text       string
		importance widget.Importance
	}{{r.Err, widget.DangerImportance}, {r.Note, widget.MediumImportance}} {
		if trouble.text != "" {
			objects = append(objects, part.NewParagraph(trouble.text, trouble.importance))
		}
	}
	objects = append(objects, p.origin(r)...)
	if len(r.Failed) > 0 {
		objects = append(objects, part.NewSection(lang.Say("activity.story.failed"), detours(r)))
	}
	objects = append(objects, part.NewSection(lang.Say("activity.story.timing"), p.timing(r)...),
		part.NewSection(lang.Say("activity.story.request"), part.NewFacts(p.desk.Copy,
			part.Fact{Label: lang.Say("activity.story.asked"), Value: page.Joined(cmp.Or(r.Client, lang.Say("activity.story.nobody")), firstWord(r.Agent)), Tip: joinedLines(r.Client, r.Agent)},
			part.Fact{Label: lang.Say("activity.story.door"), Value: doorName(r.Door)},
			part.Fact{Label: lang.Say("activity.story.what"), Value: strings.TrimSpace(r.Method + " " + what(r))},
			part.Fact{Label: lang.Say("activity.story.answer"), Value: answer(r)},
			part.Fact{Label: lang.Say("activity.story.name"), Value: r.Full(), Copied: r.Full()},
			part.Fact{Label: lang.Say("activity.story.digest"), Value: r.Digest, Mono: true, Copied: r.Digest},
			part.Fact{Label: lang.Say("activity.story.way"), Value: r.Way},
			part.Fact{Label: lang.Say("activity.story.left"), Value: left(r)},
		)))
	json := part.NewButton(lang.Say("activity.menu.copy_json"), func() { p.desk.Copy(p.json([]string{r.ID()})) })
	return append(objects, part.HBox(0, json))
}

func firstWord(text string) string {
	word, _, _ := strings.Cut(text, " ")
	return word
}

func answer(r *model.Request) string {
	if r.Status == 0 {
		return ""
	}
	return strings.TrimSpace(strconv.Itoa(r.Status) + " " + http.StatusText(r.Status))
}

func left(r *model.Request) string {
	if r.PullsLeft == nil {
		return ""
	}
	return words.Number(int64(*r.PullsLeft))
}

// gist is the story in a sentence or two.
func gist(r *model.Request) string {
	data := []any{
		"Size", words.Bytes(r.Amount()), "Took", words.Span(r.Duration), "Sources", page.Sources(r.Source),
		"Cached", words.Bytes(r.FromCache), "Fetched", words.Bytes(r.FromNet),
	}
	key := "activity.gist.nothing"
	switch {
	case r.Err != "":
		key = "activity.gist.failed"
	case r.Status == http.StatusUnauthorized:
		key = "activity.gist.who"
	case r.Status == http.StatusNotFound:
		key = "activity.gist.not_found"
	case r.Status >= 400:
		key = "activity.gist.refused"
	case r.Amount() == 0:
	case r.Source == "joined":
		key = "activity.gist.joined"
	case r.FromNet == 0:
		key = "activity.gist.cache"
	case r.FromCache == 0:
		key = "activity.gist.network"
	default:
		key = "activity.gist.both"
	}
	sentences := []string{lang.Say(key, data...)}
	if rate := r.Rate(); rate > 0 && r.Err == "" {
		sentences = append(sentences, lang.Say("activity.gist.rate", "Rate", words.Rate(rate)))
	}
	if n := len(r.Failed); n > 0 && r.Err == "" {
		sentences = append(sentences, lang.Say("activity.gist.detours", "Count", n))
	}
	return strings.ReplaceAll(strings.Join(sentences, " "), "。 ", "。") // a Chinese full stop has its own room after it
}

// origin draws where the bytes of a blob came from, in the blob's order.
func (p *Page) origin(r *model.Request) []fyne.CanvasObject {
	shares, size := bySource(r.Parts)
	if size == 0 {
		return nil
	}
	colors := map[string]fyne.ThemeColorName{}
	for _, s := range shares {
		colors[s.Name] = s.Color
	}
	bar := part.NewStrip(22)
	for _, part := range r.Parts {
		bar.Add(part.From, part.To, colors[part.Source], lang.Say("activity.story.part", "Source", page.Source(part.Source), "From", words.Bytes(part.From), "To", words.Bytes(part.To)))
	}
	usual := lang.Say("activity.story.parts", "Count", len(r.Parts), "Size", words.Bytes(size))
	caption := part.NewMuted(usual).Giving()
	bar.Label = usual
	bar.Pointed = func(said string) { caption.Set(cmp.Or(said, usual)) }
	bar.Set(size)
	return []fyne.CanvasObject{part.NewSection(lang.Say("activity.story.bytes"), bar, caption, page.ShareList(shares, func(s page.Share) string {
		return page.Joined(words.Bytes(s.Bytes), words.Percent(float64(s.Bytes)/float64(size)))
	}))}
}

// bySource adds up who brought how much, most first, and says where the last part ends.
func bySource(parts []control.Part) (shares []page.Share, size int64) {
	brought := map[string]int64{}
	var names []string
	for _, p := range parts {
		if _, seen := brought[p.Source]; !seen {
			names = append(names, p.Source)
		}
		brought[p.Source] += p.To - p.From
		size = max(size, p.To)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Or(cmp.Compare(brought[b], brought[a]), cmp.Compare(a, b)) })
	colors := page.Hues(names)
	for _, name := range names {
		shares = append(shares, page.Share{Name: name, Bytes: brought[name], Color: colors[name]})
	}
	return shares, size
}

// detours are what was tried in vain, and why.
func detours(r *model.Request) fyne.CanvasObject {
	list := part.VBox(8)
	for _, f := range r.Failed {
		after := part.NewMuted(lang.Say("activity.story.after", "After", words.Span(f.After)))
		list.Add(part.VBox(1, part.Between(part.NewText(page.Source(f.Source)).Giving(), after), part.NewParagraph(f.Err, widget.MediumImportance)))
	}
	return list
}

// timing draws how long it took to the first byte, and from there on.
func (p *Page) timing(r *model.Request) []fyne.CanvasObject {
	var objects []fyne.CanvasObject
	if r.FirstByte > 0 && r.FirstByte < r.Duration {
		bar := part.NewStrip(8)
		bar.Add(0, int64(r.FirstByte), theme.Muted, "")
		bar.Add(int64(r.FirstByte), int64(r.Duration), theme.Cached, "")
		bar.Label = words.Span(r.Duration)
		bar.Set(int64(r.Duration))
		objects = append(objects, bar)
	}
	rate := ""
	if r.Rate() > 0 {
		rate = words.Rate(r.Rate())
	}
	return append(objects, part.NewFacts(p.desk.Copy,
		part.Fact{Label: lang.Say("activity.story.at"), Value: words.Exact(r.Time, p.now)},
		part.Fact{Label: lang.Say("activity.story.first_byte"), Value: span(r.FirstByte)},
		part.Fact{Label: lang.Say("activity.story.took"), Value: span(r.Duration)},
		part.Fact{Label: lang.Say("activity.story.rate"), Value: rate},
	))
}

func span(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return words.Span(d)
}
