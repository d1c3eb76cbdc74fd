package doctor

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// step is one part of the path.
type step struct {
	name  string
	after []string // waited for
	needs []string // waited for, and not looked at where one of these is broken
	run   func(x *exam, ctx context.Context, n *notes)
}

// outcome is what came of a step. It does not change once ready is closed.
type outcome struct {
	ready    chan struct{}
	findings []Finding
	broken   string // why what needs it cannot be looked at
	took     time.Duration
}

// notes are what a step writes down.
type notes struct {
	step string
	out  *outcome
}

func (n *notes) add(f Finding) {
	f.Step = n.step
	n.out.findings = append(n.out.findings, f)
}

func (n *notes) ok(id, format string, args ...any) {
	n.add(Finding{ID: id, Level: OK, What: fmt.Sprintf(format, args...)})
}

func (n *notes) info(id, format string, args ...any) {
	n.add(Finding{ID: id, Level: Info, What: fmt.Sprintf(format, args...)})
}

// stop says that what follows cannot be looked at.
func (n *notes) stop(why string) { n.out.broken = why }

// blame adds a finding that what follows hangs on.
func (n *notes) blame(f Finding) {
	n.add(f)
	n.stop(f.What)
}

// walk runs each step as soon as it may, and returns when all have ended.
func (x *exam) walk(ctx context.Context) {
	for _, s := range steps {
		x.done[s.name] = &outcome{ready: make(chan struct{})}
	}
	var all sync.WaitGroup
	for _, s := range steps {
		all.Go(func() {
			out := x.done[s.name]
			defer close(out.ready)
			for _, name := range append(append([]string(nil), s.after...), s.needs...) {
				<-x.done[name].ready
			}
			n := &notes{step: s.name, out: out}
			for _, name := range s.needs {
				if why := x.done[name].broken; why != "" {
					out.broken = why
					n.info(s.name+".unexamined", "not examined: %s", why)
					return
				}
			}
			if by, some := ctx.Deadline(); some && time.Until(by) < StepLimit { // half a look blames the innocent
				out.broken = "there was no time left"
				n.info(s.name+".unexamined", "not examined: %s", out.broken)
				return
			}
			x.o.Progress(s.name)
			begin := time.Now()
			ctx, cancel := context.WithTimeout(ctx, StepLimit)
			defer cancel()
			s.run(x, ctx, n)
			out.took = time.Since(begin)
		})
	}
	all.Wait()
}
