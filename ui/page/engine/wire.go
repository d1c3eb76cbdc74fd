package engine

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"pulley/ui/model"
	"pulley/ui/page"
)

// Wire runs connect or disconnect for one engine.
func Wire(ctx context.Context, tool page.Tool, asRoot bool, args []string) (model.Wiring, error) {
	var list []model.Wiring
	err := runner(tool, asRoot)(ctx, &list, args...)
	return first(list), err
}

// wireBySteps is Wire that tells each step as it begins, on a goroutine of its own.
func wireBySteps(ctx context.Context, tool page.Tool, asRoot bool, args []string, begins func(model.WireStep)) (model.Wiring, error) {
	var list []model.Wiring
	var unread error
	err := runner(tool, asRoot)(ctx, func(text []byte) {
		var line struct {
			Progress *model.WireStep `json:"progress"`
			Result   []model.Wiring  `json:"result"`
		}
		switch err := json.Unmarshal(text, &line); {
		case err != nil:
			unread = fmt.Errorf("pulley %s: its answer cannot be read: %w", args[0], err)
		case line.Progress != nil:
			begins(*line.Progress)
		default:
			list = line.Result
		}
	}, append(slices.Clone(args), "--steps")...)
	return first(list), cmp.Or(err, unread)
}

func runner(tool page.Tool, asRoot bool) func(ctx context.Context, into any, args ...string) error {
	if asRoot {
		return tool.AsRoot
	}
	return tool.Run
}

func first(list []model.Wiring) model.Wiring {
	if len(list) == 0 {
		return model.Wiring{}
	}
	return list[0]
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
