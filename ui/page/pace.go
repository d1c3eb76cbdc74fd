package page

import "time"

// Fresh is how long what the daemon said of its sources is shown before it is asked again: speeds and quotas change.
const Fresh = 10 * time.Second

// Glance is how often a running test is drawn anew.
const Glance = 100 * time.Millisecond
