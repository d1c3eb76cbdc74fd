package proxy

import (
	"cmp"
	"errors"
	"io"
	"net"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"
)

// rejectedFor is how long a host is left alone after a client did not accept our
// certificate for it.
const rejectedFor = 10 * time.Minute

// maxAccepted bounds what is remembered: under a "*.domain" there are many hosts, and
// elsewhere many clients.
const maxAccepted = 1024

// Rejection is a host that is tunnelled because a client did not accept our
// certificate.
type Rejection struct {
	Host   string // host:port
	Until  time.Time
	Reason string // the client's alert, or that it hung up
}

// Rejected lists the rejections in force, by host, each host once.
func (s *Server) Rejected() []Rejection { return s.rejected.list(s.opt.Now()) }

// ForgetRejected ends all rejections, for when the CA has just been trusted.
func (s *Server) ForgetRejected() { s.rejected.clear() }

// reject notes that a client turned our certificate for st down. To hang up
// without an alert says that only where nobody accepted the certificate lately:
// clients that fetch many things at once drop their other connections, half
// through a handshake, when one is refused.
func (s *Server) reject(client netip.Addr, st *site, err error) {
	now, key := s.opt.Now(), rejectionKey(client, st.hostport)
	reason := "hung up on our certificate"
	if isAlert(err) {
		reason = strings.TrimPrefix(err.Error(), "remote error: ")
	} else if s.rejected.acceptedLately(key, now) {
		s.opt.Log.Debug("a client hung up during the handshake", "host", st.hostport, "err", err)
		return
	}
	x := Rejection{Host: strings.ToLower(st.hostport), Until: now.Add(rejectedFor), Reason: reason}
	if s.rejected.add(key, x, now) {
		s.opt.Log.Warn(st.host+": a client does not trust the local CA; the host is tunnelled for ten minutes; to trust it run: pulley ca trust",
			"reason", reason, "until", x.Until.Format(time.TimeOnly))
	}
}

// rejected is who rejects which host. All of this machine's clients are one: its
// engines are told apart by nothing. One elsewhere speaks for itself alone, or it
// could take everybody's cache away.
type rejected struct {
	client netip.Prefix
	host   string
}

func rejectionKey(client netip.Addr, hostport string) rejected {
	key := rejected{host: strings.ToLower(hostport)}
	if !isLocal(client) {
		key.client = prefixOf(client)
	}
	return key
}

// rejections is the set of rejections, and who did accept our certificate when.
type rejections struct {
	mu       sync.RWMutex
	set      map[rejected]Rejection
	accepted map[rejected]time.Time
}

// accept notes that a client took our certificate for a host and went on.
func (r *rejections) accept(k rejected, now time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.accepted == nil || len(r.accepted) >= maxAccepted {
		r.accepted = make(map[rejected]time.Time)
	}
	r.accepted[k] = now
}

func (r *rejections) acceptedLately(k rejected, now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	at, ok := r.accepted[k]
	return ok && now.Before(at.Add(rejectedFor))
}

// add reports whether the host was not rejected already; then it keeps its end.
func (r *rejections) add(k rejected, x Rejection, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	if old, ok := r.set[k]; ok && now.Before(old.Until) {
		return false
	}
	if r.set == nil || len(r.set) >= maxAccepted {
		r.set = make(map[rejected]Rejection)
	}
	r.set[k] = x
	return true
}

func (r *rejections) active(k rejected, now time.Time) bool {
	r.mu.RLock()
	defer r.mu.RUnlock()
	if len(r.set) == 0 {
		return false
	}
	x, ok := r.set[k]
	return ok && now.Before(x.Until)
}

func (r *rejections) clear() {
	r.mu.Lock()
	defer r.mu.Unlock()
	clear(r.set)
}

func (r *rejections) list(now time.Time) []Rejection {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []Rejection
	for k, x := range r.set {
		if !now.Before(x.Until) {
			delete(r.set, k)
			continue
		}
		list = append(list, x)
	}
	// Of several clients' the one that lasts longest.
	slices.SortFunc(list, func(a, b Rejection) int { return cmp.Or(cmp.Compare(a.Host, b.Host), b.Until.Compare(a.Until)) })
	return slices.CompactFunc(list, func(a, b Rejection) bool { return a.Host == b.Host })
}

// isRejection reports whether a handshake that ended with err, after our
// certificate was sent, was ended because of it: by an alert, or by hanging up
// without a word. A client that just goes silent has not said anything.
func isRejection(err error) bool {
	return isAlert(err) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		isReset(err)
}

// isAlert reports whether err is a TLS alert that the client sent, other than
// that it changed its mind. Which alert stands for "I do not trust you" depends
// on the library: unknown_ca, bad_certificate and certificate_unknown mostly,
// but handshake_failure, access_denied and internal_error were seen as well.
func isAlert(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return false
	}
	// RFC 8446, section 6. The type is private to crypto/tls.
	const userCanceled = 90
	v := reflect.ValueOf(op.Err)
	return v.Kind() != reflect.Uint8 || v.Uint() != userCanceled
}
