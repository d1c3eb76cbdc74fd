package model

import (
	"cmp"
	"slices"
	"strings"

	"pulley/internal/control"
)

// ImageRow is one image as a list has it. What is looked for and sorted by is worked out once; a row is never changed.
type ImageRow struct {
	control.Image
	ID    string // registry/repository@digest: a name that the daemon takes, too
	Title string // as Docker says it, under all its tags: "debian:12, bookworm"
	From  string // who brought its bytes, most first: "daocloud+origin"; "" where nobody knows

	name string // lower case, to sort by
	rank int    // its place by name
	find string // lower case, to look in
}

// shownTags is how many tags a title has.
const shownTags = 3

// ImageRows makes rows of all that the daemon says. It takes a while for thousands and may run on any goroutine.
func ImageRows(images []control.Image) []*ImageRow {
	rows := make([]*ImageRow, len(images))
	for n, i := range images {
		rows[n] = newImageRow(i)
	}
	sorted := slices.Clone(rows)
	slices.SortFunc(sorted, func(a, b *ImageRow) int { return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.ID, b.ID)) })
	for rank, r := range sorted {
		r.rank = rank
	}
	return rows
}

func newImageRow(i control.Image) *ImageRow {
	r := &ImageRow{Image: i, ID: i.Registry + "/" + i.Repository + "@" + i.Digest}
	r.Title = Familiar(i.Registry, i.Repository)
	if len(i.Tags) == 0 {
		r.Title += "@" + ShortDigest(i.Digest)
	} else {
		r.Title += ":" + strings.Join(i.Tags[:min(shownTags, len(i.Tags))], ", ")
	}
	r.From = strings.Join(slices.DeleteFunc(i.Brought(), func(s string) bool { return s == "" }), "+")
	r.name = strings.ToLower(r.Title)
	words := []string{r.name, i.Registry + "/" + i.Repository, strings.Join(i.Tags, " "), i.Digest, r.From}
	for _, p := range i.Platforms {
		if p.Complete {
			words = append(words, p.String())
		}
	}
	for _, tag := range i.Tags {
		words = append(words, i.Repository+":"+tag)
	}
	r.find = strings.ToLower(strings.Join(words, "\n"))
	return r
}

// Here are the platforms that can be had from the cache alone, without linux/.
func (r *ImageRow) Here() (here []string) {
	for _, p := range r.Platforms {
		if p.Complete {
			here = append(here, strings.TrimPrefix(p.String(), "linux/"))
		}
	}
	return here
}

// MoreTags is how many tags the title leaves out.
func (r *ImageRow) MoreTags() int { return max(len(r.Tags)-shownTags, 0) }

// Short names the image in a sentence: "debian:12".
func (r *ImageRow) Short() string { return FamiliarRef(r.Name()) }

// Full names it in full, one line for each tag.
func (r *ImageRow) Full() string {
	if len(r.Tags) == 0 {
		return r.ID
	}
	full := make([]string, len(r.Tags))
	for n, tag := range r.Tags {
		full[n] = r.Registry + "/" + r.Repository + ":" + tag
	}
	return strings.Join(full, "\n")
}

// Mine tells whether it is one of the person's own images, which are kept here and nowhere else.
func (r *ImageRow) Mine() bool { return r.Registry == control.Local }

// What images are sorted by, the keys of the columns.
const (
	ByName      = "name"
	ByPlatforms = "platforms"
	BySize      = "size"
	ByOwn       = "own"
	ByUsed      = "used"
	ByFrom      = "from"
	BySaved     = "saved"
	ByPinned    = "pinned"
)

// Images is a list of images, as a person looks through it: what the daemon said last, with what was just done laid over it.
// It is for one goroutine.
type Images struct {
	rows  []*ImageRow
	ids   map[string]*ImageRow
	known bool
	gone  map[string]bool // not shown: to be removed, or being removed
	pins  map[string]bool // flipped, until the daemon has said so
	query []string
	by    string
	down  bool
	shown []*ImageRow
}

// NewImages makes a list that knows nothing yet, last used first.
func NewImages() *Images {
	return &Images{gone: map[string]bool{}, pins: map[string]bool{}, by: ByUsed, down: true}
}

// Heard takes what the daemon says is there.
func (l *Images) Heard(rows []*ImageRow) {
	l.known = true
	l.keep(rows)
	l.arrange()
}

// keep has these be all images.
func (l *Images) keep(rows []*ImageRow) {
	l.rows, l.ids = rows, make(map[string]*ImageRow, len(rows))
	for _, r := range rows {
		l.ids[r.ID] = r
	}
}

// Known tells whether the daemon has said anything.
func (l *Images) Known() bool { return l.known }

// Len is how many are shown.
func (l *Images) Len() int { return len(l.shown) }

// At is one of those that are shown.
func (l *Images) At(n int) *ImageRow { return l.shown[n] }

// All is how many there are, found or not.
func (l *Images) All() int { return len(l.rows) - l.hidden() }

func (l *Images) hidden() (n int) {
	for id := range l.gone {
		if l.ids[id] != nil {
			n++
		}
	}
	return n
}

// Index is where an image is shown, -1 for nowhere.
func (l *Images) Index(id string) int {
	return slices.IndexFunc(l.shown, func(r *ImageRow) bool { return r.ID == id })
}

// Get is an image by its ID; nil if it is not there any more.
func (l *Images) Get(id string) *ImageRow {
	if l.gone[id] {
		return nil
	}
	return l.ids[id]
}

// Named is an image by a full or short reference; nil if there is none.
func (l *Images) Named(reference string) *ImageRow {
	want := FullRef(reference)
	for _, r := range l.rows {
		if l.gone[r.ID] {
			continue
		}
		if r.ID == want || slices.Contains(strings.Split(r.Full(), "\n"), want) {
			return r
		}
	}
	return nil
}

// Search shows those alone that have all words of a query.
func (l *Images) Search(query string) {
	words := strings.Fields(strings.ToLower(query))
	if slices.Equal(words, l.query) {
		return
	}
	l.query = words
	l.arrange()
}

// Sort orders them.
func (l *Images) Sort(by string, down bool) {
	l.by, l.down = by, down
	l.arrange()
}

// SortedBy is the order in force.
func (l *Images) SortedBy() (by string, down bool) { return l.by, l.down }

// Arriving are the images that are being fetched now, by ID: how much of what is known of them is here, 0 … 1; below 0, that cannot be
// told. Transfers do not say which of a repository's images they are for: it is the one that was asked for last.
func (l *Images) Arriving(active []control.Transfer) map[string]float64 {
	if len(active) == 0 {
		return nil
	}
	arriving := map[string]float64{}
	for _, p := range Pulls(active) {
		var row *ImageRow
		for _, r := range l.rows {
			if !r.Complete && r.Registry == p.Registry && r.Repository == p.Repository && (row == nil || r.Used.After(row.Used)) {
				row = r
			}
		}
		switch {
		case row == nil:
		case p.Total <= 0:
			arriving[row.ID] = -1
		default:
			arriving[row.ID] = float64(row.Size+p.Have) / float64(row.Size+p.Total)
		}
	}
	return arriving
}

func (l *Images) arrange() {
	l.shown = make([]*ImageRow, 0, len(l.rows))
	for _, r := range l.rows {
		if !l.gone[r.ID] && r.has(l.query) {
			l.shown = append(l.shown, r)
		}
	}
	compare := l.order()
	slices.SortFunc(l.shown, func(a, b *ImageRow) int {
		c := compare(a, b)
		if l.down {
			c = -c
		}
		if c == 0 {
			c = a.rank - b.rank
		}
		return c
	})
}

func (r *ImageRow) has(words []string) bool {
	for _, w := range words {
		if !strings.Contains(r.find, w) {
			return false
		}
	}
	return true
}

func (l *Images) order() func(a, b *ImageRow) int {
	switch l.by {
	case ByPlatforms:
		return func(a, b *ImageRow) int { return cmp.Compare(len(a.Here()), len(b.Here())) }
	case BySize:
		return func(a, b *ImageRow) int { return cmp.Compare(a.Size, b.Size) }
	case ByOwn:
		return func(a, b *ImageRow) int { return cmp.Compare(a.Own, b.Own) }
	case ByUsed:
		return func(a, b *ImageRow) int { return a.Used.Compare(b.Used) }
	case ByFrom:
		return func(a, b *ImageRow) int { return strings.Compare(a.From, b.From) }
	case BySaved:
		return func(a, b *ImageRow) int { return cmp.Compare(a.Saved, b.Saved) }
	case ByPinned:
		return func(a, b *ImageRow) int { return cmp.Compare(number(l.Pinned(a)), number(l.Pinned(b))) }
	default:
		return func(a, b *ImageRow) int { return a.rank - b.rank }
	}
}

func number(b bool) int {
	if b {
		return 1
	}
	return 0
}
