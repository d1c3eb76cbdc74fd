package registry

import (
	"fmt"
	"strings"
)

// A PlatformError says that an image has nothing for a platform that was asked for.
type PlatformError struct {
	Image    string   // full reference
	Platform string   // "linux/arm64"
	Have     []string // those that it has, sorted
}

func (e *PlatformError) Error() string {
	if len(e.Have) == 0 {
		return fmt.Sprintf("%s: there is nothing for %s in it, and it does not say for what else", e.Image, e.Platform)
	}
	return fmt.Sprintf("%s: there is nothing for %s in it, only for %s; try: --platform %s", e.Image, e.Platform,
		strings.Join(e.Have, ", "), e.Have[0])
}
