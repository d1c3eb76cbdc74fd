package handover

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"pulley/internal/control"
)

// Protocol is the version of what is said here.
const Protocol = 1

// Path is where the control socket is asked, with the word that the connection is upgraded to.
const (
	Path    = "/v1/handover"
	upgrade = "pulley-handover"
)

// What a daemon tells in the header of its answer, before anything is taken.
const (
	headerProgram = "Pulley-Version"
	headerListen  = "Pulley-Listen"  // the setting in force
	headerAddress = "Pulley-Address" // the one in use
)

// Request is what the new daemon says first.
type Request struct {
	Protocol int    `json:"protocol"`
	Version  string `json:"version"` // of the program, for people
	CacheDir string `json:"cache_dir"`
}

// About is what the old daemon says of itself.
type About struct {
	Version string // of the program, for people
	Listen  string // the setting in force
	Address string // the one in use
}

// Given is what goes across. Lock is nil when the new daemon has another cache, or nobody may write to it.
type Given struct {
	Port    net.Listener
	Control net.Listener
	Lock    *os.File
}

// Close closes what was not taken out of it.
func (g *Given) Close() {
	for _, ln := range []net.Listener{g.Port, g.Control} {
		if ln != nil {
			_ = ln.Close()
		}
	}
	if g.Lock != nil {
		_ = g.Lock.Close()
	}
}

var (
	// ErrNone is for a socket that no daemon answers at.
	ErrNone = errors.New("no daemon answers")
	// ErrNotHere is for systems where open files cannot be given away.
	ErrNotHere = errors.New("this system has no hand-over")
)

// RefusedError is a daemon's no. Its text is for a person.
type RefusedError struct{ Text string }

func (e *RefusedError) Error() string { return e.Text }

const (
	wordTake  = "take"
	wordReady = "ready"

	// patience is for what takes no time on a machine that is not stuck.
	patience = 20 * time.Second
)

// Refuse answers that there will be no hand-over.
func Refuse(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(control.Error{Text: text})
}

// check says what is wrong with a request.
func (r Request) check(program string) error {
	switch {
	case r.Protocol > Protocol:
		return fmt.Errorf("the running daemon (%s) is older than %s and cannot hand over to it; end it first: pulley service stop, or Ctrl-C where it runs", program, r.Version)
	case r.Protocol < Protocol:
		return fmt.Errorf("the running daemon (%s) is newer than %s; update that program", program, r.Version)
	}
	return nil
}
