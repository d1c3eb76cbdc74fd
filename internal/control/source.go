package control

import "time"

// Source is a place that a registry's bytes can come from: the origin, or a mirror.
type Source struct {
	Registry string `json:"registry"`
	Name     string `json:"name"` // "origin", or the mirror's
	Origin   bool   `json:"origin,omitempty"`
	URL      string `json:"url,omitempty"`
	Style    string `json:"style,omitempty"`
	Enabled  bool   `json:"enabled"`
	BuiltIn  bool   `json:"built_in,omitempty"`

	// What is in force now.
	Usable bool       `json:"usable"`
	Why    string     `json:"why,omitempty"`   // it is not usable
	Cause  string     `json:"cause,omitempty"` // the kind of that, one of cause.Kinds; "" none of them
	Until  *time.Time `json:"until,omitempty"` // and not before

	// What was seen on the network this machine is on; zero: nothing yet.
	Rate      float64       `json:"rate,omitempty"` // bytes a second of one connection
	FirstByte time.Duration `json:"first_byte,omitempty"`
	Proven    bool          `json:"proven,omitempty"`  // its bytes are streamed before the digest fits
	Differs   []Differs     `json:"differs,omitempty"` // tags that stood for something else than the origin's, latest first

	Quota     int64      `json:"quota,omitempty"`      // bytes a period, 0 none
	QuotaUsed int64      `json:"quota_used,omitempty"` // in the period that runs
	QuotaEnds *time.Time `json:"quota_ends,omitempty"` // when it starts anew

	// As config.toml has it: a mirror's remaining settings, and which one in the order of preference it is: 1 the first, 0
	// for what has no place there.
	Place     int    `json:"place,omitempty"`
	QuotaSet  string `json:"quota_set,omitempty"` // "10GiB/month"
	Auth      string `json:"auth,omitempty"`      // a reference, never a secret
	TrustTags bool   `json:"trust_tags,omitempty"`
	Private   bool   `json:"private,omitempty"`

	// What is known about a built-in one.
	About  string `json:"about,omitempty"`
	Needs  string `json:"needs,omitempty"`
	Limits string `json:"limits,omitempty"`
	Closed string `json:"closed,omitempty"` // since when it serves the public no more
}

// Differs is a tag for which a mirror named another digest than the origin.
type Differs struct {
	Image  string    `json:"image"` // registry/repository:tag
	Mirror string    `json:"mirror"`
	Origin string    `json:"origin"`
	At     time.Time `json:"at"`
}

// Mirror is the body of POST /v1/mirrors, a mirror to be added, and of DELETE /v1/mirrors, which reads only the names.
type Mirror struct {
	Registry  string `json:"registry"`
	Name      string `json:"name"`
	URL       string `json:"url,omitempty"`
	Style     string `json:"style,omitempty"` // "host" if empty
	Quota     string `json:"quota,omitempty"`
	Auth      string `json:"auth,omitempty"`
	TrustTags bool   `json:"trust_tags,omitempty"`
	Private   bool   `json:"private,omitempty"`
	// Amend changes the mirror that has this name, where it stands, to what is said here; what is empty is emptied, but for
	// URL and Style, which stay. It does not switch it.
	Amend bool `json:"amend,omitempty"`
}

// MirrorSwitch is the body of PUT /v1/mirrors. An empty Registry means every registry that has a mirror of this name.
type MirrorSwitch struct {
	Registry string `json:"registry,omitempty"`
	Name     string `json:"name"`
	Enabled  bool   `json:"enabled"`
}

// MirrorTest is the body of POST /v1/mirrors/test, which answers with a MirrorReport, and of POST /v1/mirrors/test/watch,
// which answers with lines of MirrorTesting before: one source of one registry.
type MirrorTest struct {
	Registry string `json:"registry"`
	Name     string `json:"name"` // "origin", or the mirror's
}

// MirrorReport is what a test found out.
type MirrorReport struct {
	Registry  string        `json:"registry"`
	Name      string        `json:"name"`
	Reachable bool          `json:"reachable"`
	FirstByte time.Duration `json:"first_byte,omitempty"`
	Rate      float64       `json:"rate,omitempty"`   // bytes a second
	Ranges    bool          `json:"ranges"`           // it serves parts of a blob
	Agrees    string        `json:"agrees,omitempty"` // "yes", "no", or why it is not known
	QuotaLeft int64         `json:"quota_left"`       // bytes, -1 without a quota
	Error     string        `json:"error,omitempty"`  // why it cannot be used
	Cause     string        `json:"cause,omitempty"`  // the kind of that, one of cause.Kinds; "" none of them
}

// Egress is a way out of this machine.
type Egress struct {
	Name   string   `json:"name"`
	URL    string   `json:"url"` // without user's password
	For    []string `json:"for,omitempty"`
	Except []string `json:"except,omitempty"`
	Why    string   `json:"why,omitempty"` // it cannot be used
	// HostKey is the key of an SSH server nobody has vouched for yet: connections wait for a person's word.
	HostKey *HostKey `json:"host_key,omitempty"`
}

// HostKey is an SSH server's key as a person compares it.
type HostKey struct {
	Host        string `json:"host"`
	Type        string `json:"type"`
	Fingerprint string `json:"fingerprint"` // "SHA256:…"
}

// EgressUse is the body of PUT /v1/egress: which registries leave through it; "*" for all, tunnels too.
type EgressUse struct {
	Name string   `json:"name"`
	For  []string `json:"for"`
}

// EgressTest is the body of POST /v1/egress/test. Name is one of the [[egress]], or "direct".
type EgressTest struct {
	Name   string `json:"name"`
	Target string `json:"target,omitempty"` // host[:port]; Docker Hub if empty
}

// EgressReport is what a test found out.
type EgressReport struct {
	Name    string        `json:"name"`
	Target  string        `json:"target"`
	OK      bool          `json:"ok"`
	Connect time.Duration `json:"connect,omitempty"` // until the way stood
	Answer  time.Duration `json:"answer,omitempty"`  // until the target's TLS handshake was done
	Way     string        `json:"way,omitempty"`     // as the log says it
	Error   string        `json:"error,omitempty"`
	Cause   string        `json:"cause,omitempty"`    // the kind of that, one of cause.Kinds; "" none of them
	HostKey *HostKey      `json:"host_key,omitempty"` // to be accepted first
}

// AcceptKey is the body of POST /v1/egress/accept.
type AcceptKey struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"`
}

// MirrorOrder is the body of PUT /v1/mirrors/order.
type MirrorOrder struct {
	Registry string   `json:"registry"`
	Names    []string `json:"names"` // of mirrors, the most preferred first; who is not named comes after, as before
}

// MirrorTesting is how far a test of a mirror has come.
type MirrorTesting struct {
	FirstByte time.Duration `json:"first_byte,omitempty"` // 0: not yet
	Bytes     int64         `json:"bytes"`
	Size      int64         `json:"size"` // of what is fetched at most
	Rate      float64       `json:"rate"` // bytes a second so far
}

// Address is one [[address]], also the body of PUT and DELETE /v1/addresses, which read no Bad: where a host is dialled instead of asking for its name.
type Address struct {
	Host string   `json:"host"`
	Use  []string `json:"use"`           // "ip" or "ip:port", tried in turn
	Bad  []string `json:"bad,omitempty"` // of those, who failed lately
}
