package page

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
	"pulley/ui/part"
	"pulley/ui/theme"
	"pulley/ui/words"
)

// open tells the story of one request at the side.
func (p *Activity) open(id string) {
	r := p.log.Get(id)
	if r == nil || p.detail == id && p.side.shown() {
		return
	}
	p.detail = id
	p.side.open(r.Title(), r.Full(), p.story(r)...)
}

func (p *Activity) story(r *model.Request) []fyne.CanvasObject {
	objects := []fyne.CanvasObject{paragraph(gist(r), widget.MediumImportance)}
	for _, trouble := range []struct {
		text       string
		importance widget.Importance
	}{{r.Err, widget.DangerImportance}, {r.Note, widget.MediumImportance}} {
		if trouble.text != "" {
			objects = append(objects, paragraph(trouble.text, trouble.importance))
		}
	}
	objects = append(objects, p.origin(r)...)
	if len(r.Failed) > 0 {
		objects = append(objects, section(lang.Say("activity.story.failed"), detours(r)))
	}
	objects = append(objects, section(lang.Say("activity.story.timing"), p.timing(r)...),
		section(lang.Say("activity.story.request"), facts(p.desk,
			fact{label: lang.Say("activity.story.asked"), value: joined(cmpOr(r.Client, lang.Say("activity.story.nobody")), firstWord(r.Agent)), tip: joinedLines(r.Client, r.Agent)},
			fact{label: lang.Say("activity.story.door"), value: doorName(r.Door)},
			fact{label: lang.Say("activity.story.what"), value: strings.TrimSpace(r.Method + " " + what(r))},
			fact{label: lang.Say("activity.story.answer"), value: answer(r)},
			fact{label: lang.Say("activity.story.name"), value: r.Full(), copied: r.Full()},
			fact{label: lang.Say("activity.story.digest"), value: r.Digest, mono: true, copied: r.Digest},
			fact{label: lang.Say("activity.story.way"), value: r.Way},
			fact{label: lang.Say("activity.story.left"), value: left(r)},
		)))
	json := part.NewButton(lang.Say("activity.menu.copy_json"), func() { p.desk.Copy(p.json([]string{r.ID()})) })
	return append(objects, row(0, json))
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
		"Size", words.Bytes(r.Amount()), "Took", words.Span(r.Duration), "Sources", sources(r.Source),
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
func (p *Activity) origin(r *model.Request) []fyne.CanvasObject {
	shares, size := bySource(r.Parts)
	if size == 0 {
		return nil
	}
	colors := map[string]fyne.ThemeColorName{}
	for _, s := range shares {
		colors[s.name] = s.color
	}
	bar := newStrip(22)
	for _, part := range r.Parts {
		bar.add(part.From, part.To, colors[part.Source], lang.Say("activity.story.part", "Source", source(part.Source), "From", words.Bytes(part.From), "To", words.Bytes(part.To)))
	}
	usual := lang.Say("activity.story.parts", "Count", len(r.Parts), "Size", words.Bytes(size))
	caption := part.NewMuted(usual).Giving()
	bar.label = usual
	bar.pointed = func(said string) { caption.Set(cmpOr(said, usual)) }
	bar.set(size)
	return []fyne.CanvasObject{section(lang.Say("activity.story.bytes"), bar, caption, shareList(shares, func(s share) string {
		return joined(words.Bytes(s.bytes), words.Percent(float64(s.bytes)/float64(size)))
	}))}
}

// bySource adds up who brought how much, most first, and says where the last part ends.
func bySource(parts []control.Part) (shares []share, size int64) {
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
	colors := hues(names)
	for _, name := range names {
		shares = append(shares, share{name: name, bytes: brought[name], color: colors[name]})
	}
	return shares, size
}

// detours are what was tried in vain, and why.
func detours(r *model.Request) fyne.CanvasObject {
	list := column(8)
	for _, f := range r.Failed {
		after := part.NewMuted(lang.Say("activity.story.after", "After", words.Span(f.After)))
		list.Add(column(1, between(part.NewText(source(f.Source)).Giving(), after), paragraph(f.Err, widget.MediumImportance)))
	}
	return list
}

// timing draws how long it took to the first byte, and from there on.
func (p *Activity) timing(r *model.Request) []fyne.CanvasObject {
	var objects []fyne.CanvasObject
	if r.FirstByte > 0 && r.FirstByte < r.Duration {
		bar := newStrip(8)
		bar.add(0, int64(r.FirstByte), theme.Muted, "")
		bar.add(int64(r.FirstByte), int64(r.Duration), theme.Cached, "")
		bar.label = words.Span(r.Duration)
		bar.set(int64(r.Duration))
		objects = append(objects, bar)
	}
	rate := ""
	if r.Rate() > 0 {
		rate = words.Rate(r.Rate())
	}
	return append(objects, facts(p.desk,
		fact{label: lang.Say("activity.story.at"), value: words.Exact(r.Time, p.now)},
		fact{label: lang.Say("activity.story.first_byte"), value: span(r.FirstByte)},
		fact{label: lang.Say("activity.story.took"), value: span(r.Duration)},
		fact{label: lang.Say("activity.story.rate"), value: rate},
	))
}

func span(d time.Duration) string {
	if d <= 0 {
		return ""
	}
	return words.Span(d)
}
