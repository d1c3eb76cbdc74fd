package handover

import (
	"context"
	"encoding/json"
)

// Peer has no methods that do anything here: a daemon that takes over asks the running one to end, and waits.
type Peer struct{ About }

// Ask fails.
func Ask(context.Context, string, Request) (*Peer, error) { return nil, ErrNotHere }

// Take fails.
func (*Peer) Take() (*Given, error) { return nil, ErrNotHere }

// Ready fails.
func (*Peer) Ready() error { return ErrNotHere }

// Hear fails.
func (*Peer) Hear(func(json.RawMessage)) error { return ErrNotHere }

// Close does nothing.
func (*Peer) Close() {}
