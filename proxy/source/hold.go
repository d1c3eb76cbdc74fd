package source

import "time"

// hold is what one request takes of a mirror's limits until it leaves.
type hold struct {
	place    *Place
	reserved int64
	account  *account
}

// enter asks whether a request for up to n bytes may be made of the place, and
// takes what it needs; least is the fewest bytes of quota it can do with. An
// origin holds nothing.
func (p *Place) enter(n, least int64) (*hold, error) {
	h := &hold{place: p}
	now := p.set.now()
	if p.mirror == nil {
		p.set.health.begin(p.key)
		return h, nil
	}
	if rest := p.set.health.peek(p.operator()); now.Before(rest.rest) {
		return nil, p.unusable(rest.called, rest.rest)
	}
	if q := p.mirror.Quota; q.Bytes > 0 && n > 0 {
		h.reserved, h.account = p.set.ledger.reserve(p.quotaKey(), q, n)
		if h.reserved < least {
			p.set.ledger.giveBack(h.account, h.reserved)
			_, next := period(q, now)
			return nil, p.unusable("its quota is used up", next)
		}
	}
	if ok, until := p.set.manners.enter(p.operator(), p.manners()); !ok {
		h.giveBack(0)
		return nil, p.unusable("as much is asked of it as its operator allows", until)
	}
	if !p.set.health.begin(p.key) {
		v := p.set.health.peek(p.key)
		p.set.manners.refund(p.operator())
		h.leave(0)
		return nil, p.unusable(v.why, v.until)
	}
	return h, nil
}

// inFlight is how much a connection that is hung up on may have been sent that
// nobody read: what the buffers at both ends of it hold. Linux lets those of a
// receiver grow to 6 MiB, half of them for the bytes themselves, and those of a
// sender to 4.
const (
	inFlight = 4 << 20
	// firstFlight is that of one that was hung up on before it answered: windows
	// begin small.
	firstFlight = 256 << 10
)

// onItsWay is what may have been sent of an answer besides what was read of it. It
// counts: a mirror's operator counts what was sent.
func (h *hold) onItsWay(read int64) int64 { return max(min(h.reserved-read, inFlight), 0) }

// sent counts up to n bytes that may have come of an answer that nobody read.
func (h *hold) sent(n int64) {
	if h.account == nil {
		return
	}
	n = min(n, h.reserved)
	h.place.set.ledger.came(h.account, n)
	h.reserved -= n
}

// leave ends the hold of a request that brought so many bytes.
func (h *hold) leave(brought int64) {
	if h.place.mirror == nil {
		return
	}
	h.giveBack(brought)
	h.place.set.manners.leave(h.place.operator())
}

// giveBack returns what was reserved and did not come, and keeps nothing.
func (h *hold) giveBack(brought int64) {
	if h.account != nil {
		h.place.set.ledger.giveBack(h.account, h.reserved-brought)
		h.account = nil
	}
}

// fit makes the reservation what is going to come.
func (h *hold) fit(b *Body) error {
	if h.account == nil || b.Length < 0 {
		return nil
	}
	if more := b.Length - h.reserved; more > 0 { // it does not do ranges and sends all
		got, a := h.place.set.ledger.reserve(h.place.quotaKey(), h.place.mirror.Quota, more)
		if got < more || a != h.account {
			h.place.set.ledger.giveBack(a, got)
			_ = b.Close()
			h.sent(inFlight)
			return h.place.unusable("its quota does not hold the whole blob, and it sends no parts", time.Time{})
		}
	} else {
		h.place.set.ledger.giveBack(h.account, -more)
	}
	h.reserved = b.Length
	return nil
}
