//go:build cgo && !linux

package main

// unload does nothing: what these systems count for a program leaves out what it only reads.
func unload() {}
