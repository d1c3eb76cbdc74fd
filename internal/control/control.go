// Package control is how the faces of Pulley (tray, command line) and the daemon speak to each other: the values that
// cross the control socket. The server and the client of it are the packages below. It must know neither the daemon nor
// Fyne: it is data.
//
// The interface is HTTP with JSON bodies under /v1/. GET /v1/version comes first; a client of another major version says
// which side to update. Fields are added, never renamed.
package control

import "time"

// Major is the version of this interface, the 1 in /v1/.
const Major = 1

// Drain is how long a daemon that was asked to end may take to finish what runs. Whoever ends one waits a little longer
// before it kills.
const Drain = 30 * time.Second

// Version is the answer to GET /v1/version.
type Version struct {
	Major   int    `json:"major"`   // of this interface
	Program string `json:"program"` // of the daemon, for people
	PID     int    `json:"pid"`
}

// State is everything that a face shows, at one moment.
type State struct {
	Version     string     `json:"version"` // of the daemon
	PID         int        `json:"pid"`
	Started     time.Time  `json:"started"`
	Enabled     bool       `json:"enabled"`
	PausedUntil *time.Time `json:"paused_until,omitempty"` // off, and on again then
	Listen      string     `json:"listen"`                 // the address in use, host:port
	Home        string     `json:"home"`
	ConfigFile  string     `json:"config_file"`
	Problems    []Problem  `json:"problems,omitempty"` // worst first

	Registries []Registry `json:"registries"`
	Active     []Transfer `json:"active,omitempty"`
	Cache      Cache      `json:"cache"`
	Traffic    Traffic    `json:"traffic"`
	Limits     []Limit    `json:"limits,omitempty"`
	Theme      string     `json:"theme,omitempty"`    // of the desktop app: auto, light or dark
	Language   string     `json:"language,omitempty"` // of the desktop app: auto, en or zh-CN
	Notify     bool       `json:"notify"`             // the desktop app may
	Users      []string   `json:"users,omitempty"`    // who may come in with a password, by access.users
	// Held names the keys of config.toml that cannot be changed while the daemon runs, each with the variable of its
	// environment or the flag that holds it: "listen" → "PULLEY_LISTEN".
	Held map[string]string `json:"held,omitempty"`
	// Later names the keys of config.toml whose value is in force from the next start on, each with what is in force until
	// then: "cache.dir" → a folder.
	Later map[string]string `json:"later,omitempty"`
}

// Problem is something a person should know of.
type Problem struct {
	Kind string `json:"kind"` // one of the Problem constants
	Text string `json:"text"` // one sentence: the thing and the cause
	Fix  string `json:"fix"`  // the next step, a command where there is one; may be empty
	// Key says Text once more, for who says it in another language, as "mirror.lied", and Thing what it is about: a registry, a
	// mirror as "registry/name", a host, a path. About is another word that the text needs.
	Key   string `json:"key,omitempty"`
	Thing string `json:"thing,omitempty"`
	About string `json:"about,omitempty"`
	// Cause is the kind of the cause that About tells, one of cause.Kinds; "" none of them.
	Cause string `json:"cause,omitempty"`
}

// Kinds of problems.
const (
	ProblemConfig   = "config"   // the file on disk is not in force
	ProblemCache    = "cache"    // the cache cannot be used: everything passes through
	ProblemDisk     = "disk"     // nothing new can be stored
	ProblemRejected = "rejected" // a client did not accept our certificate
	ProblemMirror   = "mirror"   // a mirror lies, disagrees with the origin, or is switched on and closed
	ProblemNetwork  = "network"  // a name leads to somebody else's address, or a proxy leads back to us
	ProblemEgress   = "egress"   // a way out waits for a person
	ProblemLimit    = "limit"    // a registry finds that too much is asked of it
	ProblemPull     = "pull"     // an image could not be pulled
)

// Registry is one known registry.
type Registry struct {
	Name     string     `json:"name"`
	Hosts    []string   `json:"hosts"`
	Route    string     `json:"route"`
	Routes   []string   `json:"routes"` // what a person may choose as Route: mirrors that are off are not among them
	LastUsed *time.Time `json:"last_used,omitempty"`
	Best     string     `json:"best,omitempty"` // who is asked first on route auto now: "origin", or a mirror
}

// Transfer is a blob on its way here.
type Transfer struct {
	Registry   string    `json:"registry"`
	Repository string    `json:"repository"`
	Digest     string    `json:"digest"`
	Have       int64     `json:"have"`  // bytes
	Total      int64     `json:"total"` // bytes, -1 unknown
	Clients    int       `json:"clients"`
	Since      time.Time `json:"since"`
	Rate       float64   `json:"rate,omitempty"`    // bytes a second of late
	Sources    []string  `json:"sources,omitempty"` // who brings it now, who brought most first
}

// Cache is how full the cache is. Sizes are bytes. Without one that can be used it is zero.
type Cache struct {
	Dir     string `json:"dir"`
	Size    int64  `json:"size"`
	MaxSize int64  `json:"max_size"` // 0: no limit
	Blobs   int64  `json:"blobs"`
	Free    int64  `json:"free"`   // on the disk it is on; -1 if that cannot be told
	Images  int64  `json:"images"` // by manifest, not by tag
	Pinned  int64  `json:"pinned"` // how many of those
	// PinnedSize counts a layer that pinned images share for each of them.
	PinnedSize int64 `json:"pinned_size"`
	Saved      int64 `json:"saved"` // served from here and not fetched again, by images that are here
}

// Traffic is what was served, in bytes.
type Traffic struct {
	Today Bytes `json:"today"`
	Ever  Bytes `json:"ever"`
	// SavedTime is what the bytes from the cache would have taken over the network, by each registry's own speed as far as
	// that was seen: 0 where none was.
	SavedTime time.Duration `json:"saved_time,omitempty"`
}

// Bytes says where they came from.
type Bytes struct {
	Requests  int64 `json:"requests"`
	FromCache int64 `json:"from_cache"`
	FromNet   int64 `json:"from_net"`
}

// Limit is what a registry said of its pull limit. A registry that said nothing has none here.
type Limit struct {
	Registry  string        `json:"registry"`
	Identity  string        `json:"identity"` // whose it is: "anonymous", or the user's name
	Limit     int           `json:"limit"`
	Remaining int           `json:"remaining"`
	Window    time.Duration `json:"window"`
	At        time.Time     `json:"at"`              // when it said so
	Again     *time.Time    `json:"again,omitempty"` // none is left, and some are again then at the latest
}

// Event is one request that was answered. It holds no secrets.
type Event struct {
	Time       time.Time     `json:"time"`
	Door       string        `json:"door"`
	Client     string        `json:"client,omitempty"`
	Agent      string        `json:"agent,omitempty"`
	Method     string        `json:"method,omitempty"`
	Registry   string        `json:"registry,omitempty"`
	Repository string        `json:"repository,omitempty"`
	What       string        `json:"what"`
	Reference  string        `json:"reference,omitempty"`
	Digest     string        `json:"digest,omitempty"`
	Status     int           `json:"status,omitempty"`
	Bytes      int64         `json:"bytes"`
	FromCache  int64         `json:"from_cache"`
	FromNet    int64         `json:"from_net"`
	Source     string        `json:"source,omitempty"` // "cache", "joined" (a download that another request had begun), or those that brought bytes, most first: "daocloud+origin"
	Way        string        `json:"way,omitempty"`    // how they were reached: "direct 192.0.2.1", "egress jump"
	Duration   time.Duration `json:"duration"`         // ns
	FirstByte  time.Duration `json:"first_byte"`
	PullsLeft  *int          `json:"pulls_left,omitempty"` // of the asker's limit, if the registry said so in answer to this
	Note       string        `json:"note,omitempty"`
	Err        string        `json:"err,omitempty"`
	Cause      string        `json:"cause,omitempty"` // what kind of thing went wrong: "limit", "unreachable", "missing" …; "" if nothing did
	// Parts is where the bytes of a blob came from, in the blob's order, and Failed what was tried in vain, in time's. Both
	// have an end: much of one blob is told in fewer parts, and of many failures the first.
	Parts  []Part   `json:"parts,omitempty"`
	Failed []Failed `json:"failed,omitempty"`
}

// Part is a range of a blob that one source brought.
type Part struct {
	Source string `json:"source"` // "cache" is what was on disk
	From   int64  `json:"from"`
	To     int64  `json:"to"` // not included
}

// Failed is a source that did not bring what it was asked for.
type Failed struct {
	Source string        `json:"source"`
	After  time.Duration `json:"after"` // since the request
	Err    string        `json:"err"`
}

// Message is one line of the event stream. The first has State, and State comes again whenever it changed; Event is set
// for each answered request, if the client asked for those.
type Message struct {
	State *State `json:"state,omitempty"`
	Event *Event `json:"event,omitempty"`
}

// CA is one local certificate authority.
type CA struct {
	Subject   string    `json:"subject"`
	Permitted []string  `json:"permitted"` // names it may sign for
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"` // of the certificate
	Retired   bool      `json:"retired,omitempty"`
}

// Setting is one key of config.toml.
type Setting struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

// Error is the body of every answer that is not 2xx: one line for a person.
type Error struct {
	Text  string `json:"error"`
	Cause string `json:"cause,omitempty"` // the kind of what it is due to, one of cause.Kinds; "" none of them
}

// Host is the Host header of requests over the socket.
const Host = "pulley"

// Enabled is the body of PUT /v1/enabled.
type Enabled struct {
	Enabled bool `json:"enabled"`
}

// Pause is the body of POST /v1/pause.
type Pause struct {
	For time.Duration `json:"for"` // ns
}

// Route is the body of PUT /v1/route.
type Route struct {
	Registry string `json:"registry"`
	Route    string `json:"route"`
}
