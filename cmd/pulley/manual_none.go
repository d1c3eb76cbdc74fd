//go:build !manual

package main

import "github.com/spf13/cobra"

// manual adds nothing: who has a page in hand needs nothing that writes it.
func manual(*cobra.Command) {}
