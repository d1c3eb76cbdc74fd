//go:build !linux && !darwin && !windows

package trust

import "context"

const platform = "this system"

func (s Store) install(_ context.Context, pemFile string, _ [][]byte) error {
	return &ByHandError{Platform: platform, Do: "add " + pemFile + " to the system's trusted roots"}
}

func (s Store) uninstall(context.Context) error {
	return &ByHandError{Platform: platform, Do: "remove the certificates named \"Pulley local CA\" from the system's trusted roots"}
}

func (s Store) status([][]byte) (Status, error) {
	return Status{Detail: "not known on " + platform + "; look for \"Pulley local CA\" among the trusted roots"}, nil
}
