package choose

import "strings"

// apple is the arguments of osascript that ask q. What a person reads goes in as arguments of the script, never into its text.
func (q question) apple() []string {
	line := map[what]string{
		open:   "choose file with prompt (item 1 of argv)",
		save:   "choose file name with prompt (item 1 of argv) default name (item 2 of argv)",
		folder: "choose folder with prompt (item 1 of argv)",
	}[q.what]
	args := []string{q.title}
	switch {
	case q.what == save:
		args = append(args, q.name)
	case q.what == open && len(q.extensions) > 0:
		line += " of type (items 2 thru -1 of argv)"
		for _, e := range q.extensions {
			args = append(args, strings.TrimPrefix(e, "."))
		}
	}
	return append([]string{"-e", "on run argv", "-e", "activate", "-e", "return POSIX path of (" + line + ")", "-e", "end run", "--"}, args...)
}

// Variables that the script for PowerShell takes its words from.
const (
	titleVariable  = "PULLEY_DIALOG_TITLE"
	nameVariable   = "PULLEY_DIALOG_NAME"
	filterVariable = "PULLEY_DIALOG_FILTER"
)

// power is a script for PowerShell that asks q, and the variables that it wants.
func (q question) power() (script string, environ []string) {
	lines := []string{
		"$ErrorActionPreference = 'Stop'",
		"[Console]::OutputEncoding = New-Object System.Text.UTF8Encoding $false",
		"Add-Type -AssemblyName System.Windows.Forms",
	}
	answer := "$d.FileName"
	switch q.what {
	case folder:
		lines = append(lines, "$d = New-Object System.Windows.Forms.FolderBrowserDialog", "$d.Description = $env:"+titleVariable)
		answer = "$d.SelectedPath"
	case save:
		lines = append(lines, "$d = New-Object System.Windows.Forms.SaveFileDialog", "$d.Title = $env:"+titleVariable, "$d.FileName = $env:"+nameVariable)
	default:
		lines = append(lines, "$d = New-Object System.Windows.Forms.OpenFileDialog", "$d.Title = $env:"+titleVariable, "$d.Filter = $env:"+filterVariable)
	}
	// A dialog of a program without a window comes up behind the others unless an owner on top of them all is given.
	lines = append(lines, "$o = New-Object System.Windows.Forms.Form -Property @{TopMost = $true}",
		"if ($d.ShowDialog($o) -eq 'OK') { [Console]::Out.Write("+answer+") }")
	return strings.Join(lines, "; "), []string{titleVariable + "=" + q.title, nameVariable + "=" + q.name, filterVariable + "=" + q.filter()}
}

// filter is what Windows calls the kinds of files that may be chosen.
func (q question) filter() string {
	if len(q.extensions) == 0 {
		return "*.*|*.*"
	}
	patterns := "*" + strings.Join(q.extensions, ";*")
	return patterns + "|" + patterns + "|*.*|*.*"
}
