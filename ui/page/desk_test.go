package page_test

import (
	"pulley/internal/control/client"
	"pulley/ui/page"
)

var _ page.Daemon = (*client.Client)(nil) // what pages ask for, the daemon's client can
