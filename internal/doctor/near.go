package doctor

import "slices"

// known are repositories that many pull: what a misspelt name may have meant.
var known = []string{
	"alpine", "busybox", "caddy", "cassandra", "debian", "elasticsearch", "fedora", "ghost", "golang", "grafana", "gradle", "haproxy", "hello-world", "httpd",
	"influxdb", "jenkins", "kibana", "mariadb", "maven", "memcached", "mongo", "mysql", "nextcloud", "nginx", "node", "openjdk", "php", "postgres", "python",
	"rabbitmq", "redis", "registry", "rocket.chat", "ruby", "rust", "sonarqube", "tomcat", "traefik", "ubuntu", "vault", "wordpress", "zookeeper",
}

// nearest is the word of a list that a misspelt one may have meant, "" if none is near.
func nearest(word string, list []string) string {
	if slices.Contains(list, word) {
		return ""
	}
	best, at := "", 1+min(len(word)/4+1, 2)
	for _, candidate := range list {
		if d := distance(word, candidate); d < at {
			best, at = candidate, d
		}
	}
	return best
}

// distance is how many letters are added, missing, other or swapped with their neighbour (optimal string alignment).
func distance(a, b string) int {
	rows := make([][]int, len(a)+1)
	for i := range rows {
		rows[i] = make([]int, len(b)+1)
		rows[i][0] = i
	}
	for j := range rows[0] {
		rows[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			rows[i][j] = min(rows[i-1][j]+1, rows[i][j-1]+1, rows[i-1][j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				rows[i][j] = min(rows[i][j], rows[i-2][j-2]+1)
			}
		}
	}
	return rows[len(a)][len(b)]
}
