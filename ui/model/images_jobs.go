package model

import (
	"cmp"
	"errors"
	"slices"
	"strings"
	"sync"

	"pulley/internal/control"
)

// JobKind is what a job does.
type JobKind int

// The kinds.
const (
	Fetching  JobKind = iota // an image into the cache
	Exporting                // images into a file
	Importing                // a file into the cache
)

// JobPhase is how far a job is.
type JobPhase int

// The phases. All after Working are ends.
const (
	Waiting JobPhase = iota
	Working
	Finished
	Failed
	Stopped // by the person
)

// JobBlob is one part of what is fetched.
type JobBlob struct {
	Digest, What string
	Have, Size   int64 // Size -1: unknown
	Source       string
	Done, Cached bool
	Error        string
}

// JobView is a job at one moment.
type JobView struct {
	Phase      JobPhase
	Have, Size int64 // bytes; Size -1: unknown
	Source     string
	Blobs      []JobBlob
	Error      string
	Note       string // what a person should know of one that went well
}

// Job is something that takes a while. Its methods may be called from any goroutine.
type Job struct {
	Kind JobKind
	Name string // the full reference, or the file's name
	File string // of an export or import: its path
	// Platforms are those to fetch; none: the one that an engine on the daemon's machine takes. Not to be changed once it runs.
	Platforms []string

	mu    sync.Mutex
	view  JobView
	bytes bool // Have and Size are told, not added up
	stop  func()
}

// NewJob makes one that waits. size is how much there will be, -1 unknown.
func NewJob(kind JobKind, name, file string, size int64) *Job {
	return &Job{Kind: kind, Name: name, File: file, view: JobView{Size: size}, bytes: kind != Fetching}
}

// View is the present moment.
func (j *Job) View() JobView {
	j.mu.Lock()
	defer j.mu.Unlock()
	v := j.view
	v.Blobs = slices.Clone(v.Blobs)
	if !j.bytes {
		v.Have, v.Size = sum(v.Blobs)
	}
	return v
}

// sum is how far all blobs are together; what a manifest has not named yet is unknown.
func sum(blobs []JobBlob) (have, size int64) {
	for _, b := range blobs {
		have += b.Have
		if b.Size < 0 || size < 0 {
			size = -1
			continue
		}
		size += b.Size
	}
	if len(blobs) == 0 || !slices.ContainsFunc(blobs, func(b JobBlob) bool { return b.What == "layer" }) {
		size = -1
	}
	return have, size
}

// Begin says that it runs, and how it is stopped. It is false for one that was stopped while it waited.
func (j *Job) Begin(stop func()) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.view.Phase != Waiting {
		return false
	}
	j.view.Phase, j.stop = Working, stop
	return true
}

// Stop ends it early.
func (j *Job) Stop() {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.view.Phase > Working {
		return
	}
	j.view.Phase = Stopped
	if j.stop != nil {
		j.stop()
	}
}

// End says what came of it: nil is well.
func (j *Job) End(note string, err error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case j.view.Phase == Stopped:
	case err != nil:
		j.view.Phase, j.view.Error = Failed, j.plain(err.Error())
	default:
		j.view.Phase, j.view.Note = Finished, note
		j.view.Have = max(j.view.Have, j.view.Size)
	}
	j.stop = nil
}

// plain is an error without the name in front, which stands above it.
func (j *Job) plain(text string) string {
	for _, name := range []string{j.Name, FamiliarRef(j.Name), j.File} {
		if name != "" {
			text = strings.TrimPrefix(text, name+": ")
		}
	}
	return text
}

// Sized says how much there will be.
func (j *Job) Sized(size int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.view.Size = size
}

// Moved says how much of it is done, in bytes.
func (j *Job) Moved(have int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.view.Have = have
	if j.view.Size >= 0 && have > j.view.Size {
		j.view.Size = -1 // it was an estimate
	}
}

// Pulling takes news of one blob, or of the image as a whole.
func (j *Job) Pulling(p control.Pulling) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if p.What == control.WhatImage {
		return // the result says it
	}
	at := slices.IndexFunc(j.view.Blobs, func(b JobBlob) bool { return b.What == p.What && b.Digest == p.Digest })
	if at < 0 {
		at = len(j.view.Blobs)
		j.view.Blobs = append(j.view.Blobs, JobBlob{})
	}
	b := JobBlob{Digest: p.Digest, What: p.What, Have: p.Have, Size: p.Size, Source: p.Source, Done: p.Done, Cached: p.Cached, Error: p.Error}
	if p.Done && p.Error == "" {
		b.Have = max(p.Have, p.Size)
		b.Size = b.Have
	}
	j.view.Blobs[at] = b
	if p.Source != "" && !p.Done {
		j.view.Source = p.Source
	}
}

// Pulled takes the result of a pull of this image alone.
func (j *Job) Pulled(p control.Pulled, err error) {
	var note string
	if err == nil && len(p.Images) > 0 {
		note = p.Images[0].Note
		if p.Images[0].Error != "" {
			err = errors.New(p.Images[0].Error)
		}
	}
	j.End(note, err)
}

// Jobs are those of a page, in the order in which they were asked for. It is for one goroutine; the jobs in it are not.
type Jobs struct {
	list []*Job
}

// AtOnce is how many run at a time: an image of many blobs already uses as many connections as the settings allow.
const AtOnce = 3

// Add takes one, unless the same is under way: then it is that one, and false. One that has ended makes room for its like.
func (l *Jobs) Add(j *Job) (*Job, bool) {
	for n, other := range l.list {
		if other.Kind != j.Kind || other.Name != j.Name || other.File != j.File {
			continue
		}
		if other.View().Phase <= Working {
			return other, false
		}
		l.list = slices.Delete(slices.Clone(l.list), n, n+1)
		break
	}
	l.list = append(slices.Clone(l.list), j)
	return j, true
}

// All are all of them.
func (l *Jobs) All() []*Job { return l.list }

// Next is the first that waits, if another may run now.
func (l *Jobs) Next() *Job {
	running := 0
	var next *Job
	for _, j := range l.list {
		switch j.View().Phase {
		case Working:
			running++
		case Waiting:
			next = cmp.Or(next, j)
		}
	}
	if running >= AtOnce {
		return nil
	}
	return next
}

// Dismiss takes one that has ended off the list.
func (l *Jobs) Dismiss(j *Job) {
	l.list = slices.DeleteFunc(slices.Clone(l.list), func(other *Job) bool { return other == j && j.View().Phase > Working })
}

// Clear takes those off that went well, or were stopped.
func (l *Jobs) Clear() {
	l.list = slices.DeleteFunc(slices.Clone(l.list), func(j *Job) bool { p := j.View().Phase; return p == Finished || p == Stopped })
}
