package proxy

// protocol is what the first bytes of a connection say.
type protocol int

const (
	protocolUnknown protocol = iota
	protocolSOCKS5
	protocolTLS
	protocolHTTP
)

// firstBytes of the protocols that are told by one.
const (
	socks5Version = 0x05
	tlsHandshake  = 0x16
)

// sniff tells protocols apart by what arrived first, at least one byte.
func sniff(head []byte) protocol {
	switch b := head[0]; {
	case b == socks5Version:
		return protocolSOCKS5
	case b == tlsHandshake:
		return protocolTLS
	case b == '\r' || b == '\n': // RFC 9112, section 2.2: empty lines before a request
		return protocolHTTP
	case isMethod(head):
		return protocolHTTP
	}
	return protocolUnknown
}

// isMethod reports whether head may be the beginning of an HTTP request: a
// method and a space, or as much of that as has arrived. Methods have a letter
// first and are short; nothing real goes beyond letters, '-' and '_'.
func isMethod(head []byte) bool {
	const longest = 24
	for i, b := range head {
		switch {
		case b >= 'A' && b <= 'Z' || b >= 'a' && b <= 'z':
		case i > 0 && (b == '-' || b == '_'):
		case i > 0 && b == ' ':
			return true
		default:
			return false
		}
		if i >= longest {
			return false
		}
	}
	return true
}
