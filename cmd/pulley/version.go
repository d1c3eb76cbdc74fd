package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// version is set by the linker for releases.
var version = ""

// build is what this program was made of, as far as it was told: https://pkg.go.dev/runtime/debug#BuildSetting.
type build struct {
	Version  string     `json:"version"`
	Commit   string     `json:"commit,omitempty"`
	Modified bool       `json:"modified"`              // there was more in the tree than in the commit
	Date     *time.Time `json:"commit_date,omitempty"` // of the commit
	Go       string     `json:"go"`
	Platform string     `json:"platform"` // as linux/amd64
}

func programVersion() string {
	info, _ := debug.ReadBuildInfo()
	return versionOf(version, info)
}

// versionOf is what the linker said, else what Go knows. There may be no info.
func versionOf(linked string, info *debug.BuildInfo) string {
	switch {
	case linked != "":
		return linked
	case info != nil && info.Main.Version != "" && info.Main.Version != "(devel)":
		return info.Main.Version
	}
	return "development"
}

func buildOf(linked string, info *debug.BuildInfo) build {
	b := build{Version: versionOf(linked, info), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	if info == nil {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		case "vcs.time":
			if at, err := time.Parse(time.RFC3339, s.Value); err == nil {
				b.Date = &at
			}
		}
	}
	return b
}

// String is one line for people.
func (b build) String() string {
	var from []string
	if b.Commit != "" {
		commit := fmt.Sprintf("%.7s", b.Commit)
		if b.Modified {
			commit += " modified"
		}
		from = append(from, commit)
	}
	if b.Date != nil {
		from = append(from, b.Date.UTC().Format(time.DateOnly))
	}
	line := "pulley " + b.Version
	if len(from) > 0 {
		line += " (" + strings.Join(from, ", ") + ")"
	}
	return line + " " + b.Platform + ", " + b.Go
}

func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "print the version, and the commit it was built from", Args: exactly(0, "no arguments"),
		RunE: func(cmd *cobra.Command, _ []string) error {
			info, _ := debug.ReadBuildInfo()
			b := buildOf(version, info)
			return a.print(cmd, b, func(w io.Writer) { _, _ = fmt.Fprintln(w, b) })
		},
	}
}
