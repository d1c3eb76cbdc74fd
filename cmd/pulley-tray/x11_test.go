//go:build xvfb

package main_test

import (
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"io"
	"net"
	"slices"
	"testing"
	"time"
)

// x11 is a client that can look at windows, close them and take pictures: as
// much of the X protocol, version 11, as that takes. Requests are named as in
// its specification. Not for several goroutines at once.
type x11 struct {
	t    *testing.T
	conn net.Conn
	root uint32
}

var order = binary.LittleEndian

func dialX11(t *testing.T, display int) *x11 {
	t.Helper()
	conn, err := net.Dial("unix", fmt.Sprintf("/tmp/.X11-unix/X%d", display))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	x := &x11{t: t, conn: conn}
	x.write([]byte{'l', 0, 11, 0, 0, 0, 0, 0, 0, 0, 0, 0}) // little end first, version 11.0, no authorization
	head := x.read(8)
	rest := x.read(4 * int(order.Uint16(head[6:])))
	if head[0] != 1 {
		t.Fatalf("the X server refused: %s", rest)
	}
	vendor, formats := int(order.Uint16(rest[16:])), int(rest[21])
	x.root = order.Uint32(rest[32+(vendor+3)/4*4+8*formats:])
	return x
}

func (x *x11) write(b []byte) {
	x.t.Helper()
	if _, err := x.conn.Write(b); err != nil {
		x.t.Fatal(err)
	}
}

func (x *x11) read(n int) []byte {
	x.t.Helper()
	_ = x.conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	b := make([]byte, n)
	if _, err := io.ReadFull(x.conn, b); err != nil {
		x.t.Fatal(err)
	}
	return b
}

// request sends opcode with a detail byte and a body of whole words.
func (x *x11) request(opcode, detail byte, body []byte) {
	x.t.Helper()
	head := []byte{opcode, detail, 0, 0}
	order.PutUint16(head[2:], uint16(1+len(body)/4))
	x.write(append(head, body...))
}

// reply is the answer to the last request; nil if it was an error, as for a
// window that is gone.
func (x *x11) reply() []byte {
	x.t.Helper()
	for {
		head := x.read(32)
		switch head[0] {
		case 0:
			return nil
		case 1:
			return append(head, x.read(4*int(order.Uint32(head[4:])))...)
		}
	}
}

func words(numbers ...uint32) []byte {
	var b []byte
	for _, n := range numbers {
		b = order.AppendUint32(b, n)
	}
	return b
}

func (x *x11) atom(name string) uint32 {
	x.t.Helper()
	body := make([]byte, 4, 4+len(name)+3)
	order.PutUint16(body, uint16(len(name)))
	body = append(body, name...)
	x.request(16, 0, append(body, make([]byte, (4-len(name)%4)%4)...)) // InternAtom
	return order.Uint32(x.reply()[8:])
}

// windows are the children of the root that are on the screen and bear a name.
func (x *x11) windows(name string) []uint32 {
	x.t.Helper()
	x.request(15, 0, words(x.root)) // QueryTree
	tree := x.reply()
	var found []uint32
	for i := range int(order.Uint16(tree[16:])) {
		id := order.Uint32(tree[32+4*i:])
		x.request(3, 0, words(id)) // GetWindowAttributes
		if attributes := x.reply(); attributes == nil || attributes[26] != 2 {
			continue // not viewable
		}
		const wmName = 39
		x.request(20, 0, words(id, wmName, 0, 0, 64)) // GetProperty
		if property := x.reply(); property != nil && string(property[32:32+order.Uint32(property[16:])]) == name {
			found = append(found, id)
		}
	}
	slices.Sort(found)
	return found
}

// shut asks a window to close, as a window manager does (ICCCM 4.2.8.1).
func (x *x11) shut(window uint32) {
	x.t.Helper()
	event := []byte{33, 32, 0, 0} // ClientMessage, of 32-bit words
	event = append(event, words(window, x.atom("WM_PROTOCOLS"), x.atom("WM_DELETE_WINDOW"), 0, 0, 0, 0)...)
	x.request(25, 0, append(words(window, 0), event...)) // SendEvent
	x.atom("WM_PROTOCOLS")                               // a round trip, so that it has been sent
}

// picture is what a window looks like.
func (x *x11) picture(window uint32) *image.NRGBA {
	x.t.Helper()
	x.request(14, 0, words(window)) // GetGeometry
	geometry := x.reply()
	width, height := order.Uint16(geometry[16:]), order.Uint16(geometry[18:])
	body := words(window, 0, 0, ^uint32(0))
	order.PutUint16(body[8:], width)
	order.PutUint16(body[10:], height)
	x.request(73, 2, body) // GetImage, ZPixmap
	pixels := x.reply()[32:]
	picture := image.NewNRGBA(image.Rect(0, 0, int(width), int(height)))
	for i := range int(width) * int(height) { // 24 bits in 32: blue, green, red, nothing
		picture.SetNRGBA(i%int(width), i/int(width), color.NRGBA{R: pixels[4*i+2], G: pixels[4*i+1], B: pixels[4*i], A: 255})
	}
	return picture
}
