package token_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"pulley/proxy/token"
)

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for v, want := range map[string]time.Duration{
		"17": 17 * time.Second, " 3 ": 3 * time.Second, "0": 0, "99999999999999999999": 24 * time.Hour, "90000": 24 * time.Hour,
		"Fri, 02 Jan 2026 03:05:05 GMT":  time.Minute,
		"Fri, 02 Jan 2026 03:00:00 GMT":  0,
		"Friday, 02-Jan-26 03:05:05 GMT": time.Minute,
	} {
		if got, ok := token.RetryAfter(http.Header{"Retry-After": {v}}, now); !ok || got != want {
			t.Errorf("%q is %v, %v; want %v", v, got, ok, want)
		}
	}
	for _, v := range []string{"", "soon", "-1", "1.5", "1 2"} {
		if got, ok := token.RetryAfter(http.Header{"Retry-After": {v}}, now); ok {
			t.Errorf("%q is %v", v, got)
		}
	}
	// The sender's own clock counts.
	h := http.Header{"Retry-After": {"Fri, 02 Jan 2026 09:00:30 GMT"}, "Date": {"Fri, 02 Jan 2026 09:00:00 GMT"}}
	if got, _ := token.RetryAfter(h, now); got != 30*time.Second {
		t.Errorf("with a Date: %v", got)
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("17", "Fri, 02 Jan 2026 03:05:05 GMT")
	f.Fuzz(func(t *testing.T, v, date string) {
		d, ok := token.RetryAfter(http.Header{"Retry-After": {v}, "Date": {date}}, time.Unix(0, 0))
		if d < 0 || d > 24*time.Hour || !ok && d != 0 {
			t.Fatalf("%q is %v, %v", v, d, ok)
		}
	})
}

func TestParseErrors(t *testing.T) {
	for body, want := range map[string][2]string{
		`{"errors":[{"code":"TOOMANYREQUESTS","message":"You have reached\nyour limit"}]}`: {"TOOMANYREQUESTS", "You have reached your limit"},
		`{"details":"incorrect username or password"}`:                                     {"", "incorrect username or password"},
		`{"error":"invalid_grant","error_description":"no such token"}`:                    {"", "no such token"},
		`{"errors":[]}`: {}, `<html>`: {}, ``: {}, `{"errors":{"a":1}}`: {},
	} {
		if code, msg := token.ParseErrors([]byte(body)); code != want[0] || msg != want[1] {
			t.Errorf("%s: %q, %q", body, code, msg)
		}
	}
	if _, msg := token.ParseErrors([]byte(`{"message":"` + strings.Repeat("ü", 5000) + `"}`)); len(msg) > 600 || strings.ContainsRune(msg, '\uFFFD') {
		t.Errorf("%d bytes of text", len(msg))
	}
}
