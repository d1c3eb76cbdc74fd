package settings

import (
	"pulley/ui/lang"
	"pulley/ui/model"
)

// text has the keys of a setting's texts; the second may be empty.
var text = map[string][2]string{
	"tray.language":          {"settings.language", "settings.language_hint"},
	"tray.theme":             {"settings.theme", ""},
	"tray.notify":            {"settings.notify", "settings.notify_hint"},
	"listen":                 {"settings.listen", "settings.listen_hint"},
	"access.allow":           {"settings.allow", "settings.allow_hint"},
	"access.private_offline": {"settings.private_offline", "settings.private_offline_hint"},
	"cache.max_size":         {"settings.max_size", "settings.max_size_hint"},
	"cache.dir":              {"settings.dir", "settings.dir_hint"},
	"cache.tag_ttl":          {"settings.tag_ttl", "settings.tag_ttl_hint"},
	"cache.offline_stale":    {"settings.offline_stale", "settings.offline_stale_hint"},
	"cache.shared":           {"settings.shared", "settings.shared_hint"},
	"cache.shared_private":   {"settings.shared_private", "settings.shared_private_hint"},
	"fetch.connections":      {"settings.connections", "settings.connections_hint"},
	"fetch.range_min":        {"settings.range_min", "settings.range_min_hint"},
	"fetch.max_rate":         {"settings.max_rate", "settings.max_rate_hint"},
	"fetch.finish":           {"settings.finish", "settings.finish_hint"},
	"fetch.doh":              {"settings.doh", "settings.doh_hint"},
	"log.max_size":           {"settings.log_size", "settings.log_size_hint"},
}

func label(key string) string { return lang.Say(text[key][0]) }

func hint(key string) string {
	if hint := text[key][1]; hint != "" {
		return lang.Say(hint)
	}
	return ""
}

// optionText has the keys of what is chosen among; languages are called by their own names in every language.
var optionText = map[string]map[string]string{
	"tray.language": {"auto": "settings.option_auto", "en": "settings.option_en", "zh-CN": "settings.option_zh"},
	"tray.theme":    {"auto": "settings.option_auto", "light": "settings.option_light", "dark": "settings.option_dark"},
	"fetch.finish":  {"auto": "settings.option_auto", "always": "settings.option_always", "never": "settings.option_never"},
}

func optionWord(key, option string) string {
	if text := optionText[key][option]; text != "" {
		return lang.Say(text)
	}
	return option
}

// fault is the key of what is wrong with a value.
func fault(d model.SettingDef) string {
	switch d.Kind {
	case model.Count:
		return "settings.wrong_count"
	case model.Amount:
		return "settings.wrong_amount"
	case model.Speed:
		return "settings.wrong_speed"
	case model.Time:
		return "settings.wrong_time"
	case model.Address:
		return "settings.wrong_address"
	case model.Folder:
		return "settings.wrong_folder"
	case model.WebURL:
		return "settings.wrong_url"
	default:
		return "settings.wrong_store"
	}
}

// example is what stands in an empty field.
func example(d model.SettingDef) string {
	switch d.Key {
	case "fetch.max_rate":
		return lang.Say("settings.no_limit")
	case "cache.dir":
		return lang.Say("settings.usual_place")
	case "cache.shared":
		return "s3://bucket/prefix?region=…"
	case "fetch.doh":
		return "https://dns.example.com/dns-query"
	case "access.allow":
		return "192.168.1.0/24"
	default:
		return ""
	}
}

func cancel() string { return lang.Say("settings.cancel") }
