//go:build !linux

package shared

import "os"

// onAmazon says that somebody has said so: nothing here tells it for sure.
func onAmazon() bool { return os.Getenv("AWS_EC2_METADATA_SERVICE_ENDPOINT") != "" }
