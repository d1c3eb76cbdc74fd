//go:build !linux

package tool

func pkexec() {}
