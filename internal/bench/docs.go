package main

func publish(*results, string) error { return nil }
