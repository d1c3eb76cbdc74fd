package trust

import "context"

const platform = "Windows"

func (s Store) install(_ context.Context, pemFile string, _ [][]byte) error {
	return &ByHandError{Platform: platform, Do: "in an administrator's prompt: certutil -addstore Root \"" + pemFile + "\""}
}

func (s Store) uninstall(context.Context) error {
	return &ByHandError{Platform: platform, Do: "delete the certificates named \"Pulley local CA\" in certlm.msc, Trusted Root Certification Authorities"}
}

func (s Store) status([][]byte) (Status, error) {
	return Status{Detail: "not known on " + platform + "; look for \"Pulley local CA\" among the trusted roots"}, nil
}
