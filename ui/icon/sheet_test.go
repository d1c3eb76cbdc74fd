package icon_test

import (
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"os"
	"path/filepath"
	"testing"

	"pulley/assets"
	"pulley/ui/icon"
)

// TestSheet draws every form at the sizes panels use, on a light and a dark
// panel, and enlarges the result for a person to look at: with PULLEY_SHEETS
// set the sheet is left in that folder.
func TestSheet(t *testing.T) {
	dir := os.Getenv("PULLEY_SHEETS")
	if dir == "" {
		dir = t.TempDir()
	}
	forms := []string{"on", "busy", "off", "trouble", "app"}
	sizes := []int{16, 22, 32, 44}
	const cell, zoom = 52, 4
	sheet := image.NewNRGBA(image.Rect(0, 0, cell*len(forms)*2, cell*len(sizes)))
	for half, panel := range []color.Color{color.NRGBA{0xf2, 0xf2, 0xf2, 0xff}, color.NRGBA{0x2b, 0x2b, 0x2b, 0xff}} {
		left := half * cell * len(forms)
		draw.Draw(sheet, image.Rect(left, 0, left+cell*len(forms), sheet.Bounds().Dy()), image.NewUniform(panel), image.Point{}, draw.Src)
		for row, size := range sizes {
			for column, form := range forms {
				svg, err := assets.Icons.ReadFile("icons/" + form + ".svg")
				if err != nil {
					t.Fatal(err)
				}
				picture, err := icon.Render(svg, size)
				if err != nil {
					t.Fatalf("%s at %d: %v", form, size, err)
				}
				at := image.Pt(left+column*cell+(cell-size)/2, row*cell+(cell-size)/2)
				draw.Draw(sheet, picture.Bounds().Add(at), picture, image.Point{}, draw.Over)
			}
		}
	}
	large := image.NewNRGBA(image.Rect(0, 0, sheet.Bounds().Dx()*zoom, sheet.Bounds().Dy()*zoom))
	for y := range large.Bounds().Dy() {
		for x := range large.Bounds().Dx() {
			large.Set(x, y, sheet.At(x/zoom, y/zoom))
		}
	}
	for name, picture := range map[string]image.Image{"icons.png": sheet, "icons-large.png": large} {
		file, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(file, picture); err != nil {
			t.Fatal(err)
		}
		if err := file.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
