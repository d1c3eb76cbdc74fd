//go:build !linux

package main

import (
	"errors"
	"time"
)

var errLinux = errors.New("this needs Linux, whose /proc says what processes use")

func family(pid int) []int { return []int{pid} }

func cpu([]int) time.Duration { return 0 }

func ownCPU() time.Duration { return 0 }

func memory([]int) (float64, error) { return 0, errLinux }

func pinSelf(int, int) error { return errLinux }

func fileSystem(string) string { return "" }

func ready() error { return errLinux }
