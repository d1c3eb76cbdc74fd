package proxy

import (
	"bufio"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/gorilla/websocket"
)

// dialRequest is one call of Options.Dial.
type dialRequest struct {
	ctx  context.Context
	addr string
}

func dialFunc(f func(dialRequest) (net.Conn, error)) func(context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, _, addr string) (net.Conn, error) { return f(dialRequest{ctx, addr}) }
}

func mustURL(s string) *url.URL {
	u, err := url.Parse(s)
	if err != nil {
		panic(err)
	}
	return u
}

// readResponse reads one response with its body.
func readResponse(t *testing.T, c net.Conn) (*http.Response, string) {
	t.Helper()
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// webSocketServer echoes messages; it returns its address.
func webSocketServer(t *testing.T) string {
	t.Helper()
	up := websocket.Upgrader{}
	ts := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := up.Upgrade(w, r, nil)
		if err != nil {
			return
		}
		defer c.Close()
		for {
			kind, msg, err := c.ReadMessage()
			if err != nil || c.WriteMessage(kind, msg) != nil {
				return
			}
		}
	}))
	t.Cleanup(ts.Close)
	return ts.Listener.Addr().String()
}

// wantEcho sends messages of several sizes over ws and closes it.
func wantEcho(t *testing.T, ws *websocket.Conn) {
	t.Helper()
	defer ws.Close()
	for _, size := range []int{0, 1, 70_000} {
		msg := make([]byte, size)
		if err := ws.WriteMessage(websocket.BinaryMessage, msg); err != nil {
			t.Fatal(err)
		}
		_, got, err := ws.ReadMessage()
		if err != nil || len(got) != size {
			t.Fatalf("%d bytes came back, %v; want %d", len(got), err, size)
		}
	}
}

// pipeListener is a listener that has no connections.
type pipeListener struct{}

func (pipeListener) Accept() (net.Conn, error) { return nil, errors.New("none") }
func (pipeListener) Close() error              { return nil }
func (pipeListener) Addr() net.Addr            { return &net.UnixAddr{Name: "pipe", Net: "unix"} }

func pemOf(t *testing.T, kind string, der []byte) []byte {
	t.Helper()
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}

func pkcs8(t *testing.T, key any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
