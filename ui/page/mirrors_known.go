package page

import (
	"pulley/internal/control"
	"pulley/ui/lang"
)

// mirrorKeys are the texts of what is known of one built-in mirror; "" where there is nothing to say.
type mirrorKeys struct{ about, needs, limits string }

// mirrorTexts has them by the mirror's name (assets/registries.toml), so that a language may say it in its own words. What is
// not here is shown as the daemon says it.
var mirrorTexts = map[string]mirrorKeys{
	"daocloud":   {about: "mirrors.about_daocloud", limits: "mirrors.limits_daocloud"},
	"aliyun":     {about: "mirrors.about_aliyun", limits: "mirrors.limits_aliyun", needs: "mirrors.needs_aliyun"},
	"ustc":       {about: "mirrors.about_ustc"},
	"163":        {about: "mirrors.about_163"},
	"tencent":    {about: "mirrors.about_tencent", needs: "mirrors.needs_tencent"},
	"nju":        {about: "mirrors.about_nju"},
	"docker-cn":  {about: "mirrors.about_docker_cn"},
	"google":     {about: "mirrors.about_google", limits: "mirrors.limits_google"},
	"ecr-public": {about: "mirrors.about_ecr", limits: "mirrors.limits_ecr"},
}

// knownText is what the daemon said, in our words if we have some for it.
func knownText(said string, s control.Source, key func(mirrorKeys) string) string {
	if keys, ours := mirrorTexts[s.Name]; ours && s.BuiltIn && said != "" && key(keys) != "" {
		return lang.Say(key(keys))
	}
	return said
}

func needsOf(s control.Source) string {
	return knownText(s.Needs, s, func(k mirrorKeys) string { return k.needs })
}

func limitsOf(s control.Source) string {
	return knownText(s.Limits, s, func(k mirrorKeys) string { return k.limits })
}

// aboutOf is whose mirror it is; of one that a person added, where it is.
func aboutOf(s control.Source) string {
	if s.About == "" {
		return hostOf(s.URL)
	}
	return knownText(s.About, s, func(k mirrorKeys) string { return k.about })
}
