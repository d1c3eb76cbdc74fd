package main

import (
	"fmt"
	"html"
	"strings"
)

// panels are the rows of the picture, by the group and the beginning of the title.
var panels = []struct{ group, title, caption string }{
	{"warm blob", "mirror door, 8 clients", "A blob from the cache, 8 clients"},
	{"warm blob", "interception door, 8 clients", "The same, TLS intercepted"},
	{"warm blob: server CPU", "mirror door, 8 clients", "Processor time for it"},
	{"warm manifest", "mirror door, by tag", "Manifests from the cache"},
	{"a new connection per request", "interception door", "New TLS connections"},
	{"cold blob", "mirror door", "A blob that nobody has yet"},
	{"a crowd on a cold blob: the last has it", "mirror door", "32 clients want it at once"},
	{"an image of small layers: cold", "mirror door", "A new image of 1,000 layers"},
	{"slow sources", "", "1 MiB/s for each connection"},
	{"memory: with transfers open", "mirror door", "Memory with 64 transfers open"},
}

const (
	pictureWidth = 880
	barHeight    = 15
	barStep      = 20
	panelHead    = 40
)

// picture is an SVG for light and dark: a panel for each of some rows, a bar for each product.
func (all *results) picture() string {
	var body strings.Builder
	heights := [2]int{64, 64} // how far down each column is full
	drawn := 0
	for _, p := range panels {
		r := all.find(p.group, p.title)
		if r == nil {
			continue
		}
		column := drawn % 2
		top := max(heights[0], heights[1])
		if column == 1 {
			top = heights[1]
		}
		if column == 0 {
			heights = [2]int{top, top}
		}
		height := r.panel(&body, p.caption, 24+column*424, top)
		heights[column] = top + height
		drawn++
	}
	height := max(heights[0], heights[1]) + 44
	body.WriteString(legend(height - 24))
	return fmt.Sprintf(pictureHead, pictureWidth, height, pictureWidth, height, pictureWidth, height) + body.String() + "</svg>\n"
}

func (all *results) find(group, title string) *row {
	for _, r := range all.Rows {
		if r.Group == group && strings.HasPrefix(r.Title, title) {
			return r
		}
	}
	return nil
}

// panel draws a row at a place and returns how high it is.
func (r *row) panel(to *strings.Builder, caption string, left, top int) int {
	better := "longer is better"
	if r.Less {
		better = "shorter is better"
	}
	fmt.Fprintf(to, "  <text class=\"bold\" x=\"%d\" y=\"%d\">%s</text>", left, top+14, html.EscapeString(caption))
	fmt.Fprintf(to, "<text class=\"small\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s, %s</text>\n", left+408, top+14, html.EscapeString(r.Unit), better)
	most := 0.0
	for _, c := range r.Cells {
		most = max(most, c.median())
	}
	const names, room = 118, 220 // of the 408 that a panel has
	y := top + 24
	for _, c := range r.Cells {
		class := "other"
		switch {
		case strings.HasPrefix(c.Product, ours):
			class = "ours"
		case c.Limit:
			class = "limit"
		}
		width := max(2, c.median()/most*room)
		fmt.Fprintf(to, "  <text class=\"small\" x=\"%d\" y=\"%d\" text-anchor=\"end\">%s</text>", left+names-8, y+12, html.EscapeString(c.Product))
		fmt.Fprintf(to, "<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"%.1f\" height=\"%d\" rx=\"3\"/>", class, left+names, y, width, barHeight)
		fmt.Fprintf(to, "<text class=\"small\" x=\"%.1f\" y=\"%d\">%s</text>\n", float64(left+names)+width+6, y+12, figure(c.median()))
		y += barStep
	}
	return panelHead + len(r.Cells)*barStep
}

func legend(y int) string {
	text := "  <g>"
	for i, e := range []struct{ class, what string }{
		{"ours", "Pulley"}, {"other", "other caches"}, {"limit", "limits: no cache, or no product at all"},
	} {
		x := 24 + []int{0, 110, 240}[i]
		text += fmt.Sprintf("<rect class=\"%s\" x=\"%d\" y=\"%d\" width=\"14\" height=\"14\" rx=\"3\"/><text class=\"small\" x=\"%d\" y=\"%d\">%s</text>",
			e.class, x, y-12, x+20, y, e.what)
	}
	return text + "</g>\n"
}

const pictureHead = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc" font-family="system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif" font-size="14">
  <title id="title">Pulley beside the others</title>
  <desc id="desc">Bars of the medians that the tables of this page hold.</desc>
  <style>
    .ground { fill: #ffffff; }
    .ours { fill: #2563c9; }
    .other { fill: #8a96a8; }
    .limit { fill: #e6f6ec; stroke: #1f8a4c; stroke-width: 1.2; stroke-dasharray: 4 3; }
    text { fill: #1a202c; }
    .small { fill: #4a5568; font-size: 12.5px; }
    .bold { font-weight: 600; }
    .large { font-size: 17px; font-weight: 600; }
    @media (prefers-color-scheme: dark) {
      .ground { fill: #0f141b; }
      .ours { fill: #5b9bf3; }
      .other { fill: #6b788a; }
      .limit { fill: #12291c; stroke: #45b678; }
      text { fill: #eef2f7; }
      .small { fill: #b4bfcd; }
    }
  </style>
  <rect class="ground" width="%d" height="%d" rx="10"/>
  <text class="large" x="24" y="40">Pulley beside the others</text>
`
