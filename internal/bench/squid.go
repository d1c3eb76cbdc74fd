package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
)

// squid opens TLS under a CA of its own and keeps blobs by their digest: a Store-ID rule takes the signature off the CDN's
// URLs. What is asked for with a token (manifests, the redirect of a blob) it may not keep (RFC 9111, section 3.5) and asks
// the Hub for each time.

func squid() *product {
	return &product{
		name: "squid", doors: []door{interception},
		about: "Debian's `squid-openssl`, ssl-bump, an aufs disk cache, Store-ID for signed URLs, collapsed forwarding, access log off; " +
			"manifests and redirects are asked of the Hub each time, as HTTP wants it for requests with a token",
		upstream: "https, the Hub's CA in `tls_outgoing_options`",
		version: func(ctx context.Context) (string, error) {
			path, err := find("squid")
			if err != nil {
				return "", err
			}
			said, err := words(ctx, path, "-v")
			return strings.TrimPrefix(firstLine(said), "Squid Cache: Version "), err
		},
		prepare: prepareSquid,
		launch:  launchSquid,
	}
}

const squidConfig = `http_port ADDRESS ssl-bump tls-cert=DIR/ca.pem generate-host-certificates=on dynamic_cert_mem_cache_size=16MB
sslcrtd_program CERTGEN -s DIR/certificates -M 16MB
sslcrtd_children 5
acl hello at_step SslBump1
ssl_bump peek hello
ssl_bump bump all
tls_outgoing_options cafile=DIR/roots.pem
http_access allow all
hosts_file DIR/hosts
store_id_program REWRITE DIR/store-id
store_id_children 5 concurrency=0
acl cdn urlpath_regex ^/registry-v2/
store_id_access allow cdn
store_id_access deny all
cache_dir aufs DIR/cache 40000 16 256
maximum_object_size 16 GB
collapsed_forwarding on
refresh_pattern /registry-v2/ 525600 100% 525600 override-expire ignore-reload
refresh_pattern . 0 20% 4320
access_log none
cache_log DIR/cache.log
pid_filename DIR/squid.pid
coredump_dir DIR
visible_hostname localhost
shutdown_lifetime 0 seconds
client_lifetime 1 day
max_filedescriptors 4096
`

// squidAddress keeps the port that a directory was prepared with.
const squidAddress = "address"

func prepareSquid(ctx context.Context, b *bench, dir string) error {
	path, err := find("squid")
	if err != nil {
		return err
	}
	certgen, err := helper("security_file_certgen")
	if err != nil {
		return err
	}
	rewrite, err := helper("storeid_file_rewrite")
	if err != nil {
		return err
	}
	address, err := freePort()
	if err != nil {
		return err
	}
	roots, err := os.ReadFile(b.roots)
	if err != nil {
		return err
	}
	authority, err := newAuthority("squid on this machine")
	if err != nil {
		return err
	}
	hosts := ""
	for _, name := range b.hub.Hosts() {
		hosts += "127.0.0.1 " + name + "\n"
	}
	config := strings.NewReplacer("ADDRESS", address, "DIR", dir, "CERTGEN", certgen, "REWRITE", rewrite).Replace(squidConfig)
	for name, text := range map[string]string{
		"squid.conf": config, "ca.pem": string(authority), "roots.pem": string(roots), "hosts": hosts, squidAddress: address,
		"store-id": `^https:\/\/[^\/]+(\/registry-v2\/[^?]+)` + "\thttp://blob.squid.internal$1\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // squid's own user reads it; the CA lives as long as the run
			return err
		}
	}
	if _, err := words(ctx, certgen, "-c", "-s", filepath.Join(dir, "certificates"), "-M", "16MB"); err != nil {
		return err
	}
	if err := squidOwns(dir); err != nil {
		return err
	}
	_, err = words(ctx, path, "-N", "-z", "-n", serviceName(dir), "-f", filepath.Join(dir, "squid.conf"))
	return err
}

func launchSquid(ctx context.Context, b *bench, dir string) (*server, error) {
	path, err := find("squid")
	if err != nil {
		return nil, err
	}
	address, err := os.ReadFile(filepath.Join(dir, squidAddress))
	if err != nil {
		return nil, err
	}
	authority, err := os.ReadFile(filepath.Join(dir, "ca.pem"))
	if err != nil {
		return nil, err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	p, _, err := b.start(ctx, nil, path, "--foreground", "-n", serviceName(dir), "-f", filepath.Join(dir, "squid.conf"))
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(b.hub.Addr())
	through := byConnect(string(address))
	return &server{process: p, ways: map[door]*way{
		interception: proxied("https://"+registry+":"+port, roots, through),
	}}, p.answers(ctx, string(address), "/")
}

// serviceName keeps the shared memory of several squids apart: letters and digits alone.
func serviceName(dir string) string {
	name := ""
	for _, c := range filepath.Base(dir) {
		if c >= 'a' && c <= 'z' || c >= '0' && c <= '9' {
			name += string(c)
		}
	}
	return fmt.Sprintf("bench%d%s", os.Getpid(), name)
}

// helper is a program that comes with squid.
func helper(name string) (string, error) {
	for _, dir := range []string{"/usr/lib/squid", "/usr/lib64/squid"} {
		path := filepath.Join(dir, name)
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("squid's %s: not found; run: .ci/need bench", name)
}

// squidOwns gives a directory to the user that squid becomes when root starts it.
func squidOwns(dir string) error {
	if os.Getuid() != 0 {
		return nil
	}
	owner, err := user.Lookup("proxy")
	if err != nil {
		owner, err = user.Lookup("squid")
	}
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(owner.Uid)
	if err != nil {
		return err
	}
	gid, err := strconv.Atoi(owner.Gid)
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		return errors.Join(err, os.Lchown(path, uid, gid))
	})
}
