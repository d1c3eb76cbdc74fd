// Package layout holds, as a test, who may import whom. It has no code of its own: the rules stand in layout_test.go,
// each with its reason, and docs/design.md shows the picture.
package layout
