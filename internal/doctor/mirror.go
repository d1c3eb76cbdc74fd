package doctor

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/proxy/source"
)

// Mirror is one that is switched on, and how it did.
type Mirror struct {
	Name      string   `json:"name"`
	URL       string   `json:"url"`
	Reachable bool     `json:"reachable"`
	FirstByte Duration `json:"first_byte,omitempty"`
	Rate      float64  `json:"rate,omitempty"` // bytes a second
	Agrees    string   `json:"agrees,omitempty"`
	Error     string   `json:"error,omitempty"`
}

// mirrors tries those of the image's registry that are switched on, each with one small public image. Of the other
// registries' only what is known without asking is said: operators bar who asks too often.
func (x *exam) mirrors(ctx context.Context, n *notes) {
	for i := range x.cfg.Registries {
		r := &x.cfg.Registries[i]
		for j := range r.Mirrors {
			if m := &r.Mirrors[j]; m.Enabled {
				x.configured(n, r, m)
			} else if r.Route == m.Name {
				n.add(Finding{ID: "mirror.off", Level: Warning, What: fmt.Sprintf("the route of %s is mirror %s, which is switched off", r.Name, m.Name), Why: "Bytes come from the origin instead.", Fix: switchMirror("on", r, m), Safe: true})
			}
		}
	}
	if x.state != nil {
		for _, p := range x.state.Problems {
			if p.Key == control.KeyStoreUnused || p.Key == control.KeyStoreLied {
				n.add(Finding{ID: p.Key, Level: Warning, What: p.Text, Why: "What others have is not got from there, and what is pulled here does not go there.", Fix: p.Fix})
			}
		}
	}
	if x.reg.Route != config.RouteOffline && x.reg.Route != config.RouteDirect {
		x.tryMirrors(ctx, n)
	}
	if len(n.out.findings) == 0 {
		if len(x.report.Mirrors) == 0 {
			n.ok("mirror", "no mirror of %s is switched on", x.reg.Name)
			return
		}
		n.ok("mirror", "%s", mirrorsWork(x.report.Mirrors))
	}
}

func mirrorsWork(list []Mirror) string {
	var words []string
	for _, m := range list {
		word := m.Name + " works"
		if m.Rate > 0 {
			word += " (" + rate(m.Rate) + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}

// configured says what is known of a mirror without asking it.
func (x *exam) configured(n *notes, r *config.Registry, m *config.Mirror) {
	switch {
	case m.Closed != "":
		n.add(Finding{
			ID: "mirror.closed", Level: Warning, What: fmt.Sprintf("mirror %s of %s serves the public no more, since %s", m.Name, r.Name, m.Closed),
			Why: "It is switched on all the same, and costs time whenever it is tried.", Fix: switchMirror("off", r, m), Safe: true,
		})
	case m.Incomplete():
		n.add(Finding{
			ID: "mirror.incomplete", Level: Warning, What: fmt.Sprintf("mirror %s of %s needs %s in its address", m.Name, r.Name, cmp.Or(m.Needs, "something of yours")),
			Why: "Until then it is not used: " + m.URL, Fix: switchMirror("off", r, m), Safe: true,
		})
	}
}

// switchMirror is the command that switches a mirror on or off for the one registry that it was looked at for: others may have
// one of that name.
func switchMirror(way string, r *config.Registry, m *config.Mirror) string {
	return "pulley mirror " + way + " " + m.Name + " " + r.Name
}

// tryMirrors asks those of the registry that can be asked, all at once.
func (x *exam) tryMirrors(ctx context.Context, n *notes) {
	known := x.daemonSources(ctx)
	var all sync.WaitGroup
	var mu sync.Mutex
	results := map[string]source.Report{}
	for i := range x.reg.Mirrors {
		m := &x.reg.Mirrors[i]
		if !m.Enabled || m.Closed != "" || m.Incomplete() || x.us(hostOf(m.URL), schemeOf(m.URL)) {
			continue
		}
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, knockLimit)
			defer cancel()
			report, err := x.set.TestWith(ctx, x.reg, m.Name, x.reg.Sample, nil)
			if err != nil {
				report.Err = err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			results[m.Name] = report
		})
	}
	all.Wait()
	for i := range x.reg.Mirrors {
		m := &x.reg.Mirrors[i]
		report, asked := results[m.Name]
		if !asked {
			continue
		}
		x.report.Mirrors = append(x.report.Mirrors, Mirror{
			Name: m.Name, URL: m.URL, Reachable: report.Reachable, FirstByte: Duration(report.FirstByte), Rate: report.Rate, Agrees: string(report.Agrees), Error: report.Err,
		})
		x.judgeMirror(n, m, report, known[m.Name])
	}
}

func schemeOf(text string) string {
	scheme, _, _ := strings.Cut(text, "://")
	return scheme
}

// daemonSources is what the daemon has seen.
func (x *exam) daemonSources(ctx context.Context) map[string]control.Source {
	known := map[string]control.Source{}
	if x.live == nil || x.foreign {
		return known
	}
	list, err := x.live.Sources(ctx, x.reg.Name)
	if err != nil {
		return known
	}
	for _, s := range list {
		known[s.Name] = s
	}
	return known
}

// judgeMirror names what is wrong with one.
func (x *exam) judgeMirror(n *notes, m *config.Mirror, r source.Report, seen control.Source) {
	f := Finding{Level: Warning, Fix: switchMirror("off", x.reg, m), Safe: true}
	if x.reg.Route == m.Name {
		f.Why = "The route of " + x.reg.Name + " is this mirror. "
		f.Safe = false
	}
	denied := strings.Contains(r.Err, "answers 401") || strings.Contains(r.Err, "answers 403")
	switch {
	case x.expelled(m) != "":
		f.ID, f.Level, f.What = "mirror.lies", Problem, fmt.Sprintf("mirror %s of %s is not used: %s", m.Name, x.reg.Name, x.expelled(m))
		f.Why += "What it sent was not what the digest says."
	case strings.Contains(r.Err, "not what its digest says"):
		f.ID, f.Level, f.What = "mirror.lies", Problem, fmt.Sprintf("mirror %s of %s sends a layer that is not what its digest says", m.Name, x.reg.Name)
		f.Why += "Its disk is damaged, or it cannot be trusted. Pulley keeps nothing of it."
	case denied:
		f.ID, f.What = "mirror.denied", fmt.Sprintf("mirror %s of %s lets nobody in without an account or an id", m.Name, x.reg.Name)
		f.Why += cmp.Or(m.Needs, "It answers "+status(r.Err)+" to a public image") + "."
	case strings.Contains(r.Err, "answers 429"):
		f.ID, f.What, f.Fix, f.Safe = "mirror.busy", fmt.Sprintf("mirror %s of %s says that too much is asked of it (429)", m.Name, x.reg.Name), "pulley mirror ls "+x.reg.Name, false
		f.Why += "It is left alone for a while. " + m.Limits
	case strings.Contains(r.Err, "answers 404"):
		f.ID, f.Level, f.What, f.Fix, f.Safe = "mirror.lacks", Info, fmt.Sprintf("mirror %s does not have %s", m.Name, x.reg.Sample), "", false
	case r.Err != "" && r.Bytes == 0:
		f.ID, f.What = "mirror.dead", fmt.Sprintf("mirror %s of %s does not work: %s", m.Name, x.reg.Name, r.Err)
		f.Why += "It is switched on and tried; others take its place, which costs time."
	case r.Agrees == source.AnswerNo || len(seen.Differs) > 0:
		f.ID, f.What, f.Fix, f.Safe = "mirror.differs", fmt.Sprintf("mirror %s of %s names another image for a tag than the origin", m.Name, x.reg.Name), "pulley mirror test "+x.reg.Name+" "+m.Name, false
		f.Why += "It lags behind or is not honest. The origin is believed; without the origin it might not be noticed."
	case r.Rate > 0 && r.Rate < slowRate && (r.Bytes >= blobLeast || r.Err != ""):
		f.ID, f.What = "mirror.slow", fmt.Sprintf("mirror %s of %s sends %s", m.Name, x.reg.Name, rate(r.Rate))
		f.Why += strings.TrimSpace("It throttles, or is far away. " + m.Limits)
		f.Fix, f.Safe = x.otherMirror(m), false
	case seen.Why != "" && !seen.Usable:
		f.ID, f.Level, f.What, f.Fix, f.Safe = "mirror.waits", Info, fmt.Sprintf("mirror %s of %s is not asked now: %s", m.Name, x.reg.Name, seen.Why), "", false
		if seen.Until != nil {
			f.What += ", until " + seen.Until.Local().Format(time.TimeOnly)
		}
	default:
		return
	}
	f.Why = strings.TrimSpace(f.Why)
	n.add(f)
}

// otherMirror is the command for not leading with a slow one.
func (x *exam) otherMirror(m *config.Mirror) string {
	if x.reg.Route == m.Name {
		return "pulley route " + x.reg.Name + " auto"
	}
	return switchMirror("off", x.reg, m)
}

// expelled is why the daemon has put a mirror out.
func (x *exam) expelled(m *config.Mirror) string {
	if x.state == nil {
		return ""
	}
	for _, p := range x.state.Problems {
		if p.Key == control.KeyMirrorLied && p.Thing == x.reg.Name+"/"+m.Name {
			return p.About
		}
	}
	return ""
}

func status(text string) string {
	for _, code := range []int{http.StatusUnauthorized, http.StatusForbidden} {
		if strings.Contains(text, fmt.Sprint(code)) {
			return fmt.Sprint(code)
		}
	}
	return "no"
}
