package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// nginx as a registry cache is set up as https://github.com/rpardini/docker-registry-proxy does it for what matters here:
// manifests by digest and blobs are kept, tags for a minute, redirects are followed inside, and one request at a time
// fetches what is not there yet. It does not ask again who may have what it has.

func nginxCache() *product {
	return &product{
		name: "nginx", doors: []door{mirror},
		about:    "`proxy_cache`, redirects followed inside, `proxy_cache_lock`, sendfile, connections to the Hub kept, access log off; it checks no token of what it has",
		upstream: "https, the Hub's CA in `proxy_ssl_trusted_certificate`",
		version:  nginxVersion,
		launch: func(ctx context.Context, b *bench, dir string) (*server, error) {
			address, err := freePort()
			if err != nil {
				return nil, err
			}
			text := strings.NewReplacer("ADDRESS", address, "DIR", dir, "HUBHOST", b.hubHost(), "HUB", b.hub.Addr(), "ROOTS", b.roots).Replace(nginxCaching)
			s, err := launchNginx(ctx, b, dir, address, text)
			if err != nil {
				return nil, err
			}
			w := s.ways[mirror]
			w.tokens = b.toHub() // the challenge that it passes on leads the client there
			return s, nil
		},
	}
}

func nginxStatic() *product {
	return &product{
		name: "nginx static", limit: true, doors: []door{mirror},
		about:   "the same blobs as files, `sendfile on`: no cache, no upstream",
		version: nginxVersion,
		launch: func(ctx context.Context, b *bench, dir string) (*server, error) {
			address, err := freePort()
			if err != nil {
				return nil, err
			}
			return launchNginx(ctx, b, dir, address, strings.NewReplacer("ADDRESS", address, "FILES", b.files).Replace(nginxFiles))
		},
	}
}

func nginxVersion(ctx context.Context) (string, error) {
	path, err := find("nginx")
	if err != nil {
		return "", err
	}
	said, err := words(ctx, path, "-v")
	_, version, _ := strings.Cut(said, "nginx/")
	return version, err
}

// launchNginx starts nginx with the text of its http block.
func launchNginx(ctx context.Context, b *bench, dir, address, http string) (*server, error) {
	path, err := find("nginx")
	if err != nil {
		return nil, err
	}
	text := strings.ReplaceAll(nginxMain, "DIR", dir)
	if os.Getuid() == 0 {
		text = "user root;\n" + text
	}
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, fmt.Appendf(nil, "%s%s}\n", text, http), 0o600); err != nil {
		return nil, err
	}
	p, _, err := b.start(ctx, nil, path, "-p", dir, "-c", file, "-e", "stderr")
	if err != nil {
		return nil, err
	}
	return &server{process: p, ways: map[door]*way{mirror: plainly(address)}}, p.answers(ctx, address, "/")
}

const nginxMain = `daemon off;
worker_processes auto;
pid DIR/nginx.pid;
error_log stderr crit;
events {
  worker_connections 1024;
}
http {
  access_log off;
  default_type application/octet-stream;
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  client_body_temp_path DIR/body;
  proxy_temp_path DIR/proxy;
  fastcgi_temp_path DIR/fastcgi;
  uwsgi_temp_path DIR/uwsgi;
  scgi_temp_path DIR/scgi;
`

const nginxFiles = `
  open_file_cache max=10000 inactive=1h;
  server {
    listen ADDRESS backlog=4096;
    root FILES;
  }
`

const nginxCaching = `
  proxy_cache_path DIR/cache levels=1:2 keys_zone=registry:64m max_size=40g inactive=60d use_temp_path=off;
  upstream hub {
    server HUB;
    keepalive 64;
    keepalive_requests 1000000;
  }
  map $upstream_http_location $moved {
    "~^https://[^/]+(?<path>/.*)$" $path;
  }
  server {
    listen ADDRESS backlog=4096;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host HUBHOST;
    proxy_ssl_trusted_certificate ROOTS;
    proxy_ssl_verify on;
    proxy_ssl_name localhost;
    proxy_ssl_server_name on;
    proxy_buffers 16 64k;
    proxy_busy_buffers_size 128k;
    proxy_read_timeout 900s;

    proxy_cache_key $uri;
    proxy_cache_lock on;
    proxy_cache_lock_age 880s;
    proxy_cache_lock_timeout 880s;
    proxy_ignore_headers X-Accel-Expires Expires Cache-Control Set-Cookie Vary;

    location / {
      proxy_pass https://hub;
    }
    location ~ ^/v2/.+/manifests/sha256: {
      proxy_cache registry;
      proxy_cache_valid 200 60d;
      proxy_pass https://hub;
    }
    location ~ ^/v2/.+/manifests/ {
      proxy_cache registry;
      proxy_cache_valid 200 60s;
      proxy_cache_use_stale error timeout updating;
      proxy_pass https://hub;
    }
    location ~ ^/v2/.+/blobs/sha256: {
      proxy_cache registry;
      proxy_cache_valid 200 60d;
      proxy_intercept_errors on;
      error_page 301 302 303 307 308 = @moved;
      proxy_pass https://hub;
    }
    location @moved {
      set $to $moved;
      proxy_set_header Connection "";
      proxy_set_header Host HUBHOST;
      proxy_set_header Authorization "";
      proxy_cache registry;
      proxy_cache_valid 200 60d;
      proxy_pass https://hub$to;
    }
  }
`
