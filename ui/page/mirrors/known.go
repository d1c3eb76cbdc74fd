package mirrors

import (
	"pulley/internal/control"
	"pulley/ui/lang"
)

// keys are the texts of what is known of one built-in mirror; "" where there is nothing to say.
type keys struct{ about, needs, limits string }

// texts has them by the mirror's name (assets/registries.toml), so that a language may say it in its own words. What is
// not here is shown as the daemon says it.
var texts = map[string]keys{
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
func knownText(said string, s control.Source, key func(keys) string) string {
	if keys, ours := texts[s.Name]; ours && s.BuiltIn && said != "" && key(keys) != "" {
		return lang.Say(key(keys))
	}
	return said
}

func needsOf(s control.Source) string {
	return knownText(s.Needs, s, func(k keys) string { return k.needs })
}

func limitsOf(s control.Source) string {
	return knownText(s.Limits, s, func(k keys) string { return k.limits })
}

// aboutOf is whose mirror it is; of one that a person added, where it is.
func aboutOf(s control.Source) string {
	if s.About == "" {
		return hostOf(s.URL)
	}
	return knownText(s.About, s, func(k keys) string { return k.about })
}
