package settings

import (
	"context"
	"slices"
	"strings"

	"fyne.io/fyne/v2"
	fynetheme "fyne.io/fyne/v2/theme"
	"fyne.io/fyne/v2/widget"

	"pulley/internal/control"
	"pulley/ui/lang"
	"pulley/ui/model"
	"pulley/ui/page"
	"pulley/ui/part"
	"pulley/ui/words"
)

// waysOut is the list of ways out of this machine.
type waysOut struct {
	page    *Page
	list    []control.Egress
	known   bool
	failed  string
	gone    map[string]bool // removed, until the daemon is told
	reports map[string]egressTrial

	rows *fyne.Container
	kept map[string]*wayRow
	form *form
	add  *part.IconButton
	root fyne.CanvasObject
}

// egressTrial is a test of a way out: under way, or done.
type egressTrial struct {
	running bool
	report  control.EgressReport
	failed  string
}

// wayRow is one way out.
type wayRow struct {
	row    *row
	test   *part.IconButton
	more   *part.IconButton
	accept *part.Button
	last   control.Egress
}

// directly is what a test calls going out without any of them.
const directly = "direct"

func newWaysOut(s *Page) *waysOut {
	w := &waysOut{page: s, gone: map[string]bool{}, reports: map[string]egressTrial{}, kept: map[string]*wayRow{}, rows: part.VBox(0)}
	w.form = newForm(
		field{label: lang.Say("settings.way_name"), example: "jump"},
		field{label: lang.Say("settings.way_url"), example: "ssh://me@host.example.com", hint: lang.Say("settings.way_url_hint")},
		field{label: lang.Say("settings.way_for"), example: "*", hint: lang.Say("settings.way_for_hint")},
	)
	w.form.check = w.check
	w.add = part.NewIconButton(fynetheme.ContentAddIcon(), lang.Say("settings.way_add"), func() { w.edit(nil) })
	w.root = part.VBox(0, w.rows, w.form.root)
	return w
}

func (w *waysOut) words() []string {
	all := []string{"egress", "proxy", "socks5", "ssh"}
	for _, e := range w.list {
		all = append(all, e.Name, e.URL)
	}
	return all
}

func (w *waysOut) has(name string) bool {
	return slices.ContainsFunc(w.list, func(e control.Egress) bool { return e.Name == name })
}

func (w *waysOut) heard(list []control.Egress, err error) {
	w.failed = ""
	if err != nil {
		w.failed = words.Reason(err)
		return
	}
	w.list, w.known = list, true
}

func (w *waysOut) show() {
	part.Enable(w.add, w.page.desk.Daemon() != nil)
	all := append(slices.Clone(w.list), control.Egress{Name: directly})
	var rows []fyne.CanvasObject
	for _, e := range all {
		if w.gone[e.Name] {
			continue
		}
		row := w.kept[e.Name]
		if row == nil {
			row = w.row(e.Name)
			w.kept[e.Name] = row
		}
		w.showRow(row, e)
		row.row.rule(len(rows) > 0)
		rows = append(rows, row.row)
	}
	part.Fill(w.rows, rows...)
}

func (w *waysOut) row(name string) *wayRow {
	r := &wayRow{}
	r.test = part.NewIconButton(fynetheme.MediaPlayIcon(), lang.Say("settings.way_test", "Name", name), func() { w.test(name) })
	r.more = part.NewIconButton(fynetheme.MoreHorizontalIcon(), lang.Say("settings.way_more", "Name", name), func() { part.OpenMenu(w.menu(r.last), r.more) })
	r.accept = part.NewButton(lang.Say("settings.way_accept"), func() { w.accept(r.last) })
	r.accept.Hide()
	label := name
	if name == directly {
		label = lang.Say("settings.way_direct")
		r.more.Hide()
	}
	r.row = newRow("egress."+name, label, " ", part.HBox(2, part.Middle(r.accept), part.Middle(r.test), part.Middle(r.more)))
	return r
}

func (w *waysOut) showRow(r *wayRow, e control.Egress) {
	r.last = e
	trial := w.reports[e.Name]
	key := e.HostKey
	if key == nil {
		key = trial.report.HostKey
	}
	part.Show(r.accept, key != nil)
	part.Enable(r.test, !trial.running)
	hint := e.URL + " · " + forWhom(e)
	if e.Name == directly {
		hint = lang.Say("settings.way_direct_hint")
		if len(w.list) == 0 {
			hint = lang.Say("settings.way_none")
		}
	}
	r.row.explain(hint)
	switch {
	case key != nil:
		r.row.say(lang.Say("settings.way_key", "Host", key.Host, "Type", key.Type, "Fingerprint", key.Fingerprint), widget.WarningImportance)
	case trial.running:
		r.row.say(lang.Say("settings.way_testing"), widget.MediumImportance)
	case trial.failed != "":
		r.row.say(trial.failed, widget.DangerImportance)
	case trial.report.OK:
		r.row.say(lang.Say("settings.way_ok", "Target", trial.report.Target, "Connect", words.Span(trial.report.Connect), "Answer", words.Span(trial.report.Answer)), widget.SuccessImportance)
	case trial.report.Error != "":
		r.row.say(words.Because(trial.report.Cause, trial.report.Error), widget.DangerImportance)
	default:
		r.row.say(e.Why, widget.WarningImportance)
	}
}

// forWhom says what leaves through a way out.
func forWhom(e control.Egress) string {
	switch {
	case len(e.For) == 0:
		return lang.Say("settings.way_unused")
	case slices.Contains(e.For, "*") && len(e.Except) > 0:
		return lang.Say("settings.way_all_but", "Names", strings.Join(e.Except, ", "))
	case slices.Contains(e.For, "*"):
		return lang.Say("settings.way_all")
	default:
		return strings.Join(e.For, ", ")
	}
}

func (w *waysOut) menu(e control.Egress) *fyne.Menu {
	return fyne.NewMenu("",
		fyne.NewMenuItem(lang.Say("settings.way_edit"), func() { w.edit(&e) }),
		fyne.NewMenuItem(lang.Say("settings.way_copy"), func() { w.page.desk.Copy(e.URL) }),
		fyne.NewMenuItemSeparator(),
		fyne.NewMenuItem(lang.Say("settings.way_remove", "Name", e.Name), func() { w.remove(e.Name) }))
}

// test tries a way out, as far as Docker Hub.
func (w *waysOut) test(name string) {
	daemon := w.page.desk.Daemon()
	if daemon == nil || w.reports[name].running {
		return
	}
	w.reports[name] = egressTrial{running: true}
	w.page.render()
	w.page.desk.Work(func(ctx context.Context) func() {
		report, err := daemon.TestEgress(ctx, name, "")
		return func() {
			t := egressTrial{report: report}
			if err != nil {
				t.failed = words.Reason(err)
			}
			w.reports[name] = t
			w.page.render()
		}
	})
}

// accept vouches for the key that was shown.
func (w *waysOut) accept(e control.Egress) {
	key := e.HostKey
	if key == nil {
		key = w.reports[e.Name].report.HostKey
	}
	if key == nil {
		return
	}
	fingerprint := key.Fingerprint
	w.page.call(func(ctx context.Context, d page.Daemon) error { return d.AcceptKey(ctx, e.Name, fingerprint) }, func(err error) {
		if err != nil {
			w.page.desk.Toast(page.Toast{Text: lang.Say("settings.way_not_accepted", "Reason", words.Reason(err)), Bad: true})
			return
		}
		delete(w.reports, e.Name)
		w.test(e.Name)
	})
}

func (w *waysOut) remove(name string) {
	w.gone[name] = true
	w.page.render()
	back := func() { delete(w.gone, name); w.page.render() }
	w.page.desk.Toast(page.Toast{
		Text: lang.Say("settings.way_removed", "Name", name), Undo: back,
		Done: func() {
			w.page.call(func(ctx context.Context, d page.Daemon) error { return d.RemoveEgress(ctx, name) }, func(err error) {
				if err != nil {
					w.page.desk.Toast(page.Toast{Text: lang.Say("settings.way_stays", "Name", name, "Reason", words.Reason(err)), Bad: true})
				} else {
					w.list = slices.DeleteFunc(slices.Clone(w.list), func(e control.Egress) bool { return e.Name == name })
				}
				back()
			})
		},
	})
}

// edit opens the form: for a new way out (nil), or for who leaves through one.
func (w *waysOut) edit(e *control.Egress) {
	if e == nil {
		w.form.begin(lang.Say("settings.way_add"), lang.Say("settings.add"), []string{"", "", "*"}, func(v []string, then func(error)) {
			w.page.call(func(ctx context.Context, d page.Daemon) error {
				return d.AddEgress(ctx, control.Egress{Name: v[0], URL: v[1], For: model.Split(v[2])})
			}, then)
		})
		return
	}
	name := e.Name
	w.form.begin(lang.Say("settings.way_edit_title", "Name", name), lang.Say("settings.save"), []string{name, e.URL, strings.Join(e.For, ", ")}, func(v []string, then func(error)) {
		w.page.call(func(ctx context.Context, d page.Daemon) error { return d.UseEgress(ctx, name, model.Split(v[2])) }, then)
	}, 0, 1)
}

// check finds what is wrong with a way out as it is typed: which field, and in words.
func (w *waysOut) check(v []string) (int, string) {
	switch fault := model.CheckEgress(v[0], v[1]); {
	case w.form.fixed(0):
		return -1, ""
	case fault == model.EgressNameWrong:
		return 0, lang.Say("settings.wrong_way_name")
	case w.has(v[0]):
		return 0, lang.Say("settings.wrong_way_taken", "Name", v[0])
	case fault == model.EgressURLWrong:
		return 1, lang.Say("settings.wrong_way_url")
	}
	return -1, ""
}

// call has the daemon do something, and asks anew what there is then.
func (s *Page) call(do func(context.Context, page.Daemon) error, then func(error)) {
	daemon := s.desk.Daemon()
	s.desk.Work(func(ctx context.Context) func() {
		err := model.ErrNotRunning
		if daemon != nil {
			err = do(ctx, daemon)
		}
		return func() {
			then(err)
			s.ask()
			s.render()
		}
	})
}
