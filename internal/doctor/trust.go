package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"pulley/internal/control"
	"pulley/internal/sudo"
)

// renew is how long before its end an authority should be replaced: engines have to be told of the new one.
const renew = 30 * 24 * time.Hour

// trust looks whether the engine believes our certificates. One that has us for a mirror, over plain HTTP on loopback,
// need not.
func (x *exam) trust(ctx context.Context, n *notes) {
	x.rejected(n)
	x.ending(ctx, n)
	file := filepath.Join(x.o.Places.CADir, "ca.crt")
	if x.o.Trust == nil || len(n.out.findings) > 0 {
		return
	}
	if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
		n.info("trust.none", "there is no local certificate authority yet: the first pulley up makes one")
		return
	}
	status, err := x.o.Trust(file)
	switch {
	case errors.Is(err, fs.ErrPermission): // the system's service's
		n.info("trust.denied", "this user may not read which certificates are to be trusted; it is looked at by: %s", sudo.Command("doctor"))
	case err != nil:
		n.add(Finding{ID: "trust.store", Level: Warning, What: "the system's trust store cannot be looked at: " + oneLine(err), Why: "Engines take the authorities they believe from there.", Fix: "pulley ca show"})
	case status.Current:
		n.ok("trust", "the system trusts Pulley's certificates")
	case x.proxied && !x.certsD(file):
		n.add(Finding{
			ID: "trust.missing", Level: Problem, What: "the engine has Pulley for a proxy, and this system does not trust Pulley's certificates", Fix: "pulley ca trust", Safe: x.o.Root,
			Why: "Connections to registries fail in the engine, or pass by Pulley's cache. An engine that runs needs a restart to see it.",
		})
	default:
		n.info("trust.unneeded", "the system does not trust Pulley's certificates; engines that have it for a mirror need not")
	}
}

// rejected says which clients have hung up on us.
func (x *exam) rejected(n *notes) {
	if x.state == nil {
		return
	}
	for _, p := range x.state.Problems {
		if p.Key == control.KeyCARejected {
			n.add(Finding{
				ID: "trust.rejected", Level: Problem, What: p.Text, Fix: "pulley ca trust", Safe: x.o.Root,
				Why: "Its pulls work and pass by the cache meanwhile. An engine that runs needs a restart to see what is trusted anew.",
			})
		}
	}
}

// ending says that an authority is about to end.
func (x *exam) ending(ctx context.Context, n *notes) {
	if x.live == nil {
		return
	}
	list, err := x.live.CAs(ctx)
	if err != nil {
		return
	}
	for _, ca := range list {
		left := ca.NotAfter.Sub(x.o.Now())
		if ca.Retired || left > renew {
			continue
		}
		f := Finding{ID: "trust.ending", Level: Warning, What: fmt.Sprintf("%s ends on %s", ca.Subject, ca.NotAfter.Format(time.DateOnly)), Why: "After that no engine believes it. A new one has to be trusted before.", Fix: "pulley ca rotate"}
		if left <= 0 {
			f.Level, f.What = Problem, ca.Subject+" has ended"
		}
		n.add(f)
	}
}

// certsD reports whether dockerd and its like were given our authorities for the registry's host alone. For Docker Hub
// engines with graph drivers do not look there.
func (x *exam) certsD(file string) bool {
	if x.reg.Name == sampleRegistry {
		return false
	}
	ours, err := os.ReadFile(file) //nolint:gosec // our own
	if err != nil {
		return false
	}
	for _, dir := range []string{"/etc/docker/certs.d", "/etc/containers/certs.d"} {
		found, _ := filepath.Glob(filepath.Join(dir, x.host, "*.crt"))
		for _, name := range found {
			theirs, err := os.ReadFile(name) //nolint:gosec // an engine's
			if err == nil && strings.Contains(string(theirs), strings.TrimSpace(string(ours))) {
				return true
			}
		}
	}
	return false
}
