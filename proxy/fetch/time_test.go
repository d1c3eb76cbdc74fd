package fetch_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"pulley/proxy/fetch"
	"pulley/proxy/source"
)

// scripted is a source whose every opening is one step.
type scripted struct {
	steps []func(ctx context.Context, off int64) (*source.Body, error)
	at    []time.Duration
	start time.Time
}

func (s *scripted) Open(ctx context.Context, off, _ int64) (*source.Body, error) {
	s.at = append(s.at, time.Since(s.start))
	if len(s.steps) == 0 {
		return nil, errors.New("asked too often")
	}
	step := s.steps[0]
	s.steps = s.steps[1:]
	return step(ctx, off)
}

func bytesOf(data []byte) func(context.Context, int64) (*source.Body, error) {
	return func(_ context.Context, off int64) (*source.Body, error) {
		return &source.Body{
			ReadCloser: io.NopCloser(bytes.NewReader(data[off:])), Start: off, Total: int64(len(data)),
			Length: int64(len(data)) - off, Ranged: true, Host: "test",
		}, nil
	}
}

func failing(e source.StatusError) func(context.Context, int64) (*source.Body, error) {
	return func(context.Context, int64) (*source.Body, error) { return nil, &e }
}

// silent is a body that says a few bytes and nothing more until it is given up.
func silent(data []byte, n int64) func(context.Context, int64) (*source.Body, error) {
	return func(ctx context.Context, off int64) (*source.Body, error) {
		pr, pw := io.Pipe()
		context.AfterFunc(ctx, func() { _ = pw.CloseWithError(ctx.Err()) })
		go func() { _, _ = pw.Write(data[off : off+n]) }()
		return &source.Body{ReadCloser: pr, Start: off, Total: int64(len(data)), Length: -1, Ranged: true, Host: "test"}, nil
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := blob(1000)
		s := &scripted{start: time.Now(), steps: []func(context.Context, int64) (*source.Body, error){
			failing(source.StatusError{Status: 429, RetryAfter: 7 * time.Second}), bytesOf(data),
		}}
		m := newMemory([2]int64{0, -1})
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); !errors.Is(err, fetch.ErrIdle) {
			t.Fatal(err)
		}
		m.check(t, data, [2]int64{0, 1000})
		if s.at[1] != 7*time.Second {
			t.Errorf("asked again after %v", s.at[1])
		}
	})
}

func TestBackoffIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &scripted{start: time.Now()}
		for range 20 {
			s.steps = append(s.steps, failing(source.StatusError{Status: 503}))
		}
		err := fetch.Run(t.Context(), s, newMemory([2]int64{0, -1}), fetch.Options{})
		var se *source.StatusError
		if !errors.As(err, &se) || len(s.at) != 4 || s.at[3] > 2*time.Second {
			t.Errorf("%v after %v", err, s.at)
		}
	})
}

func TestStallIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := blob(1000)
		s := &scripted{start: time.Now(), steps: []func(context.Context, int64) (*source.Body, error){
			silent(data, 300), silent(data, 300), bytesOf(data),
		}}
		m := newMemory([2]int64{0, -1})
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); !errors.Is(err, fetch.ErrIdle) {
			t.Fatal(err)
		}
		m.check(t, data, [2]int64{0, 1000})
		if s.at[1] != 30*time.Second || s.at[2] != 60*time.Second {
			t.Errorf("opened at %v", s.at)
		}
	})
}

// What a sink takes long to write is no stall of the source.
func TestSlowSinkIsNoStall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		data := blob(1000)
		s := &scripted{start: time.Now(), steps: []func(context.Context, int64) (*source.Body, error){bytesOf(data)}}
		m := newMemory([2]int64{0, -1})
		m.wrote = make(chan struct{})
		go func() {
			<-time.After(time.Hour)
			<-m.wrote
		}()
		if err := fetch.Run(t.Context(), s, m, fetch.Options{}); !errors.Is(err, fetch.ErrIdle) {
			t.Fatal(err)
		}
		m.check(t, data, [2]int64{0, 1000})
		if len(s.at) != 1 {
			t.Errorf("opened at %v", s.at)
		}
	})
}

// The end of a blob whose size nobody tells, lost in a cut: the 416 that a
// request beyond it gets says how long it was.
func TestEndLearnedFrom416(t *testing.T) {
	data := blob(1000)
	s := &scripted{steps: []func(context.Context, int64) (*source.Body, error){
		func(context.Context, int64) (*source.Body, error) {
			r := io.MultiReader(bytes.NewReader(data), errReader{io.ErrUnexpectedEOF})
			return &source.Body{ReadCloser: io.NopCloser(r), Total: -1, Length: -1, Ranged: true}, nil
		},
		failing(source.StatusError{Status: 416, Size: 1000}),
	}}
	m := newMemory([2]int64{0, -1})
	if err := fetch.Run(t.Context(), s, m, fetch.Options{}); !errors.Is(err, fetch.ErrIdle) {
		t.Fatal(err)
	}
	m.check(t, data, [2]int64{0, 1000})
	if m.Size() != 1000 {
		t.Errorf("size %d", m.Size())
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }
