package system_test

import (
	"testing"

	"pulley/proxy/egress/system"
)

func TestWindows(t *testing.T) {
	for _, tt := range []struct {
		on               bool
		server, override string
		want             system.Settings
	}{
		{false, "127.0.0.1:7890", "", system.Settings{}},
		{true, "", "", system.Settings{}},
		{true, "127.0.0.1:7890", "localhost;127.*;192.168.*;*.corp.example;<local>", system.Settings{
			HTTP: "http://127.0.0.1:7890", HTTPS: "http://127.0.0.1:7890", Local: true,
			Except: []string{"localhost", "127.0.0.0/8", "192.168.0.0/16", ".corp.example"},
		}},
		{true, "http=a:1;https=http://b:2;ftp=c:3", "https://x.example;<-loopback>;", system.Settings{HTTP: "http://a:1", HTTPS: "http://b:2", Except: []string{"x.example"}}},
		{true, "socks=[::1]:1080", "", system.Settings{HTTP: "socks5://[::1]:1080", HTTPS: "socks5://[::1]:1080"}},
	} {
		if got := system.Windows(tt.on, tt.server, tt.override, ""); !got.Equal(tt.want) {
			t.Errorf("%q: %+v, want %+v", tt.server, got, tt.want)
		}
	}
	if got := system.Windows(false, "", "", "http://wpad/x.pac"); got.Script != "http://wpad/x.pac" {
		t.Errorf("a script: %+v", got)
	}
}

func TestMac(t *testing.T) {
	got := system.Mac(`<dictionary> {
  ExceptionsList : <array> {
    0 : *.local
    1 : 169.254/16
    2 : 10.0.0.0/8
  }
  ExcludeSimpleHostnames : 1
  FTPPassive : 1
  HTTPEnable : 1
  HTTPPort : 8080
  HTTPProxy : proxy.example
  HTTPSEnable : 0
  HTTPSPort : 8443
  HTTPSProxy : old.example
  ProxyAutoConfigEnable : 0
  ProxyAutoConfigURLString : http://wpad/x.pac
  SOCKSEnable : 1
  SOCKSPort : 7891
  SOCKSProxy : 127.0.0.1
}
`)
	want := system.Settings{
		HTTP: "http://proxy.example:8080", HTTPS: "socks5://127.0.0.1:7891", Local: true,
		Except: []string{".local", "169.254.0.0/16", "10.0.0.0/8"},
	}
	if !got.Equal(want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := system.Mac("<dictionary> {\n  HTTPEnable : 0\n}\n"); !got.Equal(system.Settings{}) {
		t.Errorf("none: %+v", got)
	}
}

func TestGnome(t *testing.T) {
	body := `org.gnome.system.proxy autoconfig-url 'http://wpad/x.pac'
org.gnome.system.proxy ignore-hosts ['localhost', '127.0.0.0/8', '::1', '*.corp.example']
org.gnome.system.proxy use-same-proxy true
org.gnome.system.proxy.ftp host ''
org.gnome.system.proxy.http host '127.0.0.1'
org.gnome.system.proxy.http port 7890
org.gnome.system.proxy.https host ''
org.gnome.system.proxy.https port 0
org.gnome.system.proxy.socks host '127.0.0.1'
org.gnome.system.proxy.socks port 7891
`
	want := system.Settings{
		HTTP: "http://127.0.0.1:7890", HTTPS: "socks5://127.0.0.1:7891",
		Except: []string{"localhost", "127.0.0.0/8", "::1", ".corp.example"},
	}
	if got := system.Gnome(body + "org.gnome.system.proxy mode 'manual'\n"); !got.Equal(want) {
		t.Errorf("%+v, want %+v", got, want)
	}
	if got := system.Gnome(body + "org.gnome.system.proxy mode 'none'\n"); !got.Equal(system.Settings{}) {
		t.Errorf("none: %+v", got)
	}
	if got := system.Gnome(body + "org.gnome.system.proxy mode 'auto'\n"); got.Script == "" || got.HTTP != "" {
		t.Errorf("auto: %+v", got)
	}
}
