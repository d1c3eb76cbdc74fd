// Package icon turns the mark's drawings into pictures of the size that a
// screen asks for. It knows no state: which form fits which moment is decided
// in ui/tray.
package icon

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/draw"
	"image/png"

	"github.com/fyne-io/oksvg"
	"github.com/srwiley/rasterx"
)

// Render draws an SVG into a square of side × side pixels with an alpha
// channel. The drawing has to be square.
func Render(svg []byte, side int) (*image.NRGBA, error) {
	drawing, err := oksvg.ReadIconStream(bytes.NewReader(svg), oksvg.StrictErrorMode)
	if err != nil {
		return nil, fmt.Errorf("icon: %w", err)
	}
	drawing.SetTarget(0, 0, float64(side), float64(side))
	picture := image.NewRGBA(image.Rect(0, 0, side, side))
	if len(drawing.SVGPaths) == 0 || drawing.ViewBox.W <= 0 {
		return nil, errors.New("icon: the drawing is empty")
	}
	scale := float64(side) / drawing.ViewBox.W
	for i := range drawing.SVGPaths { // the rasteriser scales outlines but not the width of strokes
		drawing.SVGPaths[i].LineWidth *= scale
	}
	scanner := rasterx.NewScannerGV(side, side, picture, picture.Bounds())
	drawing.Draw(rasterx.NewDasher(side, side, scanner), 1)
	straight := image.NewNRGBA(picture.Bounds())
	draw.Draw(straight, straight.Bounds(), picture, image.Point{}, draw.Src)
	return straight, nil
}

// PNG is Render as a file.
func PNG(svg []byte, side int) ([]byte, error) {
	picture, err := Render(svg, side)
	if err != nil {
		return nil, err
	}
	var file bytes.Buffer
	if err := png.Encode(&file, picture); err != nil {
		return nil, fmt.Errorf("icon: %w", err)
	}
	return file.Bytes(), nil
}
