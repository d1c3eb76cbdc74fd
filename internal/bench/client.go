package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// get is one GET that must answer 200; the caller closes the body.
func get(ctx context.Context, c *http.Client, url string, header http.Header) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	if header != nil {
		request.Header = header
	}
	response, err := c.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		_ = response.Body.Close()
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return response, nil
}

// download reads the whole body of url and returns MiB/s from the request to the last byte.
// A size below 0 is not checked.
func download(ctx context.Context, c *http.Client, url string, size int64) (float64, error) {
	return downloadAs(ctx, c, url, nil, size)
}

func downloadAs(ctx context.Context, c *http.Client, url string, header http.Header, size int64) (float64, error) {
	start := time.Now()
	response, err := get(ctx, c, url, header)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, make([]byte, 256<<10))
	if err != nil {
		return 0, err
	}
	if size >= 0 && n != size {
		return 0, fmt.Errorf("%s: %d of %d bytes", url, n, size)
	}
	return rate(n, time.Since(start)), nil
}

// client dials afresh for each request, through proxy when it is not "".
func client(proxy string, trust *tls.Config) *http.Client {
	transport := &http.Transport{
		TLSClientConfig: trust, DisableCompression: true, DisableKeepAlives: true,
		ReadBufferSize: 64 << 10, WriteBufferSize: 64 << 10,
	}
	if proxy != "" {
		transport.Proxy = http.ProxyURL(&url.URL{Scheme: "http", Host: proxy})
	}
	return &http.Client{Transport: transport}
}

// connectOnce is what dockerd does for each request: CONNECT through proxy, a full TLS handshake,
// one small GET, hang up.
func connectOnce(ctx context.Context, proxy, target string, config *tls.Config, path, bearer string) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", proxy)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n\r\n", target, target); err != nil {
		return err
	}
	answer, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: http.MethodConnect})
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("CONNECT %s: %s", target, answer.Status)
	}
	secure := tls.Client(conn, config)
	host, _, _ := strings.Cut(target, ":")
	if _, err := fmt.Fprintf(secure, "GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n", path, host, bearer); err != nil {
		return err
	}
	response, err := http.ReadResponse(bufio.NewReader(secure), nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: %s", path, response.Status)
	}
	_, err = io.Copy(io.Discard, response.Body)
	return err
}

// connects runs n connections over two workers and returns connections per second.
func connects(n int, once func() error) (float64, error) {
	const workers = 2
	failed := make(chan error, workers)
	start := time.Now()
	for range workers {
		go func() {
			var err error
			for range n / workers {
				err = errors.Join(err, once())
			}
			failed <- err
		}()
	}
	var err error
	for range workers {
		err = errors.Join(err, <-failed)
	}
	return float64(n/workers*workers) / time.Since(start).Seconds(), err
}
