package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"pulley/internal/config"
	"pulley/internal/control"
	"pulley/internal/control/client"
	dockercontext "pulley/internal/docker/context"
	"pulley/internal/docker/machine"
	dockershare "pulley/internal/docker/share"
)

// sharedPort is the port on the remote machine, if none is given: what the port here is called everywhere.
const sharedPort = 5055

func (a *app) contextShare() *cobra.Command {
	var port uint16
	var wire bool
	cmd := &cobra.Command{
		Use: "share NAME", Short: "let the engine of an ssh context pull through this machine's Pulley, until Ctrl-C", Args: exactly(1, "a name"),
		Long: "Opens a port on the loopback of the context's machine that leads here through your own ssh, so that on it\n" +
			"  docker pull 127.0.0.1:5055/library/debian\n" +
			"  docker pull 127.0.0.1:5055/ghcr.io/org/app\n" +
			"come from this machine's cache. A link that breaks is made again. Whoever is on that machine can use the port;\n" +
			"private images need their own login there, as everywhere. With --wire its engine also looks here first for what is on\n" +
			"Docker Hub: registry-mirrors in its daemon.json, without a restart, taken back at the end.",
		RunE: func(cmd *cobra.Command, args []string) error {
			return withContexts(func(b *dockercontext.Book) error {
				address, err := b.SSH(args[0])
				if err != nil {
					return err
				}
				to, err := liveAddress(cmd)
				if err != nil {
					return err
				}
				places, err := config.FindPlaces(os.Environ())
				if err != nil {
					return err
				}
				o := dockershare.Options{
					SSH: machine.SSHOptions{URL: address, Name: args[0]}, Port: int(port), To: to, Say: a.sayShared(cmd),
					Memory: filepath.Join(places.StateDir, "shares", url.PathEscape(args[0])+".json"),
				}
				if wire {
					a.wireShared(cmd, &o)
				}
				return dockershare.Run(cmd.Context(), o)
			})
		},
	}
	cmd.Flags().Uint16Var(&port, "port", sharedPort, "the port there; 0 takes one that is free")
	cmd.Flags().BoolVar(&wire, "wire", false, "have its engine look here first for what is on Docker Hub")
	return cmd
}

// liveAddress is where the daemon that runs listens, as seen from this machine.
func liveAddress(cmd *cobra.Command) (addr string, err error) {
	err = with(cmd, func(c *client.Client) error {
		var state control.State
		if state, err = c.State(cmd.Context()); err != nil {
			return err
		}
		host, port, err := net.SplitHostPort(state.Listen)
		if err != nil {
			return fmt.Errorf("the daemon listens at %q: %w", state.Listen, err)
		}
		if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
			host = "127.0.0.1"
		}
		addr = net.JoinHostPort(host, port)
		return nil
	})
	return addr, err
}

// sayShared prints what happens: a line each, or JSON lines. What is no good news goes to stderr.
func (a *app) sayShared(cmd *cobra.Command) func(dockershare.Event) {
	out, bad := cmd.OutOrStdout(), cmd.ErrOrStderr()
	if a.json {
		encoder := json.NewEncoder(out)
		return func(e dockershare.Event) { _ = encoder.Encode(e) }
	}
	first := true
	return func(e dockershare.Event) {
		switch e.Event {
		case dockershare.Up:
			if !first {
				_, _ = fmt.Fprintf(out, "%s: up again\n", e.Context)
				break
			}
			first = false
			printShared(out, e)
		case dockershare.Down:
			_, _ = fmt.Fprintf(bad, "pulley: %s: down: %s\n", e.Context, trimName(e))
		case dockershare.Retry:
			_, _ = fmt.Fprintf(bad, "pulley: %s: not yet up again: %s; next try in %s\n", e.Context, trimName(e), e.Retry.Round(time.Second))
		case dockershare.Wired:
			_, _ = fmt.Fprintf(out, "%s: its engine looks here first for what is on Docker Hub\n", e.Context)
		case dockershare.Unwired:
			_, _ = fmt.Fprintf(out, "%s: its engine's settings are as they were\n", e.Context)
		case dockershare.Finished:
			_, _ = fmt.Fprintf(out, "%s: no longer shared\n", e.Context)
		}
		if e.Event == dockershare.Up && e.Error != "" {
			_, _ = fmt.Fprintf(bad, "pulley: %s: %s\n", e.Context, e.Error)
		}
	}
}

func printShared(w io.Writer, e dockershare.Event) {
	_, _ = fmt.Fprintf(w, "%s: port %d on its loopback is this Pulley; there: docker pull 127.0.0.1:%d/library/debian; Ctrl-C ends it\n", e.Context, e.Port, e.Port)
}

// trimName is an event's error without the name in front, which is there already.
func trimName(e dockershare.Event) string {
	if name := e.Context + ": "; len(e.Error) > len(name) && e.Error[:len(name)] == name {
		return e.Error[len(name):]
	}
	return e.Error
}
