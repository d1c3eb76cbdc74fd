package main

import (
	"fmt"
	"io"
	"math"
	"sync"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"pulley/internal/control"
)

// bars draw a bar for each blob on its way, and one below them for all together. What is done leaves a line where that is
// worth one: an image.
type bars struct {
	what  string
	ui    *mpb.Progress
	of    map[string]*bar // by image and digest
	all   *bar
	whole map[string][2]int64 // have and size of each blob that is not here already
	once  sync.Once
}

// noBar is how small a blob is that is here before one could look.
const noBar = 64 << 10

func newBars(w io.Writer, what string) *bars {
	return &bars{what: what, ui: mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh()), of: map[string]*bar{}, whole: map[string][2]int64{}}
}

func (b *bars) pulling(p control.Pulling) {
	if p.What == control.WhatImage {
		if line := sentence(p); line != "" {
			_, _ = fmt.Fprintln(b.ui, line)
		}
		return
	}
	if p.Cached || p.Size >= 0 && p.Size < noBar {
		return
	}
	key := p.Image + " " + p.Digest
	one := b.of[key]
	if one == nil {
		if p.Done || p.Error != "" {
			return
		}
		one = b.add(fmt.Sprintf("%s %s %s", familiarRef(p.Image), p.What, shortDigest(p.Digest)), 0)
		b.of[key] = one
	}
	one.set(p.Have, p.Size)
	if p.Done || p.Error != "" {
		one.drop()
	}
	b.sum(p)
}

// sum is the bar for all, once there are two.
func (b *bars) sum(p control.Pulling) {
	b.whole[p.Digest] = [2]int64{p.Have, max(p.Size, p.Have)} // images share blobs
	if len(b.whole) < 2 {
		return
	}
	if b.all == nil {
		b.all = b.add("all", math.MaxInt)
	}
	var have, of int64
	for _, one := range b.whole {
		have, of = have+one[0], of+one[1]
	}
	b.all.set(have, of)
}

func (b *bars) amount(have, size int64, remark string) {
	if b.all == nil {
		b.all = b.add(b.what, 0)
	}
	b.all.remark(remark)
	b.all.set(have, size)
}

func (b *bars) close() {
	b.once.Do(func() {
		for _, one := range b.of {
			one.drop()
		}
		if b.all != nil {
			b.all.drop()
		}
		b.ui.Wait()
	})
}

// bar is one of them.
type bar struct {
	ui *mpb.Bar

	mu         sync.Mutex
	have, size int64
	note       string
	seen       []moment // of the last seconds
}

// moment is how much there was when.
type moment struct {
	at   time.Time
	have int64
}

// speedOver is over how long speed is measured.
const speedOver = 5 * time.Second

// add draws a new bar; those of a higher priority stand further below.
func (b *bars) add(name string, priority int) *bar {
	one := &bar{}
	options := []mpb.BarOption{
		mpb.BarRemoveOnComplete(), mpb.BarWidth(24),
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(
			decor.Any(one.amounts, decor.WCSyncSpace), decor.Any(one.speed, decor.WCSyncSpace), decor.Any(one.left, decor.WCSyncSpace), decor.Any(one.noted),
		),
	}
	if priority > 0 {
		options = append(options, mpb.BarPriority(priority))
	}
	one.ui = b.ui.New(0, mpb.BarStyle(), options...)
	return one
}

func (b *bar) set(have, size int64) {
	b.mu.Lock()
	b.have, b.size = have, size
	now := time.Now()
	b.seen = append(b.forget(now), moment{now, have})
	b.mu.Unlock()
	b.ui.SetTotal(max(size, have+1), false) // a bar that is full goes by itself, and this one only when it is dropped
	b.ui.SetCurrent(have)
}

func (b *bar) remark(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.note = text
}

func (b *bar) drop() { b.ui.Abort(true) }

// forget leaves out what is longer ago than the window, but for the last of that. Needs mu.
func (b *bar) forget(now time.Time) []moment {
	for len(b.seen) > 1 && now.Sub(b.seen[1].at) > speedOver {
		b.seen = b.seen[1:]
	}
	return b.seen
}

// rate is in bytes a second. Needs mu.
func (b *bar) rate() float64 {
	now := time.Now()
	seen := b.forget(now)
	if len(seen) == 0 {
		return 0
	}
	took := now.Sub(seen[0].at)
	if took < time.Second/2 {
		return 0
	}
	return float64(b.have-seen[0].have) / took.Seconds()
}

func (b *bar) amounts(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.size < 0 {
		return size(b.have)
	}
	return size(b.have) + " of " + size(b.size)
}

func (b *bar) speed(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return size(int64(b.rate())) + "/s"
}

// left is how long it will still take.
func (b *bar) left(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	rate := b.rate()
	if rate < 1 || b.size < b.have {
		return "-"
	}
	return (time.Duration(float64(b.size-b.have)/rate) * time.Second).String()
}

func (b *bar) noted(decor.Statistics) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return after(" ", b.note)
}
