package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	dockercontext "pulley/internal/docker/context"
)

// completeTime is how long somebody who pressed Tab waits for names: those that are not known then are not offered.
const completeTime = 400 * time.Millisecond

// A completer lists what may stand in the place of an argument, after others. It never says why it knows of nothing: what a
// shell shows then is in the middle of what is being typed.
type completer func(ctx context.Context, before []string) []string

// files leaves an argument to the shell.
var files completer

// anything is for arguments that a person has to know: new names, URLs.
func anything(context.Context, []string) []string { return nil }

// words are those that there are, whatever becomes of the program.
func words(list ...string) completer {
	return func(context.Context, []string) []string { return list }
}

// arguments says what the arguments of each command are. Where Use ends in "…" the last of them stands for all that follow.
func arguments() map[string][]completer {
	images, contexts := []completer{images}, []completer{contexts}
	onOff := []completer{mirrorsAnywhere, registriesWith}
	return map[string][]completer{
		"pause": {words("15m", "30m", "1h", "4h", "8h")}, "route": {registries, routes},
		"mirror ls": {registries}, "mirror add": {registries, mirrors, anything}, "mirror rm": {registries, mirrors},
		"mirror on": onOff, "mirror off": onOff, "mirror test": {registries, sources}, "mirror order": {registries, mirrors}, "mirror set": {registries, mirrors},
		"egress add": {anything, words("ssh://", "socks5://", "http://", "https://")}, "egress rm": {egresses},
		"egress use": {egresses, registries}, "egress test": {egresses, hosts},
		"address set": {hosts, anything}, "address rm": {addresses},
		"config get": {settings}, "config set": {settings, values}, "config check": {files},
		"pull": images, "images": images, "cache ls": images, "cache rm": images, "cache pin": images, "cache unpin": images,
		"cache export": images, "cache import": {files}, "doctor": images,
		"context use": contexts, "context update": contexts, "context rm": contexts, "context undo": {anything}, "context test": contexts,
		"context share": contexts, "context egress": contexts, "context create": {anything, words("ssh://", "tcp://", "unix://")},
		"context export": {contexts[0], files}, "context import": {anything, files},
		"connect": {enginesHere}, "disconnect": {enginesWired},
	}
}

// choices says what the values of some flags are, by command and flag.
func choices() map[string]completer {
	colour := words(dockercontext.Colours()...)
	style := words("host", "prefix", "ns")
	return map[string]completer{
		"images --sort": words("name", "size", "used"), "cache ls --sort": words("name", "size", "used"),
		"mirror add --style": style, "mirror set --style": style,
		"egress add --for": registries, "egress add --except": hosts, "context egress --for": registries, "context egress --except": hosts,
		"context create --colour": colour, "context update --colour": colour,
		"connect --context": contexts, "disconnect --context": contexts,
	}
}

// completes has the commands from cmd on complete names.
func completes(cmd *cobra.Command, places map[string][]completer, flags map[string]completer) {
	path := strings.TrimPrefix(cmd.CommandPath(), cmd.Root().Name()+" ")
	if !cmd.HasSubCommands() {
		cmd.ValidArgsFunction = positional(places[path], strings.Contains(cmd.Use, "…"))
	}
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if c, ok := flags[path+" --"+f.Name]; ok {
			_ = cmd.RegisterFlagCompletionFunc(f.Name, listing(c)) // fails for a flag that is not there
		}
	})
	for _, below := range cmd.Commands() {
		completes(below, places, flags)
	}
}

// positional completes arguments by their place. With many, the last place is that of all that follow, each of which stands there
// once.
func positional(places []completer, many bool) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		at := len(args)
		if many {
			at = min(at, len(places)-1)
		}
		if at >= len(places) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if places[at] == nil {
			return nil, cobra.ShellCompDirectiveDefault
		}
		names := offered(cmd, places[at], args, typed)
		return slices.DeleteFunc(names, func(n string) bool { return many && slices.Contains(args[at:], n) }), cobra.ShellCompDirectiveNoFileComp
	}
}

// listing completes a flag's value, and where that is a list, what comes after the last comma.
func listing(c completer) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
		comma := strings.LastIndex(typed, ",") + 1
		names := offered(cmd, c, args, typed[comma:])
		for i := range names {
			names[i] = typed[:comma] + names[i]
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// offered are the names that begin as what was typed, in order and each once.
func offered(cmd *cobra.Command, c completer, before []string, typed string) (names []string) {
	ctx, cancel := context.WithTimeout(cmd.Context(), completeTime)
	defer cancel()
	for _, name := range c(ctx, before) {
		if strings.HasPrefix(name, typed) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}
