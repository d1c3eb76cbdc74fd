package icon_test

import (
	"bytes"
	"flag"
	"image"
	"image/png"
	"os"
	"testing"

	"pulley/assets"
	"pulley/ui/icon"
)

var update = flag.Bool("update", false, "draw assets/icons/app.png anew")

// The program's icon is a picture because packagers want one; it must be the
// drawing beside it.
func TestAppPictureIsTheDrawing(t *testing.T) {
	const path = "../../assets/icons/app.png"
	want, err := icon.Render(drawing(t, "app"), 512)
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		file, err := icon.PNG(drawing(t, "app"), 512)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, file, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got, err := png.Decode(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	if got.Bounds() != want.Bounds() {
		t.Fatalf("app.png is %v, the drawing %v", got.Bounds(), want.Bounds())
	}
	for y := range 512 {
		for x := range 512 {
			if !near(got.At(x, y).RGBA, want.At(x, y).RGBA) {
				t.Fatalf("app.png differs from app.svg at %d,%d; run: go test ./ui/icon -update", x, y)
			}
		}
	}
}

// near allows for the last bit: floating point differs between processors.
func near(a, b func() (uint32, uint32, uint32, uint32)) bool {
	ar, ag, ab, aa := a()
	br, bg, bb, ba := b()
	for _, pair := range [][2]uint32{{ar, br}, {ag, bg}, {ab, bb}, {aa, ba}} {
		if difference := int(pair[0]>>8) - int(pair[1]>>8); difference > 3 || difference < -3 {
			return false
		}
	}
	return true
}

// A status area may be grey, and a person may not see colours: the forms have
// to differ by shape at the smallest size in use.
func TestFormsDifferByShape(t *testing.T) {
	forms := []string{"on", "off", "busy", "trouble"}
	for _, side := range []int{16, 22, 44} {
		shapes := map[string]*image.NRGBA{}
		for _, form := range forms {
			picture, err := icon.Render(drawing(t, form), side)
			if err != nil {
				t.Fatal(err)
			}
			shapes[form] = picture
		}
		for i, one := range forms {
			for _, other := range forms[i+1:] {
				if share := difference(shapes[one], shapes[other]); share < 0.12 {
					t.Errorf("%s and %s at %d px: only %.0f %% of the inked pixels differ", one, other, side, share*100)
				}
			}
		}
	}
}

// difference is the share of the pixels inked in either picture that are inked
// in one alone.
func difference(a, b *image.NRGBA) float64 {
	var either, alone int
	for i := 3; i < len(a.Pix); i += 4 {
		inA, inB := a.Pix[i] > 127, b.Pix[i] > 127
		if inA || inB {
			either++
			if inA != inB {
				alone++
			}
		}
	}
	return float64(alone) / float64(either)
}

func TestRenderRefusesWhatIsNoDrawing(t *testing.T) {
	if _, err := icon.PNG([]byte("no drawing"), 16); err == nil {
		t.Fatal("want an error")
	}
}

func drawing(t *testing.T, form string) []byte {
	t.Helper()
	svg, err := assets.Icons.ReadFile("icons/" + form + ".svg")
	if err != nil {
		t.Fatal(err)
	}
	return svg
}
