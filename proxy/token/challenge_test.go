package token_test

import (
	"maps"
	"net/http"
	"strings"
	"testing"

	"pulley/proxy/token"
)

func TestParseChallenges(t *testing.T) {
	type want struct {
		scheme string
		params map[string]string
	}
	hub := map[string]string{"realm": "https://auth.docker.io/token", "service": "registry.docker.io"}
	for name, tt := range map[string]struct {
		headers []string
		want    []want
	}{
		"docker hub":   {[]string{`Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`}, []want{{"bearer", hub}}},
		"spaces":       {[]string{`Bearer  realm = "https://auth.docker.io/token" , service="registry.docker.io" `}, []want{{"bearer", hub}}},
		"token values": {[]string{`Basic realm=x`}, []want{{"basic", map[string]string{"realm": "x"}}}},
		"case":         {[]string{`bEARER ReAlM="https://auth.docker.io/token",SERVICE="registry.docker.io"`}, []want{{"bearer", hub}}},
		"two in one": {[]string{`Basic realm="a, b=\"c\"", Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`},
			[]want{{"basic", map[string]string{"realm": `a, b="c"`}}, {"bearer", hub}}},
		"two headers":   {[]string{`Negotiate`, `Basic realm="r"`}, []want{{"negotiate", nil}, {"basic", map[string]string{"realm": "r"}}}},
		"token68":       {[]string{`Negotiate YWJjZA==, Basic realm=r`}, []want{{"negotiate", nil}, {"basic", map[string]string{"realm": "r"}}}},
		"empty items":   {[]string{`, ,Basic realm="r",,`}, []want{{"basic", map[string]string{"realm": "r"}}}},
		"commas inside": {[]string{`Bearer realm="r",scope="repository:a/b:pull,push"`}, []want{{"bearer", map[string]string{"realm": "r", "scope": "repository:a/b:pull,push"}}}},
		"bare":          {[]string{`Bearer`}, []want{{"bearer", nil}}},
		"nothing":       {nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := token.ParseChallenges(http.Header{"Www-Authenticate": tt.headers})
			if err != nil {
				t.Fatal(err)
			}
			if len(got) != len(tt.want) {
				t.Fatalf("%d challenges %v, want %d", len(got), got, len(tt.want))
			}
			for i, w := range tt.want {
				if got[i].Scheme != w.scheme || !maps.Equal(got[i].Params, w.params) {
					t.Errorf("challenge %d is %+v, want %+v", i, got[i], w)
				}
			}
		})
	}
}

func TestParseChallengesRefuses(t *testing.T) {
	for name, v := range map[string]string{
		"open quote":      `Bearer realm="https://x`,
		"open escape":     `Bearer realm="https://x\`,
		"twice":           `Bearer realm="https://a",realm="https://b"`,
		"twice, case":     `Bearer realm="https://a",REALM="https://b"`,
		"control":         "Bearer realm=\"a\x01b\"",
		"no comma":        `Bearer realm="a" service="b"`,
		"garbage":         `"Bearer"`,
		"huge":            `Bearer realm="` + strings.Repeat("x", 20<<10) + `"`,
		"many parameters": `Bearer ` + strings.Repeat("a", 1) + `=1` + manyParams(40),
		"many":            strings.Repeat("Basic realm=r, ", 40),
	} {
		t.Run(name, func(t *testing.T) {
			if got, err := token.ParseChallenges(http.Header{"Www-Authenticate": {v}}); err == nil {
				t.Errorf("parsed as %+v", got)
			}
		})
	}
}

func manyParams(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(",p" + strings.Repeat("x", i) + "=1")
	}
	return b.String()
}

func FuzzParseChallenges(f *testing.F) {
	f.Add(`Bearer realm="https://auth.docker.io/token",service="registry.docker.io"`)
	f.Add(`Basic realm="a\"b", Negotiate abc==, Bearer x`)
	f.Fuzz(func(t *testing.T, v string) {
		list, err := token.ParseChallenges(http.Header{"Www-Authenticate": {v}})
		if err != nil {
			return
		}
		// What was understood, written out plainly, is understood the same way.
		var b strings.Builder
		for i, c := range list {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(c.Scheme)
			sep := " "
			if c.Token != "" {
				b.WriteString(" " + c.Token)
			}
			for name, value := range c.Params {
				b.WriteString(sep + name + `="` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(value) + `"`)
				sep = ","
			}
		}
		again, err := token.ParseChallenges(http.Header{"Www-Authenticate": {b.String()}})
		if err != nil || len(again) != len(list) {
			if b.Len() > 16<<10 {
				return // escapes made it longer than is read
			}
			t.Fatalf("%q became %q: %v, %d challenges instead of %d", v, b.String(), err, len(again), len(list))
		}
		for i := range list {
			if again[i].Scheme != list[i].Scheme || again[i].Token != list[i].Token || !maps.Equal(again[i].Params, list[i].Params) {
				t.Fatalf("%q: %+v became %+v", v, list[i], again[i])
			}
		}
	})
}
