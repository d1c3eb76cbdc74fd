package config

import (
	"reflect"
	"slices"
)

// Choices are what a key can be set to where that is one of a few words; nil where it is something else, or no key.
func Choices(key string) []string {
	switch key {
	case "fetch.finish":
		return []string{FinishAuto, FinishAlways, FinishNever}
	case "tray.language":
		return []string{"auto", "en", "zh-CN"}
	case "tray.theme":
		return []string{"auto", "light", "dark"}
	}
	if slices.Contains(Keys(), key) && fieldOf(Default(), key).Kind() == reflect.Bool {
		return []string{"true", "false"}
	}
	return nil
}
