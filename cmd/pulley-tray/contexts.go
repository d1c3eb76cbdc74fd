//go:build cgo

package main

import (
	"context"
	"slices"
	"time"

	"pulley/ui/lang"
	"pulley/ui/model"
)

// contexts keeps docker's contexts known to the menu, by the command line program: they are the person's files, and no
// business of the daemon's.
type contexts struct {
	tool interface {
		Run(ctx context.Context, into any, args ...string) error
	}
	model *model.Model
	now   chan struct{} // they are looked at now

	reports map[string]model.ContextReport
	asked   map[string]question
}

// question is when an engine was asked last, and where.
type question struct {
	at   time.Time
	host string
}

const (
	listEvery  = time.Minute      // docker itself may have chosen another one
	testEvery  = 10 * time.Minute // engines elsewhere are asked so often, and
	testFailed = time.Hour        // those that did not answer so often
	testTime   = 30 * time.Second
)

func newContexts(p *program) *contexts {
	return &contexts{tool: &p.tool, model: p.model, now: make(chan struct{}, 1), reports: map[string]model.ContextReport{}, asked: map[string]question{}}
}

// keep looks at them until ctx ends.
func (c *contexts) keep(ctx context.Context) error {
	ticks := time.NewTicker(listEvery)
	defer ticks.Stop()
	for {
		c.look(ctx, time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-c.now:
		case <-ticks.C:
		}
	}
}

// look lists them, and asks those engines whose turn it is. With one context alone nobody is asked: there is nothing to
// choose.
func (c *contexts) look(ctx context.Context, now time.Time) {
	var list []model.Context
	if err := c.tool.Run(ctx, &list, "context", "ls"); err != nil {
		return // the Docker page says why
	}
	c.tell(list)
	if len(list) < 2 {
		return
	}
	due := c.due(list, now)
	if len(due) == 0 {
		return
	}
	limited, cancel := context.WithTimeout(ctx, testTime)
	defer cancel()
	var reports []model.ContextReport
	_ = c.tool.Run(limited, &reports, append([]string{"context", "test"}, due...)...) // one that cannot be reached is an error, and a report
	if ctx.Err() != nil {
		return
	}
	for _, one := range list {
		if slices.Contains(due, one.Name) {
			c.asked[one.Name] = question{now, one.Host}
		}
	}
	for _, r := range reports {
		c.reports[r.Name] = r
	}
	c.tell(list)
}

func (c *contexts) due(list []model.Context, now time.Time) (names []string) {
	for _, one := range list {
		rest := testEvery
		if r, known := c.reports[one.Name]; known && !r.Reachable {
			rest = testFailed
		}
		if last, asked := c.asked[one.Name]; one.Error == "" && (!asked || last.host != one.Host || now.Sub(last.at) >= rest) {
			names = append(names, one.Name)
		}
	}
	return names
}

// tell hands on the list, and the reports on engines that are still where they were asked.
func (c *contexts) tell(list []model.Context) {
	reports := map[string]model.ContextReport{}
	for _, one := range list {
		if r, known := c.reports[one.Name]; known && c.asked[one.Name].host == one.Host {
			reports[one.Name] = r
		}
	}
	c.model.Listed(list, reports)
}

// use has docker talk to another one.
func (c *contexts) use(ctx context.Context, name string) {
	if err := c.tool.Run(ctx, nil, "context", "use", name); err != nil {
		c.model.Refused(lang.Say("tray.context_stays", "Name", name, "Reason", lang.Reason(err)))
	}
	signalOn(c.now)
}
