package config

import (
	"strings"
	"testing"
)

func TestParseShared(t *testing.T) {
	for text, want := range map[string]SharedStore{
		"s3://cache": {Bucket: "cache"},
		"s3://cache/team/a?endpoint=https://s3.example.com:9000/&region=eu-west-1": {Bucket: "cache", Prefix: "team/a", Endpoint: "https://s3.example.com:9000", Region: "eu-west-1"},
		"s3://cache/?endpoint=http://10.0.0.7:7070&style=path":                     {Bucket: "cache", Endpoint: "http://10.0.0.7:7070", Style: "path"},
	} {
		got, err := ParseShared(text)
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", text, got, err, want)
		}
		if again, err := ParseShared(got.String()); err != nil || again != got {
			t.Errorf("%s: as %s it reads %+v, %v", text, got, again, err)
		}
	}
}

func TestSharedTakesNoCredentials(t *testing.T) {
	const secret = "wJalrXUtnFEMI"
	for _, text := range []string{
		"s3://AKIAEXAMPLE:" + secret + "@cache/team",
		"s3://cache?secret_access_key=" + secret,
		"s3://cache?X-Amz-Signature=" + secret,
		"s3://cache?endpoint=https://AKIA:" + secret + "@s3.example.com",
		"s3://cache%zz" + secret,
		"s3://cache?endpoint=https://s3.example.com/" + secret,
		"https://" + secret + "/cache",
	} {
		_, err := Load(write(t, "[cache]\nshared = \""+text+"\"\n"), nil)
		if err == nil {
			t.Errorf("%s is taken", text)
			continue
		}
		if strings.Contains(err.Error(), secret) || !strings.Contains(err.Error(), "cache.shared") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
	}
}

func TestSharedNamesNoMirror(t *testing.T) {
	const mirror = "[[registry]]\nname = \"docker.io\"\n[[registry.mirror]]\nname = \"shared\"\nurl = \"https://m.example.com\"\n"
	if _, err := Load(write(t, mirror), nil); err != nil {
		t.Errorf("without a store: %v", err)
	}
	if _, err := Load(write(t, "[cache]\nshared = \"s3://cache\"\n"+mirror), nil); err == nil || !strings.Contains(err.Error(), "another name") {
		t.Errorf("with one: %v", err)
	}
}
