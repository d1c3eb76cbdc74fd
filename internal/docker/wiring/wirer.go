package wiring

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"pulley/internal/docker/machine"
)

// Wirer wires the engines of one machine. Its methods may run at the same time, in several processes too: those that change
// something wait for each other.
type Wirer struct {
	Machine machine.Machine
	Kinds   []Kind
	State   string // a folder on the machine that this program runs on, for the ledger and backups
	Target  Target
	// Trust puts the local authorities into the machine's store or takes them out again; nil if that cannot be done.
	Trust func(ctx context.Context, install bool) error
	// Trusted says whether they are there; nil is never.
	Trusted func(ctx context.Context) bool
	// Told hears of each step as it begins, on the goroutine that takes it; nil: nobody does.
	Told func(Step)
}

const (
	findTime = 2 * time.Second  // a kind that takes longer is left out
	findFar  = 20 * time.Second // the same for a machine elsewhere: each question is a journey
	findMore = time.Second      // and is waited for no longer than this once it was told
	upTime   = 30 * time.Second // an engine that is not up then is put back
	upEvery  = 250 * time.Millisecond
	undoTime = 2 * time.Minute // for putting things back, whatever became of the caller's context
)

// ErrNotWired is the cause when there is nothing to undo.
var ErrNotWired = errors.New("is not wired by pulley")

func (w *Wirer) now() time.Time { return time.Now().UTC().Truncate(time.Second) }

// Find lists the engines of the machine, those that run first.
func (w *Wirer) Find(ctx context.Context) []Engine {
	limit := findTime
	if w.Machine.Facts().Name != "" {
		limit = findFar
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	found := make([][]Engine, len(w.Kinds))
	var mu sync.Mutex
	var group sync.WaitGroup
	for i, k := range w.Kinds {
		group.Go(func() {
			list := k.Find(ctx, w.Machine)
			mu.Lock()
			defer mu.Unlock()
			for _, e := range list {
				e.kind = k
				found[i] = append(found[i], e)
			}
		})
	}
	done := make(chan struct{})
	go func() { group.Wait(); close(done) }()
	select {
	case <-done:
	case <-after(ctx, findMore):
	}
	mu.Lock()
	list := slices.Concat(found...)
	mu.Unlock()
	l, err := w.load()
	for i := range list {
		if e := &list[i]; err != nil {
			e.Notes = append(e.Notes, noted(err.Error()))
		} else {
			w.stand(e, l.Engines[w.key(e.ID)])
		}
	}
	slices.SortStableFunc(list, func(a, b Engine) int {
		if a.Running != b.Running {
			return map[bool]int{true: -1, false: 1}[a.Running]
		}
		return strings.Compare(a.ID, b.ID)
	})
	return list
}

// stand says of an engine that was found what the ledger knows of it; r may be nil.
func (w *Wirer) stand(e *Engine, r *record) {
	now := &e.Wired
	now.Ours = r != nil && r.Phase == connected
	if now.Ours && now.Way == Foreign && slices.ContainsFunc(now.To, r.wrote) {
		now.Way = r.Way // at an address that a person has named
	}
	switch leads := now.Way == Mirror || now.Way == Proxy; {
	case !leads || w.leadsHere(now.To):
	case now.Ours:
		e.Notes = append(e.Notes, Note{"elsewhere", strings.Join(now.To, ", "), fmt.Sprintf(
			"it looks for Pulley at %s, which listens at port %d; if that is not the same: pulley connect %s", strings.Join(now.To, ", "), w.Target.Port, e.ID)})
	default:
		now.Way = Foreign // something else listens there
	}
	if r != nil && r.Phase != connected {
		e.Notes = append(e.Notes, Note{"halfway", "pulley disconnect " + e.ID, fmt.Sprintf("%s was ended in the middle; put right by: pulley disconnect %s", r.Phase, e.ID)})
	}
}

// leadsHere says that one of some addresses has Pulley's port, or that nobody knows better.
func (w *Wirer) leadsHere(to []string) bool {
	return w.Target.Port == 0 || len(to) == 0 || slices.ContainsFunc(to, func(a string) bool { return portOf(a) == w.Target.Port })
}

// after is closed some time after ctx is done.
func after(ctx context.Context, more time.Duration) <-chan time.Time {
	c := make(chan time.Time, 1)
	context.AfterFunc(ctx, func() { time.AfterFunc(more, func() { c <- time.Now() }) })
	return c
}

// find is one engine.
func (w *Wirer) find(ctx context.Context, id string) (Engine, error) {
	var ids []string
	for _, e := range w.Find(ctx) {
		if e.ID == id {
			return e, nil
		}
		ids = append(ids, e.ID)
	}
	if len(ids) == 0 {
		return Engine{}, fmt.Errorf("%s: no such engine here, nor any other", id)
	}
	return Engine{}, fmt.Errorf("%s: no such engine here; there is %s", id, strings.Join(ids, ", "))
}

// Plan says what connecting an engine would do. Nothing is changed.
func (w *Wirer) Plan(ctx context.Context, id string, o Options) (*Plan, error) {
	e, err := w.find(ctx, id)
	if err != nil {
		return nil, err
	}
	p, err := e.kind.Plan(ctx, w.Machine, e, w.Target, o)
	if err != nil {
		return nil, w.asRoot(err, "connect", id)
	}
	p.Engine = e
	l, err := w.load()
	if err != nil {
		return nil, err
	}
	was := l.Engines[w.key(id)]
	if was.wrote(p.Egress) {
		p.Egress = "" // Pulley's own, at another address
	}
	if gone := was.without(p.Files); len(gone) > 0 && p.How.Kind != ByHand {
		p.How = e.kind.Activation(ctx, w.Machine, e, append(p.changing(w.Machine), gone...))
		p.Manual = append(p.Manual, byHand(p.How)...)
	}
	if p.Egress != "" {
		p.Warn = append(p.Warn, "it goes out by "+withoutPassword(p.Egress)+" now: that becomes a way out of Pulley's")
	}
	return p, nil
}

// Diff shows what a plan changes in files.
func (w *Wirer) Diff(p *Plan) (string, error) {
	l, err := w.load()
	if err != nil {
		return "", err
	}
	list, err := w.changes(p, l.Engines[w.key(p.Engine.ID)])
	if err != nil {
		return "", fmt.Errorf("%s: %w", p.Engine.ID, w.asRoot(err, "connect", p.Engine.ID))
	}
	return diffs(list), nil
}

func diffs(list []*change) string {
	var b strings.Builder
	for _, c := range list {
		name := c.Path
		if len(c.Through) > 0 {
			name = strings.Join(c.Through, " ") + ": " + name
		}
		b.WriteString(Diff(name, c.before, c.after))
	}
	return b.String()
}

// asRoot has an error of what only root may do say how.
func (w *Wirer) asRoot(err error, words ...string) error {
	if errors.Is(err, fs.ErrPermission) && !w.Machine.Facts().Root && !strings.Contains(err.Error(), "read-only") {
		return &RootError{err, rootCommand(w.Machine, words...)}
	}
	return err
}

// Connect does what a plan says: it keeps what there is, checks, writes, has the engine take it up and waits until that
// answers. If anything of it fails everything is put back, and the error says so. say is told each step, a line for a person.
func (w *Wirer) Connect(ctx context.Context, p *Plan, say func(string)) error {
	unlock, err := w.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	l, err := w.load()
	if err != nil {
		return err
	}
	id := p.Engine.ID
	w.mend(ctx, l, w.key(id), say)
	was := l.Engines[w.key(id)]
	p.Engine.Running = p.Engine.Running || was.downed()
	list, err := w.changes(p, was)
	if err != nil {
		return fmt.Errorf("%s: %w", id, w.asRoot(err, "connect", id))
	}
	trust := p.Trust && (w.Trusted == nil || !w.Trusted(ctx))
	if !trust && !slices.ContainsFunc(list, (*change).moves) && (was == nil || was.Phase == connected) {
		if len(list) > 0 { // else all of it is for a person to do
			say(p.Engine.Name + " is wired like this already")
		}
		return nil
	}
	if err := w.allowed(list, "connect", id); err != nil {
		return fmt.Errorf("%s: %w", id, err)
	}
	if err := w.checks(ctx, p, list); err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", id, err)
	}
	j := &job{w: w, e: p.Engine, how: p.How, list: list, say: say, verb: "connect", plan: p}
	if stopped, err := j.stop(ctx); err != nil {
		return j.putBack(ctx, l, was, err)
	} else if stopped { // it may have written its files as it ended
		j.list = nil
		if list, err = w.changes(p, was); err != nil {
			return j.putBack(ctx, l, was, err)
		}
		j.list = list
	}
	unchanged := func(err error) error {
		if j.stopped {
			return j.putBack(ctx, l, was, err)
		}
		return fmt.Errorf("%s: %w; nothing was changed", id, err)
	}
	r := &record{Engine: p.Engine, Way: p.Way, Phase: connecting, Since: w.now(), Trust: p.Trust}
	for _, c := range list {
		if !c.ours {
			if k := was.file(c.File); k != nil {
				r.Files = append(r.Files, *k) // until it is taken out
			}
			continue
		}
		if c.after != nil && c.before == nil {
			c.makes(missing(c.on, c.Path))
		}
		if err := w.keep(l, id, c.Path, c.base, c.base != nil); err != nil {
			return unchanged(fmt.Errorf("no backup of %s: %w", c.Path, err))
		}
		r.Files = append(r.Files, c.kept())
	}
	l.Engines[w.key(id)] = r
	if err := w.save(l); err != nil {
		return unchanged(err)
	}
	if err := j.connect(ctx, l, trust); err != nil {
		return j.putBack(ctx, l, was, err)
	}
	r.Files = nil
	for _, c := range list {
		if c.ours {
			r.Files = append(r.Files, c.kept()) // with the folders that were made for it
		}
	}
	r.Phase = connected
	return w.save(l)
}

// Allowed says whether whoever runs this may do what a plan says: nil, or one line with the command that may, a *RootError.
func (w *Wirer) Allowed(p *Plan) error {
	l, err := w.load()
	if err != nil {
		return err
	}
	list, err := w.changes(p, l.Engines[w.key(p.Engine.ID)])
	if err == nil {
		err = w.allowed(list, "connect", p.Engine.ID)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", p.Engine.ID, w.asRoot(err, "connect", p.Engine.ID))
	}
	return nil
}

// allowed says that none of the files is root's alone: where that can be told beforehand.
func (w *Wirer) allowed(list []*change, words ...string) error {
	if w.Machine.Facts().Root || w.Machine.Facts().OS == machine.Windows {
		return nil
	}
	for _, c := range list {
		if len(c.Through) == 0 && c.moves() && (strings.HasPrefix(c.real, "/etc/") || strings.HasPrefix(c.real, "/usr/") || strings.HasPrefix(c.real, "/var/")) {
			return &RootError{errors.New(c.Path + " belongs to root"), rootCommand(w.Machine, words...)}
		}
	}
	return nil
}

// checks runs those of a plan.
func (w *Wirer) checks(ctx context.Context, p *Plan, list []*change) error {
	if len(p.Checks) == 0 {
		return nil
	}
	return w.check(list, func(in *strings.Replacer) error {
		for _, c := range p.Checks {
			c.Args = slices.Clone(c.Args)
			for i := range c.Args {
				c.Args[i] = in.Replace(c.Args[i])
			}
			ctx, cancel := context.WithTimeout(ctx, upTime)
			_, err := w.Machine.Run(ctx, c)
			cancel()
			if err != nil && !errors.Is(err, exec.ErrNotFound) {
				return fmt.Errorf("the changed files are refused: %w", err)
			}
		}
		return nil
	})
}

// Prove has an engine pull an image; the error is one line.
func (w *Wirer) Prove(ctx context.Context, e Engine, image string) error {
	if e.kind == nil {
		found, err := w.find(ctx, e.ID)
		if err != nil {
			return err
		}
		e = found
	}
	return e.kind.Pull(ctx, w.Machine, e, image)
}
