//go:build !linux && !darwin && !windows

package choose

import "context"

func ask(context.Context, question) (string, error) { return "", ErrNone }
