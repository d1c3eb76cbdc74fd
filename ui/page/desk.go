package page

import (
	"context"
	"io"
	"time"

	"fyne.io/fyne/v2"

	"pulley/internal/control"
	"pulley/ui/model"
)

// Desk is what a page works with. The window fills it; tests put in what they like. All of it is for the UI goroutine, and
// nothing of it blocks.
type Desk struct {
	Do     func(model.Action) // a switch: shown as flipped at once, and back again with the reason if the daemon refuses
	Daemon func() Daemon      // nil: none runs
	Tool   Tool
	// Work has work run beside the UI goroutine, and then what it returns (nil: nothing) on it. ctx ends with the program.
	Work   func(work func(ctx context.Context) (then func()))
	Copy   func(text string)
	Toast  func(Toast)
	Visit  func(page Name, thing string)
	Files  Files
	Window func() fyne.Window // to show dialogs and menus in
	Now    func() time.Time
	Shares *model.Shares // those that run, which outlive the page that shows them; nil: the page has its own
	Jobs   *model.Jobs   // the same of what is being fetched, exported and imported
	Memory Memory
}

// Toast is a sentence that goes away by itself.
type Toast struct {
	Text string
	Bad  bool   // something failed: it stays until it is dismissed
	Undo func() // nil: there is nothing to undo
	// Done is called once when the toast is gone and nothing was undone: what cannot be undone is done then. nil: nothing.
	Done func()
}

// Files are the desktop's own dialogs where it has them, else Fyne's. then is not called where the person changed their mind.
type Files interface {
	Open(title string, extensions []string, then func(path string))
	Save(title, name string, then func(path string))
	Folder(title string, then func(path string))
}

// Tool is the command line program beside the app: what belongs to the person and their machine rather than to the daemon
// (engines, contexts, the service, trust) is done by it. Its calls block.
type Tool interface {
	// Run runs `pulley ARGS --json` and decodes what it prints into into (nil: nothing; a func(line []byte): it is handed each
	// line as it is printed, on the goroutine of this call or another, one after the other). An error is its line on stderr,
	// without "pulley: ".
	Run(ctx context.Context, into any, args ...string) error
	// AsRoot is the same with the rights of an administrator, for which the desktop asks the person.
	AsRoot(ctx context.Context, into any, args ...string) error
	// Follow runs it without --json until ctx ends, and hands over each line of its output.
	Follow(ctx context.Context, line func(string), args ...string) error
}

// Daemon is what pages ask of the daemon, which client.Client can. Calls block and may run at once.
type Daemon interface {
	model.Daemon

	State(ctx context.Context) (control.State, error)
	History(ctx context.Context) (control.History, error)
	Events(ctx context.Context, n int) ([]control.Event, error)
	Watch(ctx context.Context, requests bool, f func(control.Message)) error

	Setting(ctx context.Context, key string) (string, error)
	SetSetting(ctx context.Context, key, value string) error
	Addresses(ctx context.Context) ([]control.Address, error)
	SetAddress(ctx context.Context, a control.Address) error
	RemoveAddress(ctx context.Context, host string) error

	CAs(ctx context.Context) ([]control.CA, error)
	RotateCA(ctx context.Context) error

	Images(ctx context.Context) ([]control.Image, error)
	PinImage(ctx context.Context, image string, on bool) (control.Image, error)
	RemoveImage(ctx context.Context, image string) (control.Freed, error)
	GC(ctx context.Context, g control.GC) (control.Freed, error)
	Verify(ctx context.Context, v control.Verify, progress func(control.Verifying)) (control.Verified, error)
	Pull(ctx context.Context, p control.Pull, progress func(control.Pulling)) (control.Pulled, error)
	FetchMissing(ctx context.Context, e control.Export, progress func(control.Pulling)) (control.Pulled, error)
	Export(ctx context.Context, e control.Export, w io.Writer) error
	Import(ctx context.Context, tar io.Reader, progress func(control.Importing)) (control.Imported, error)

	Sources(ctx context.Context, registry string) ([]control.Source, error)
	AddMirror(ctx context.Context, m control.Mirror) error
	RemoveMirror(ctx context.Context, registry, name string) error
	SwitchMirror(ctx context.Context, registry, name string, on bool) error
	OrderMirrors(ctx context.Context, registry string, names []string) error
	TestMirror(ctx context.Context, registry, name string) (control.MirrorReport, error)
	WatchMirrorTest(ctx context.Context, registry, name string, progress func(control.MirrorTesting)) (control.MirrorReport, error)

	Egresses(ctx context.Context) ([]control.Egress, error)
	AddEgress(ctx context.Context, e control.Egress) error
	RemoveEgress(ctx context.Context, name string) error
	UseEgress(ctx context.Context, name string, registries []string) error
	TestEgress(ctx context.Context, name, target string) (control.EgressReport, error)
	AcceptKey(ctx context.Context, name, fingerprint string) error
}
