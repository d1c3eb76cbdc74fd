package control_test

import (
	"encoding/json"
	"testing"
	"time"

	"pulley/internal/control"
)

// People's scripts read these: keys are added, never renamed.
func TestKeysStayAsTheyAre(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	keep := int64(0)
	pulling := control.Pulling{Image: "i", Digest: "d", What: "layer", Have: 1, Size: 2, Source: "s", Done: true, Cached: true, Error: "e"}
	for _, one := range []struct {
		v    any
		want string
	}{
		{
			control.Image{
				Registry: "r", Repository: "p", Tag: "t", Tags: []string{"t"}, Digest: "d", MediaType: "m",
				Platforms: []control.Platform{{OS: "o", Architecture: "a", Variant: "v", Digest: "d", Complete: true}},
				Complete:  true, Size: 1, Own: 2, Pinned: true, Stored: at, Used: at, Checked: at, Sources: map[string]int64{"origin": 1}, Saved: 3,
			},
			`{"registry":"r","repository":"p","tag":"t","tags":["t"],"digest":"d","media_type":"m",` +
				`"platforms":[{"os":"o","architecture":"a","variant":"v","digest":"d","complete":true}],"complete":true,"size":1,"own":2,"pinned":true,` +
				`"stored":"2026-01-02T03:04:05Z","used":"2026-01-02T03:04:05Z","checked":"2026-01-02T03:04:05Z","sources":{"origin":1},"saved":3}`,
		},
		{control.Image{}, `{"registry":"","repository":"","digest":"","complete":false,"size":0,"own":0,"pinned":false,"saved":0}`},
		{control.Cache{}, `{"dir":"","size":0,"max_size":0,"blobs":0,"free":0,"images":0,"pinned":0,"pinned_size":0,"saved":0}`},
		{control.GC{Keep: &keep, Free: 1}, `{"keep":0,"free":1}`},
		{control.GC{}, `{}`},
		{control.Freed{Bytes: 1, Images: []string{"i"}, Size: 2}, `{"bytes":1,"images":["i"],"size":2}`},
		{control.Pin{Image: "i", Pinned: true}, `{"image":"i","pinned":true}`},
		{
			control.Line[control.Pulling, struct{}]{Progress: &pulling},
			`{"progress":{"image":"i","digest":"d","what":"layer","have":1,"size":2,"source":"s","done":true,"cached":true,"error":"e"}}`,
		},
		{
			control.Line[struct{}, control.Pulled]{Result: &control.Pulled{Images: []control.PulledImage{{
				Image: "i", Digest: "d", Platforms: []string{"linux/amd64"}, Size: 1, Fetched: 2, Note: "n", Error: "e",
			}}}},
			`{"result":{"images":[{"image":"i","digest":"d","platforms":["linux/amd64"],"size":1,"fetched":2,"note":"n","error":"e"}]}}`,
		},
		{control.Line[struct{}, struct{}]{Error: "e"}, `{"error":"e"}`},
		{
			control.Pull{Images: []control.PullImage{{Image: "i", Platforms: []string{"p"}, All: true}}, Fresh: true, Credentials: map[string]control.Secret{"h": "s"}},
			`{"images":[{"image":"i","platforms":["p"],"all":true}],"fresh":true,"credentials":{"h":"s"}}`,
		},
		{
			control.Verifying{Blobs: 1, OfBlobs: 2, Bytes: 3, OfBytes: 4, Damaged: 5, Healed: 6},
			`{"blobs":1,"of_blobs":2,"bytes":3,"of_bytes":4,"damaged":5,"healed":6}`,
		},
		{
			control.Verified{Blobs: 1, Bytes: 2, Damaged: []control.Broken{{Digest: "d", Size: 3, Images: []string{"i"}, Healed: true, Source: "s", Error: "e"}}},
			`{"blobs":1,"bytes":2,"damaged":[{"digest":"d","size":3,"images":["i"],"healed":true,"source":"s","error":"e"}]}`,
		},
		{control.Importing{Bytes: 1, Blobs: 2, Image: "i"}, `{"bytes":1,"blobs":2,"image":"i"}`},
		{control.Imported{Images: []string{"i"}, Blobs: 1, Bytes: 2}, `{"images":["i"],"blobs":1,"bytes":2}`},
		{control.Imported{Images: []string{"i"}, Called: map[string]string{"i": "c"}}, `{"images":["i"],"called":{"i":"c"},"blobs":0,"bytes":0}`},
		{
			control.History{Minutes: []control.Point{{At: at, Bytes: control.Bytes{Requests: 1, FromCache: 2, FromNet: 3}}}, Days: []control.Point{}},
			`{"minutes":[{"at":"2026-01-02T03:04:05Z","requests":1,"from_cache":2,"from_net":3}],"days":[]}`,
		},
		{control.Part{Source: "s", From: 1, To: 2}, `{"source":"s","from":1,"to":2}`},
		{control.Failed{Source: "s", After: 1, Err: "e"}, `{"source":"s","after":1,"err":"e"}`},
		{control.Problem{Kind: "k", Text: "t", Fix: "f", Key: "a.b", Thing: "x", About: "y"}, `{"kind":"k","text":"t","fix":"f","key":"a.b","thing":"x","about":"y"}`},
		{control.MirrorOrder{Registry: "r", Names: []string{"m"}}, `{"registry":"r","names":["m"]}`},
		{control.MirrorTesting{FirstByte: 1, Bytes: 2, Size: 3, Rate: 4.5}, `{"first_byte":1,"bytes":2,"size":3,"rate":4.5}`},
		{control.Address{Host: "h", Use: []string{"u"}, Bad: []string{"b"}}, `{"host":"h","use":["u"],"bad":["b"]}`},
		{control.Traffic{SavedTime: 1}, `{"today":{"requests":0,"from_cache":0,"from_net":0},"ever":{"requests":0,"from_cache":0,"from_net":0},"saved_time":1}`},
		{control.Export{Images: []string{"i"}, Platforms: []string{"p"}, All: true}, `{"images":["i"],"platforms":["p"],"all":true}`},
	} {
		if got, err := json.Marshal(one.v); err != nil || string(got) != one.want {
			t.Errorf("%T: %s\nwant %s (%v)", one.v, got, one.want, err)
		}
	}
}

func TestWhoBroughtMostComesFirst(t *testing.T) {
	i := control.Image{Sources: map[string]int64{"b": 5, "origin": 9, "a": 5, "nobody": 0, "": 1}}
	got := i.Brought()
	for n, want := range []string{"origin", "a", "b", ""} {
		if n >= len(got) || got[n] != want {
			t.Fatalf("%q", got)
		}
	}
}
