package trust

import "context"

const platform = "macOS"

func (s Store) install(_ context.Context, pemFile string, _ [][]byte) error {
	return &ByHandError{Platform: platform, Do: "sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain " + pemFile}
}

func (s Store) uninstall(context.Context) error {
	return &ByHandError{Platform: platform, Do: "delete the certificates named \"Pulley local CA\" in Keychain Access, System"}
}

func (s Store) status([][]byte) (Status, error) {
	return Status{Detail: "not known on " + platform + "; look for \"Pulley local CA\" among the trusted roots"}, nil
}
