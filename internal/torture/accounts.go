//go:build linux

package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// accounts are what clients asked and got, to be compared with what the daemon counts.
type accounts struct {
	mu       sync.Mutex
	requests int64 // manifests and blobs
	bytes    int64
	unsure   bool // a body was not read to its end: what of it was sent only the daemon knows

	at, atServed float64 // what the daemon said when this began
	known        bool
}

// restart begins anew, with a daemon that counts from 0.
func (b *accounts) restart() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.requests, b.bytes, b.unsure, b.known = 0, 0, false, false
}

// count takes down an answer.
func (b *accounts) count(a *answer) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if a.status > 0 {
		b.requests++
		b.bytes += a.got
	}
	if a.left || a.err != nil {
		b.unsure = true
	}
}

// metrics are sums over all labels, by name, with the labels "what" of requests apart.
func (w *world) metrics(ctx context.Context) (map[string]float64, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	c := w.engine(doors[0], "")
	defer c.hangUp()
	res, err := c.do(ctx, w.model.repos[0], http.MethodGet, "http://"+w.address+"/metrics", nil, nil)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	out := map[string]float64{}
	lines := bufio.NewScanner(io.LimitReader(res.Body, 8<<20))
	for lines.Scan() {
		line := lines.Text()
		if strings.HasPrefix(line, "#") {
			continue
		}
		i := strings.LastIndexByte(line, ' ')
		if i < 0 {
			continue
		}
		v, err := strconv.ParseFloat(line[i+1:], 64)
		if err != nil {
			continue
		}
		name, labels, _ := strings.Cut(line[:i], "{")
		out[name] += v
		for _, label := range []string{`what="manifest"`, `what="blob"`} {
			if strings.Contains(labels, label) {
				out[name+" "+label] += v
			}
		}
	}
	return out, lines.Err()
}

// addUp holds the daemon's counters against what clients saw. A push counts a manifest that nobody here asked for, so it is
// what was asked at least.
func (w *world) addUp(m map[string]float64) error {
	b := &w.book
	b.mu.Lock()
	defer b.mu.Unlock()
	requests := m["pulley_requests_total what=\"manifest\""] + m["pulley_requests_total what=\"blob\""]
	served := m["pulley_served_bytes_total"]
	if b.known && !b.unsure {
		if got := requests - b.at; got < float64(b.requests) {
			return fmt.Errorf("clients made %d requests, pulley_requests_total counts %.0f", b.requests, got)
		}
		if got := served - b.atServed; got < float64(b.bytes) {
			return fmt.Errorf("clients got %d bytes, pulley_served_bytes_total counts %.0f", b.bytes, got)
		}
	}
	b.at, b.atServed, b.known = requests, served, true
	b.requests, b.bytes, b.unsure = 0, 0, false
	return nil
}
