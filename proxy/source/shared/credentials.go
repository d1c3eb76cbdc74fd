package shared

import (
	"context"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/minio/minio-go/v7/pkg/credentials"
)

// metadataLimit bounds a request to a machine's or container's own service for
// credentials, which is next door or not there.
const metadataLimit = 2 * time.Second

// chain looks for credentials where Amazon's own tools do: the environment, the
// files of AWS_PROFILE, a web identity, the container's service, and the machine's
// if this is one of theirs. They are looked for by the probe alone, never by a pull.
func chain() *credentials.Credentials {
	list := []credentials.Provider{&credentials.EnvAWS{}, &credentials.FileAWSCredentials{}}
	if hasRole() {
		// The service is on this machine or next to it: no way out leads there.
		near := &http.Transport{Proxy: nil, DialContext: (&net.Dialer{Timeout: metadataLimit}).DialContext, DisableKeepAlives: true}
		list = append(list, &credentials.IAM{Client: &http.Client{Timeout: metadataLimit, Transport: near}})
	}
	return credentials.New(&credentials.Chain{Providers: list})
}

// hasRole says that a service for credentials is named in the environment, or that
// the machine is Amazon's: elsewhere the address of that service is nobody's, or
// somebody else's.
func hasRole() bool {
	for _, name := range []string{"AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return os.Getenv("AWS_EC2_METADATA_DISABLED") != "true" && onAmazon()
}

// login finds credentials, again if they have run out.
func (s *Store) login(ctx context.Context) (credentials.Value, error) {
	v, err := s.creds.GetWithContext(&credentials.CredContext{Client: &http.Client{Transport: s.transport(), Timeout: probeLimit}, Context: ctx})
	switch {
	case ctx.Err() != nil:
		return v, context.Cause(ctx)
	case err != nil || v.AccessKeyID == "" || v.SecretAccessKey == "":
		// What a provider fails with may quote what it read.
		return v, &refusedError{"no AWS credentials were found; set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, for the daemon, or: aws configure"}
	}
	return v, nil
}
