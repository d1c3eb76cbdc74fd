package engine

import (
	"context"
	"errors"

	"pulley/ui/model"
	"pulley/ui/page"
)

// Wire runs connect or disconnect for one engine.
func Wire(ctx context.Context, tool page.Tool, asRoot bool, args []string) (model.Wiring, error) {
	run := tool.Run
	if asRoot {
		run = tool.AsRoot
	}
	var list []model.Wiring
	err := run(ctx, &list, args...)
	if len(list) == 0 {
		return model.Wiring{}, err
	}
	return list[0], err
}

// CommandOf is the command that does in a terminal what could not be done here; "" if the error names none.
func CommandOf(err error) string {
	var named interface {
		error
		Command() string
	}
	if errors.As(err, &named) {
		return named.Command()
	}
	return ""
}
