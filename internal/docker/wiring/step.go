package wiring

// Step is one that connecting or disconnecting takes, told as it begins.
type Step struct {
	Kind  string `json:"step"`
	Thing string `json:"thing,omitempty"`
}

// Kinds of steps, and what Thing is.
const (
	StepStop     = "stop"     // an engine that would write over its files as it ends; its name
	StepWrite    = "write"    // a file; its path
	StepRemove   = "remove"   // a file; its path
	StepTrust    = "trust"    // the system comes to trust the local authority
	StepUntrust  = "untrust"  // and to trust it no more
	StepActivate = "activate" // the engine takes it up; how, as Activation.Text
	StepProve    = "prove"    // by a test pull, which is whoever connects' to do; the image
	StepPutBack  = "put back" // everything, since a step failed
	StepRestored = "restored" // everything is as it was before
)

func (w *Wirer) told(kind, thing string) {
	if w.Told != nil {
		w.Told(Step{kind, thing})
	}
}
